"""The board is sane JSON that Grafana can provision, and asks only for metrics that exist."""

import itertools
import re
from typing import Any

import pytest
import yaml

from tests.deploy.board import GRAFANA, RULES, dashboard, queries
from tests.deploy.contract import METRICS

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    return dashboard()


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bforeshock_\w+", text))


def test_the_board_has_a_fixed_uid_and_no_id_of_another_grafana(board: dict[str, Any]) -> None:
    assert board["uid"] == "foreshock"
    assert "id" not in board
    assert "__inputs" not in board, "an export for sharing asks questions that provisioning cannot answer"
    assert board["schemaVersion"] >= 39


def test_panel_ids_are_unique(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def test_panels_do_not_overlap_and_fit_the_grid(board: dict[str, Any]) -> None:
    places = [(p["title"], p["gridPos"]) for p in board["panels"]]
    for title, g in places:
        assert 0 <= g["x"] < g["x"] + g["w"] <= 24, title
    for (one, a), (other, b) in itertools.combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], f"{one} lies on {other}"


def test_everything_asks_the_data_source_that_is_chosen_above(board: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["brand"]["datasource"] == SOURCE
    drawing = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert [panel["title"] for panel in drawing if panel["datasource"] != SOURCE] == []
    assert [panel["title"] for panel in drawing for target in panel["targets"] if target["datasource"] != SOURCE] == []
    assert [a["name"] for a in board["annotations"]["list"] if a["datasource"] != SOURCE] == []


def test_every_metric_of_the_contract_is_on_the_board_and_no_other(board: dict[str, Any]) -> None:
    assert metrics_in(" ".join(query.expr for query in queries(board))) == set(METRICS)


def test_the_rules_and_the_variables_ask_for_no_metric_outside_the_contract(board: dict[str, Any]) -> None:
    rules = yaml.safe_load(RULES.read_text())
    exprs = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    exprs += [variable["definition"] for variable in board["templating"]["list"] if "definition" in variable]
    assert metrics_in(" ".join(exprs)) <= set(METRICS)


def test_every_query_of_a_metric_with_a_brand_follows_the_chosen_brand(board: dict[str, Any]) -> None:
    for query in queries(board):
        for name, selector in re.findall(r"\b(foreshock_\w+)(\{[^}]*\})?", query.expr):
            if "brand" in METRICS[name]:
                assert 'brand=~"$brand"' in selector, f"{query.panel}: {query.expr}"


def test_no_query_adds_up_what_several_api_processes_export_alike(board: dict[str, Any]) -> None:
    for query in queries(board):
        aggregation = re.search(r"(\w+)(?: by \([^)]*\))? \((?:rate|increase)?\(?foreshock_", query.expr)
        aggregation = aggregation or re.search(r"(\w+)\(foreshock_", query.expr)
        assert aggregation is not None, query.expr
        assert aggregation[1] == "max", query.expr


def test_every_drawing_panel_has_a_title_a_sentence_and_distinct_queries(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references)), panel["title"]


def test_an_unknown_severity_is_not_shown_as_calm(board: dict[str, Any]) -> None:
    severity = next(panel for panel in board["panels"] if panel["title"] == "Crisis severity")
    defaults = severity["fieldConfig"]["defaults"]
    assert defaults["noValue"] == "unknown"
    assert set(defaults["mappings"][0]["options"]) == {"0", "1", "2", "3", "4", "5"}


def test_the_band_is_drawn_between_two_series_that_exist(board: dict[str, Any]) -> None:
    panel = next(panel for panel in board["panels"] if panel.get("repeat") == "brand")
    legends = {target["legendFormat"] for target in panel["targets"]}
    assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} == legends
    properties = [p for override in panel["fieldConfig"]["overrides"] for p in override["properties"]]
    assert [p["value"] for p in properties if p["id"] == "custom.fillBelowTo"] == ["expected"]


def test_the_provisioned_data_source_is_a_prometheus_with_a_fixed_uid_and_no_secret() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())
    (source,) = provisioned["datasources"]
    assert provisioned["apiVersion"] == 1
    assert source["type"] == "prometheus"
    assert source["uid"] == "foreshock-prometheus"
    assert "secureJsonData" not in source


def test_the_provisioned_boards_come_from_a_folder_of_files() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "foreshock.yml").read_text())
    (provider,) = provisioned["providers"]
    assert provisioned["apiVersion"] == 1
    assert provider["type"] == "file"
    assert provider["options"]["path"].startswith("/")
