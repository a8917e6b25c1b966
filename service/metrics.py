"""`/metrics` on a port of its own: read from the store at the scrape, so that every process shows the same."""

import functools
import time
from collections import defaultdict
from collections.abc import Iterator

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service import keys
from service.backlog import ingest_families
from service.clock import Clock
from service.exposition import CONTENT_TYPE, Family, exposition, labelled
from service.ledger import Ledger
from service.registry import Registry
from service.room import Room
from service.store import Store

SHARDS_AT_ONCE = 16
"""Shards read in one round trip: at 10,000 brands some 600, so that requests are served in between."""
TOTALS = "local found = {} for i, key in ipairs(KEYS) do found[i] = redis.call('HGETALL', key) end return found"
"""One command a shard instead of one a brand: sending 10,000 costs four times as much as all the rest."""


class State(msgspec.Struct):
    """What is shown of a brand's state of the last tick; {} where it was not looked at yet."""

    window_mentions: float | None = None
    expected: float | None = None
    expected_upper: float | None = None
    negative_share: float | None = None
    severity: float | None = None
    scores: dict[str, float | None] = {}
    praise: float | None = None
    completeness: dict[str, float | None] = {}


_state = msgspec.json.Decoder(State)
_told = msgspec.json.Decoder(dict[str, object])


def app(store: Store, clock: Clock, registry: Registry, room: Room) -> Starlette:
    """Return the little web application that answers `/metrics`."""

    async def metrics(_: Request) -> Response:
        return Response(await scrape(store, clock, registry, room), headers={"Content-Type": CONTENT_TYPE})

    return Starlette(routes=[Route("/metrics", metrics)])


async def scrape(store: Store, clock: Clock, registry: Registry, room: Room) -> bytes:
    """Read everything that `/metrics` shows."""
    await registry.refresh()
    full = Family("foreshock_store_used_ratio", "gauge", "Part of the store's memory in use, of its fullest server")
    full.add(room.used)
    found = [*await _brand_families(store, list(registry.brands)), *await ingest_families(store), full]
    return exposition([*found, *await _source_families(store, await clock.now())])


async def _brand_families(store: Store, brands: list[str]) -> list[Family]:
    shown = _Brands()
    by_shard = defaultdict(list)
    for brand in brands:
        by_shard[keys.shard(brand)].append(brand)
    groups = list(by_shard.values())
    for i in range(0, len(groups), SHARDS_AT_ONCE):
        some = groups[i : i + SHARDS_AT_ONCE]
        commands = [
            command
            for names in some
            for command in (
                ("EVAL_RO", TOTALS, len(names), *map(keys.totals, names)),
                ("MGET", *map(keys.state, names)),
            )
        ]
        answers = iter(await store.pipe(commands))
        for names in some:
            for brand, totals, state in zip(names, next(answers), next(answers), strict=True):
                shown.add(brand, totals, _state.decode(state) if state else State())
    return shown.families


class _Brands:
    def __init__(self) -> None:
        self.mentions = Family("foreshock_mentions_total", "counter", "Mentions counted, by sentiment; never falls")
        self.deleted = Family("foreshock_deleted_mentions_total", "counter", "Mentions taken out again")
        self.window = Family("foreshock_window_mentions", "gauge", "Mentions in the last hour")
        self.expected = Family("foreshock_expected_mentions", "gauge", "Mentions expected in the last hour")
        self.upper = Family(
            "foreshock_expected_mentions_upper", "gauge", "Upper end of the 95 % interval of the expected mentions"
        )
        self.negative = Family(
            "foreshock_negative_share", "gauge", "Share of negative among the scored mentions of the last hour, 0-1"
        )
        self.severity = Family("foreshock_episode_severity", "gauge", "Severity of the open crisis, 0 none, 1-5")
        self.score = Family("foreshock_anomaly_score", "gauge", "Score 0-100, 50 pages")
        self.complete = Family(
            "foreshock_completeness_ratio", "gauge", "Share of the last hour that the source has told"
        )
        self.families = [found for found in vars(self).values() if isinstance(found, Family)]

    def add(self, brand: str, totals: list[bytes], state: State) -> None:
        """Add a brand: its totals as field, value, field, value, and its state."""
        of = labelled(brand=brand)
        for name, value in zip(totals[::2], totals[1::2], strict=True):
            taken_out, rest = _source_and_sentiment(name)
            (self.deleted if taken_out else self.mentions).add_labelled(of + rest, value.decode())
        for family, number in (
            (self.window, state.window_mentions),
            (self.expected, state.expected),
            (self.upper, state.expected_upper),
            (self.negative, state.negative_share),
            (self.severity, state.severity or 0.0),
        ):
            if number is not None:
                family.add_labelled(of, number)
        for detector, score in (*state.scores.items(), ("advocates", state.praise)):
            if score is not None:  # nothing is known of these minutes
                self.score.add_labelled(f'{of},detector="{detector}"', score)
        for source, ratio in state.completeness.items():
            if ratio is not None:
                self.complete.add_labelled(f'{of},source="{source}"', ratio)


@functools.lru_cache(maxsize=4096)
def _source_and_sentiment(name: bytes) -> tuple[bool, str]:
    """Return whether a field of totals counts deletions, and the labels it adds."""
    source, _, sentiment = name.decode().partition(keys.SEPARATOR)
    if sentiment == "deleted":
        return True, f",{labelled(source=source)}"
    return False, f",{labelled(source=source, sentiment=sentiment)}"


async def _source_families(store: Store, now: float) -> list[Family]:
    collectors, costs, sent, audit = await store.pipe(
        [
            ("HVALS", keys.COLLECTORS),
            ("HGETALL", keys.COSTS),
            ("HGETALL", keys.NOTIFICATIONS),
            ("HMGET", keys.AUDIT, "heartbeat", "missed"),
        ]
    )
    lag = Family("foreshock_collector_lag_seconds", "gauge", "Seconds since up to when the source is complete")
    for source, until in _complete_until(collectors):
        lag.add(max(now - until, 0.0), source=source)
    cost = Family("foreshock_collector_cost_dollars_total", "counter", "Dollars spent on reading")
    for name, value in costs.items():
        cost.add(float(value), source=name.decode())
    forecast = Family("foreshock_collector_forecast_dollars", "gauge", "Dollars that this month will cost at this rate")
    bill: dict[str, float] = defaultdict(float)
    for one in await Ledger(store).spent(now):
        bill[one.source] += one.forecast
    for name, dollars in bill.items():
        forecast.add(dollars, source=name)
    told = Family("foreshock_notifications_total", "counter", "Notifications by outcome")
    for name, value in sent.items():
        channel, outcome = name.decode().split(keys.SEPARATOR)
        told.add(float(value), channel=channel, outcome=outcome)
    beat = Family("foreshock_auditor_heartbeat_seconds", "gauge", "Seconds since an audit of deliveries found all well")
    if audit[0] is not None:
        beat.add(max(time.time() - float(audit[0]), 0.0))
    missed = Family("foreshock_notifications_missed_total", "counter", "Notices that the auditor found missing")
    missed.add(float(audit[1] or 0))
    return [lag, cost, forecast, told, beat, missed]


def _complete_until(collectors: list[bytes]) -> Iterator[tuple[str, float]]:
    """Return up to when each source is complete: as its collector that is furthest behind."""
    latest: dict[str, float] = {}
    for value in collectors:
        told = _told.decode(value)
        if told.get("complete_until") is not None:
            until, source = float(str(told["complete_until"])), str(told["source"])
            latest[source] = min(latest.get(source, until), until)
    yield from latest.items()
