"""A real Prometheus understands every expression of board and rules, and gets data from what the service exports."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.board import GRAFANA, RULES, dashboard, queries
from tests.deploy.contract import METRICS
from tests.deploy.exporter import LABELS, Exporter, exporter
from tests.deploy.prometheus import Prometheus, Sample, alertmanager, program, prometheus
from tests.until import until

FOLDER = RULES.parent
DEADLINE = 30.0
"""Seconds; two scrapes are enough and come within one."""


def rule_exprs() -> dict[str, str]:
    rules = yaml.safe_load(RULES.read_text())
    return {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}


@pytest.mark.parametrize(
    "command",
    [
        ["promtool", "check", "rules", "foreshock.rules.yml"],
        ["promtool", "check", "config", "prometheus.yml"],
        ["promtool", "test", "rules", "foreshock.rules.test.yml"],
        ["amtool", "check-config", "alertmanager.yml"],
    ],
    ids=lambda command: " ".join(command),
)
def test_the_tools_of_prometheus_accept(command: list[str]) -> None:
    done = subprocess.run([program(command[0]), *command[1:]], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_held_by_a_unit_test() -> None:
    tests = (FOLDER / "foreshock.rules.test.yml").read_text()
    assert [alert for alert in rule_exprs() if alert not in tests] == []


def test_the_exposition_passes_promtool() -> None:
    with exporter() as service:
        text = httpx.get(f"http://{service.target}/metrics").text
    done = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def scraped() -> Iterator[tuple[Exporter, Prometheus]]:
    """One Prometheus for the tests that change no counter: its first scrape comes five seconds after its start."""
    with exporter() as service, prometheus(service.target, RULES) as prom:
        yield service, prom


def test_every_expression_of_the_board_returns_data_with_the_labels_of_its_legend(
    scraped: tuple[Exporter, Prometheus],
) -> None:
    service, prom = scraped
    service.set("foreshock_episode_severity", 2)  # the annotation marks crises
    for query in queries(dashboard()):
        samples = answer(prom, query.filled)
        assert set(samples[0].labels) == set(re.findall(r"\{\{(\w+)\}\}", query.legend)), query


@pytest.mark.parametrize("name", METRICS)
def test_the_metric_arrives_with_the_labels_of_the_contract(scraped: tuple[Exporter, Prometheus], name: str) -> None:
    (sample,) = answer(scraped[1], name)
    assert {label: sample.labels[label] for label in METRICS[name]} == {label: LABELS[label] for label in METRICS[name]}


def test_a_wrong_expression_is_refused_with_a_sentence(scraped: tuple[Exporter, Prometheus]) -> None:
    with pytest.raises(ValueError, match="parse error"):
        scraped[1].query("max by (brand")


def test_in_calm_every_rule_is_healthy_and_none_holds(scraped: tuple[Exporter, Prometheus]) -> None:
    service, prom = scraped
    service.set("foreshock_episode_severity", 0)
    service.set("foreshock_completeness_ratio", 1)
    until(lambda: value(prom, "foreshock_completeness_ratio") == 1, DEADLINE)
    until(lambda: {rule["health"] for rule in prom.rules()} == {"ok"}, DEADLINE)
    assert [alert for alert, expr in rule_exprs().items() if prom.query(expr)] == []


def test_in_trouble_every_rule_holds_and_the_crisis_fires_at_once() -> None:
    with exporter() as service, prometheus(service.target, RULES) as prom:
        until(lambda: value(prom, "foreshock_notifications_total") == 0, DEADLINE)
        service.set("foreshock_episode_severity", 2)
        service.set("foreshock_completeness_ratio", 0.2)
        service.set("foreshock_collector_lag_seconds", 3600)
        service.set("foreshock_ingest_max_lag_seconds", 3600)
        service.set("foreshock_store_used_ratio", 0.95)
        service.set("foreshock_auditor_heartbeat_seconds", 3600)
        service.inc("foreshock_notifications_total")
        service.inc("foreshock_notifications_missed_total")
        for alert, expr in rule_exprs().items():
            if alert != "ForeshockDown":
                answer(prom, expr)
        until(lambda: firing(prom, "ForeshockCrisis"), DEADLINE)
        crisis = firing(prom, "ForeshockCrisis")
        labels = {"alertname": "ForeshockCrisis", "brand": "acme-air", "severity": "critical", "team": "pr"}
        assert crisis["labels"] == labels
        assert crisis["annotations"]["summary"] == "acme-air: a crisis is under way, severity 2 of 5"


def test_a_service_that_does_not_answer_is_down() -> None:
    with exporter() as service:
        target = service.target
    with prometheus(target, rules=RULES) as prom:
        until(lambda: value(prom, "up") == 0, DEADLINE)
        assert len(prom.query(rule_exprs()["ForeshockDown"])) == 1


def test_an_escalation_sends_no_second_page_and_the_end_sends_one_resolution() -> None:
    with receiver() as (url, pages), exporter() as service:
        config = yaml.safe_load((GRAFANA / "prometheus" / "alertmanager.yml").read_text())
        for to in config["receivers"]:
            to["webhook_configs"][0]["url"] = f"{url}/{to['name']}"
        config["route"]["group_interval"] = "1s"
        with alertmanager(config) as at, prometheus(service.target, RULES, at):
            service.set("foreshock_completeness_ratio", 1)
            service.set("foreshock_episode_severity", 2)
            until(lambda: pages, DEADLINE)
            service.set("foreshock_episode_severity", 4)
            until(lambda: any("severity 4" in a["annotations"]["summary"] for a in known(at)), DEADLINE)
            service.set("foreshock_episode_severity", 0)
            until(lambda: len(pages) > 1, DEADLINE)
    assert [(page["receiver"], page["status"], len(page["alerts"])) for page in pages] == [
        ("pr", "firing", 1),
        ("pr", "resolved", 1),
    ]


def answer(prom: Prometheus, expr: str) -> list[Sample]:
    """What `expr` gives once it gives something."""
    until(lambda: prom.query(expr), DEADLINE)
    return prom.query(expr)


def value(prom: Prometheus, metric: str) -> float | None:
    samples = prom.query(metric)
    return samples[0].value if samples else None


def firing(prom: Prometheus, name: str) -> dict[str, Any]:
    found = [a for a in prom.alerts() if a["labels"]["alertname"] == name and a["state"] == "firing"]
    return found[0] if found else {}


def known(address: str) -> list[dict[str, Any]]:
    alerts: list[dict[str, Any]] = httpx.get(f"http://{address}/api/v2/alerts").json()
    return alerts


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook that keeps what Alertmanager sends."""
    pages: list[dict[str, Any]] = []

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", pages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
