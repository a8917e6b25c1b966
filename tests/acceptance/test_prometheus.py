"""A real Prometheus scrapes the running service: board and rules get their data, and nobody's words get out."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.receiver import SECRET, receiver
from tests.acceptance.running import KEY, Service, running
from tests.acceptance.scenes import START, quiet, revolt
from tests.acceptance.test_whole_way import play
from tests.collectors.networks import XNetwork
from tests.deploy.board import RULES, Query, dashboard, queries
from tests.deploy.contract import EXPORTED, WHERE_BEHIND
from tests.deploy.prometheus import Prometheus, Sample, program, prometheus
from tests.until import until

DEADLINE = 60.0
ONSET = START + timedelta(hours=36)
END = ONSET + timedelta(minutes=90)
TOKEN = "let-me-in"
SECRETS = (KEY, TOKEN, SECRET, SECRET.removeprefix("whsec_"))
BRANDS = f"""\
brands:
  - name: acme-air
    query: '"acme air"'
  - name: bought-brand
    query: boughtbrand
    sources: [{{type: x}}]
webhooks:
  - name: pager
    url: http://127.0.0.1:PORT/hook
    secret: {SECRET}
"""
VALUES = {
    "brand": {"acme-air", "bought-brand"},
    "source": {"x", "reddit"},
    "sentiment": {"negative", "neutral", "positive", "unscored"},
    "detector": {"volume", "negativity", "revolt", "voice"},
    "channel": {"webhook"},
    "outcome": {"delivered", "failed"},
    "kind": {"annotate", "count", "kill", "read"},
    "shard": {f"s{n:03d}" for n in range(256)},
}
"""All that labels may say here: no text, no author, no address, no name of a receiver."""


@dataclass(frozen=True)
class Scene:
    """A service amid a revolt, and the Prometheus that has scraped it from the start."""

    service: Service
    prom: Prometheus
    posted: int

    def answer(self, expr: str) -> list[Sample]:
        """What `expr` gives once it gives something: a busy machine misses a scrape."""
        return until(lambda: self.prom.query(expr), DEADLINE, f"data for {expr}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A day and a half of calm, a revolt, a deleted mention, a source that costs money, and a receiver."""
    folder = tmp_path_factory.mktemp("prometheus")
    with receiver() as hook, XNetwork(START) as network:
        network.post(START - timedelta(minutes=9), "boughtbrand is fine")
        (folder / "foreshock.yaml").write_text(BRANDS.replace("PORT", str(hook.port)))
        env = {"X_BASE_URL": network.url, "X_BEARER_TOKEN": TOKEN, "ALLOW_HOSTS": f"{hook.allowed},{network.host}"}
        environment = {f"FORESHOCK_{name}": value for name, value in env.items()}
        arguments = ("--config", str(folder / "foreshock.yaml"), "--replay-clock", START.isoformat())
        with (
            running(folder / "data", *arguments, **environment) as service,
            service.client() as client,
            prometheus(f"127.0.0.1:{service.metrics_port}", RULES) as prom,
        ):
            until(lambda: "foreshock_collector_cost_dollars_total{" in service.metrics(), DEADLINE, "what X costs")
            told = sorted([*quiet(40, 1.0), *revolt(ONSET, 90, 15)], key=lambda mention: str(mention["published_at"]))
            posted = [mention for mention in told if mention["published_at"] < END.isoformat()]
            before = [mention for mention in posted if mention["published_at"] < ONSET.isoformat()]
            play(client, before, ONSET, timedelta(hours=1))
            gone = {**before[0], "deleted": True, "updated_at": ONSET.isoformat()}
            client.post("/v1/mentions", json=gone).raise_for_status()
            play(client, posted[len(before) :], END, timedelta(minutes=5))
            until(lambda: hook.events("episode.opened"), DEADLINE, "the page")
            yield Scene(service, prom, len(posted))


@pytest.mark.timeout(300)
def test_the_service_exports_what_the_contract_lists_with_its_labels_and_nothing_else(scene: Scene) -> None:
    exported = [sample for sample in _samples(scene.service.metrics()) if sample[0] not in WHERE_BEHIND]
    assert {name: set(labels) for name, labels, _ in exported} == {name: set(of) for name, of in EXPORTED.items()}


def test_the_exposition_passes_promtool(scene: Scene) -> None:
    command = [program("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=scene.service.metrics(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_secret_no_text_and_no_author_gets_out(scene: Scene) -> None:
    text = scene.service.metrics()
    assert [secret for secret in SECRETS if secret in text] == []
    assert [(n, v) for n, labels, _ in _samples(text) for k, v in labels.items() if v not in VALUES[k]] == []


def test_all_that_was_posted_is_counted_by_prometheus_and_what_was_deleted_beside_it(scene: Scene) -> None:
    def counts() -> tuple[float, float]:
        found = scene.answer('sum(foreshock_mentions_total{brand="acme-air"})')
        return found[0].value, scene.answer('sum(foreshock_deleted_mentions_total{brand="acme-air"})')[0].value

    until(lambda: counts() == (scene.posted, 1), DEADLINE, f"{scene.posted} mentions and one deletion")


@pytest.mark.parametrize("query", queries(dashboard()), ids=lambda query: query.panel)
def test_every_expression_of_the_board_returns_data(scene: Scene, query: Query) -> None:
    assert scene.answer(query.filled)


@pytest.mark.parametrize("query", [q for q in queries(dashboard()) if "$brand" in q.expr], ids=lambda q: q.panel)
def test_every_expression_on_brands_returns_data_of_the_brand_that_is_chosen(scene: Scene, query: Query) -> None:
    samples = scene.answer(query.filled.replace(".+", "acme-air"))
    assert {sample.labels.get("brand", "acme-air") for sample in samples} == {"acme-air"}


def test_every_rule_is_healthy_and_the_crisis_fires_with_its_severity(scene: Scene) -> None:
    rules = {rule["name"] for rule in scene.prom.rules()}
    until(lambda: {rule["health"] for rule in scene.prom.rules()} == {"ok"}, DEADLINE, "the rules' health")
    written = yaml.safe_load(Path(RULES).read_text())
    assert rules == {rule["alert"] for group in written["groups"] for rule in group["rules"]}
    until(lambda: "ForeshockCrisis" in _firing(scene), DEADLINE, "the alert")
    (episode,) = _open(scene.service)
    assert _firing(scene)["ForeshockCrisis"] == {("brand", "acme-air"), ("severity", "critical"), ("team", "pr")}
    shown = scene.answer('foreshock_episode_severity{brand="acme-air"}')[0].value
    assert shown == episode["severity"] >= 1


def _samples(text: str) -> list[tuple[str, dict[str, str], float]]:
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def _firing(scene: Scene) -> dict[str, set[tuple[str, str]]]:
    """Labels by name of the alerts that fire."""
    alerts = [alert["labels"] for alert in scene.prom.alerts() if alert["state"] == "firing"]
    return {labels["alertname"]: {pair for pair in labels.items() if pair[0] != "alertname"} for labels in alerts}


def _open(service: Service) -> list[dict[str, Any]]:
    with service.client() as client:
        found: list[dict[str, Any]] = client.get("/v1/episodes", params={"brand": "acme-air"}).json()["items"]
    return [episode for episode in found if episode["kind"] == "crisis"]
