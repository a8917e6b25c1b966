"""`/metrics` on a port of its own: read from the store at the scrape, so that every process shows the same."""

import json
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service import keys
from service.clock import Clock
from service.registry import Registry, states
from service.store import Store


class _Families:
    """A registry's collector over families that were made before."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def app(store: Store, clock: Clock, registry: Registry) -> Starlette:
    """Return the little web application that answers `/metrics`."""

    async def metrics(_: Request) -> Response:
        found = CollectorRegistry(auto_describe=False)
        found.register(_Families(await families(store, clock, registry)))
        return PlainTextResponse(generate_latest(found), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/metrics", metrics)])


async def families(store: Store, clock: Clock, registry: Registry) -> list[Metric]:
    """Read everything that `/metrics` shows."""
    await registry.refresh()
    brands = list(registry.brands)
    totals = await store.pipe([("HGETALL", keys.totals(b)) for b in brands])
    shared = await store.pipe(
        [("HGETALL", keys.COLLECTORS), ("HGETALL", keys.COSTS), ("HGETALL", keys.NOTIFICATIONS)]
        + [("XLEN", keys.ingest(tag)) for tag in keys.all_shards()]
    )
    found = _brand_families(brands, totals, await states(store, brands))
    found += _source_families(shared[0], shared[1], await clock.now())
    sent = CounterMetricFamily("foreshock_notifications", "Notifications by outcome", labels=["channel", "outcome"])
    for name, value in shared[2].items():
        sent.add_metric(name.decode().split(keys.SEPARATOR), float(value))
    found.append(sent)
    found.append(
        GaugeMetricFamily("foreshock_ingest_backlog_entries", "Batches that wait to be counted", sum(shared[3:]))
    )
    return found


def _brand_families(brands: list[str], totals: list[Any], state: dict[str, dict[str, Any]]) -> list[Metric]:
    mentions = CounterMetricFamily(
        "foreshock_mentions", "Mentions counted, by sentiment; never falls", labels=["brand", "source", "sentiment"]
    )
    deleted = CounterMetricFamily("foreshock_deleted_mentions", "Mentions taken out again", labels=["brand", "source"])
    gauges = {
        key: GaugeMetricFamily(f"foreshock_{name}", text, labels=["brand"])
        for key, name, text in (
            ("window_mentions", "window_mentions", "Mentions in the last hour"),
            ("expected", "expected_mentions", "Mentions expected in the last hour"),
            ("expected_upper", "expected_mentions_upper", "Upper end of the 95 % interval of the expected mentions"),
            ("negative_share", "negative_share", "Share of negative among the scored mentions of the last hour, 0-1"),
            ("severity", "episode_severity", "Severity of the open crisis, 0 none, 1-5"),
        )
    }
    score = GaugeMetricFamily("foreshock_anomaly_score", "Score 0-100, 50 pages", labels=["brand", "detector"])
    complete = GaugeMetricFamily(
        "foreshock_completeness_ratio", "Share of the last hour that the source has told", labels=["brand", "source"]
    )
    for brand, counted in zip(brands, totals, strict=True):
        for name, value in counted.items():
            source, _, sentiment = name.decode().partition(keys.SEPARATOR)
            if sentiment == "deleted":
                deleted.add_metric([brand, source], float(value))
            else:
                mentions.add_metric([brand, source, sentiment], float(value))
        now = state[brand]
        for key, gauge in gauges.items():
            if key == "severity" or now.get(key) is not None:
                gauge.add_metric([brand], float(now.get(key) or 0.0))
        for detector, value in (now.get("scores") or {}).items():
            if value is not None:  # nothing is known of these minutes
                score.add_metric([brand, detector], float(value))
        for source, value in (now.get("completeness") or {}).items():
            complete.add_metric([brand, source], float(value))
    return [mentions, deleted, *gauges.values(), score, complete]


def _source_families(collectors: dict[bytes, bytes], costs: dict[bytes, bytes], now: float) -> list[Metric]:
    lag = GaugeMetricFamily(
        "foreshock_collector_lag_seconds", "Seconds since up to when the source is complete", labels=["source"]
    )
    latest: dict[str, float] = {}
    for value in collectors.values():
        told = json.loads(value)
        if told.get("complete_until") is not None:
            until = float(told["complete_until"])
            latest[told["source"]] = min(latest.get(told["source"], until), until)
    for source, until in latest.items():
        lag.add_metric([source], max(now - until, 0.0))
    cost = CounterMetricFamily("foreshock_collector_cost_dollars", "Dollars spent on reading", labels=["source"])
    for name, value in costs.items():
        cost.add_metric([name.decode()], float(value))
    return [lag, cost]
