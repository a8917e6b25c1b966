"""What holds for every collector: nothing missed that the source still offers, nothing twice, on at the right place.

A collector takes part with a `Case` in tests/collectors/cases.py.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from collectors.collector import Batch, Collector, CollectorError, Limit, Paid
from collectors.limits import Limiter
from collectors.outbound import Outbound
from collectors.registry import SOURCES
from tests.collectors.case import Case
from tests.collectors.cases import CASES
from tests.collectors.networks import Reply

MOST_POLLS = 200
NO_SERVER = "this source has no server: what is torn or missing is in its own tests"
TIMEOUT, SHORT = 10.0, 0.3
"""Seconds of a request; of one that is never answered."""


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with CASES[request.param]() as found:
        yield found


def using(case: Case, body: Callable[[Collector], Awaitable[None]], limiter: Limiter | None = None) -> None:
    async def run() -> None:
        async with Outbound(frozenset({case.network.host}), timeout=TIMEOUT) as out:
            case.out = out
            await body(case.build(out.within(limiter) if limiter else out))

    asyncio.run(run())


async def poll(case: Case, collector: Collector, cursor: Mapping[str, Any], skew: float = 0.0) -> Batch:
    """Poll once; the cursor goes through JSON, as it does in the store."""
    now = case.now + timedelta(seconds=skew)
    price = collector.price(cursor, now) if isinstance(collector, Paid) else None
    batch = await collector.poll(json.loads(json.dumps(dict(cursor))), now)
    assert price is None or batch.cost <= price.most
    assert batch.complete_until is None or batch.complete_until <= now
    ids = [m.id for m in batch.mentions]
    assert len(ids) == len(set(ids)), "one batch names nothing twice"
    return batch


async def sweep(
    case: Case, collector: Collector, cursor: Mapping[str, Any] | None = None, skew: float = 0.0
) -> tuple[set[str], dict[str, Any]]:
    """Poll until there is no more; return what was told, and where to go on."""
    told, cursor = set[str](), dict(cursor or {})
    for _ in range(MOST_POLLS):
        batch = await poll(case, collector, cursor, skew)
        told |= given(batch)
        cursor = dict(batch.cursor)
        if not batch.more:
            return told, cursor
    raise AssertionError(f"still more after {MOST_POLLS} polls")


def given(batch: Batch) -> set[str]:
    return {m.id for m in batch.mentions} | {f"{c.start.isoformat()}={c.count:g}" for c in batch.counts if c.count}


def ago(case: Case, minutes: float) -> Any:
    return case.now - timedelta(minutes=minutes)


def test_every_source_has_a_case() -> None:
    assert {name.partition(":")[0] for name in CASES} >= SOURCES.keys()


def test_all_that_was_published_comes_in_however_many_pages(case: Case) -> None:
    async def body(collector: Collector) -> None:
        wanted = case.publish(230, ago(case, 5))
        told, cursor = await sweep(case, collector)
        assert told == set(wanted)
        assert len(json.dumps(dict(cursor))) < 300_000

    using(case, body)


def test_what_comes_later_is_told_from_where_the_last_poll_ended(case: Case) -> None:
    async def body(collector: Collector) -> None:
        first = case.publish(30, ago(case, 10))
        told, cursor = await sweep(case, collector)
        assert told == set(first)
        await sweep(case, collector, cursor)
        case.move(5)
        later = case.publish(130, ago(case, 3))
        told, _ = await sweep(case, collector, cursor)
        assert set(later) <= told <= set(first) | set(later)

    using(case, body)


def test_a_poll_that_was_not_stored_is_told_again(case: Case) -> None:
    """The process died between a batch and its cursor: what is told twice has the same identity and counts once."""

    async def body(collector: Collector) -> None:
        wanted = case.publish(130, ago(case, 5))
        once = await poll(case, collector, {})
        again = await poll(case, collector, {})
        assert given(once) == given(again)
        told, _ = await sweep(case, collector, again.cursor)
        assert told | given(again) == set(wanted)

    using(case, body)


def test_a_cursor_that_was_lost_begins_anew(case: Case) -> None:
    async def body(collector: Collector) -> None:
        wanted = case.publish(30, ago(case, 5))
        await sweep(case, collector)
        assert (await sweep(case, collector))[0] == set(wanted)

    using(case, body)


def test_repeated_and_reordered_posts_are_each_told(case: Case) -> None:
    if case.disorder is None:
        pytest.skip("this source has no order of its own")
    disorder = case.disorder

    async def body(collector: Collector) -> None:
        wanted = case.publish(230, ago(case, 5))
        disorder()
        assert (await sweep(case, collector))[0] == set(wanted)

    using(case, body)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, b"slow down", {"Retry-After": "30"}),
        Reply(429),
        Reply(500, b"<html>oops</html>"),
        Reply(403),
        Reply(hang=True),
        Reply(200, b"", length=100),
    ],
    ids=["429 with Retry-After", "429", "500", "403", "time-out", "broken off"],
)
def test_a_failure_takes_nothing_and_the_next_poll_goes_on(case: Case, reply: Reply) -> None:
    if not case.answers:
        pytest.skip(NO_SERVER)

    async def body(collector: Collector) -> None:
        first = case.publish(20, ago(case, 10))
        told, cursor = await sweep(case, collector)
        case.move(5)
        later = case.publish(20, ago(case, 3))
        case.network.failures.append(reply)
        assert case.out is not None
        case.out.timeout = SHORT if reply.hang else TIMEOUT
        with pytest.raises(CollectorError) as error:
            await sweep(case, collector, cursor)
        case.out.timeout = TIMEOUT
        assert len(str(error.value).splitlines()) == 1
        if "Retry-After" in reply.headers:
            assert error.value.retry_after == 30
        again, _ = await sweep(case, collector, cursor)
        assert told | again == {*first, *later}

    using(case, body)


def _half(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _other_charset(reply: Reply) -> Reply:
    kind = reply.headers.get("Content-Type", "application/json").partition(";")[0]
    return replace(
        reply, body=reply.body + b"\xff\xfe\x00", headers={**reply.headers, "Content-Type": f"{kind}; charset=utf-16"}
    )


def _nothing(reply: Reply) -> Reply:
    return replace(reply, body=b"")


def _a_list(reply: Reply) -> Reply:
    return replace(reply, body=b"[[1, null]]")


def _an_empty_object(reply: Reply) -> Reply:
    return replace(reply, body=b"{}")


@pytest.mark.parametrize("change", [_half, _other_charset, _nothing, _a_list, _an_empty_object])
def test_a_torn_or_misspelled_answer_loses_nothing(case: Case, change: Callable[[Reply], Reply]) -> None:
    """It is refused as a whole, or what can be read of it is told; what was not told comes with the next polls."""
    if not case.answers:
        pytest.skip(NO_SERVER)

    async def body(collector: Collector) -> None:
        wanted = case.publish(40, ago(case, 5))
        sound, told, cursor = case.network.answer, set[str](), dict[str, Any]()
        case.network.answer = lambda asked: change(sound(asked)) if sound(asked).body else sound(asked)  # type: ignore[method-assign]
        with contextlib.suppress(CollectorError):
            batch = await poll(case, collector, cursor)
            told, cursor = given(batch), dict(batch.cursor)
        case.network.answer = sound  # type: ignore[method-assign]
        case.move(5)
        wanted += case.publish(1, ago(case, 3))
        again, _ = await sweep(case, collector, cursor)
        assert told | again >= set(wanted)

    using(case, body)


@pytest.mark.parametrize("skew", [-60.0, 60.0])
def test_a_clock_that_is_off_by_a_minute_loses_nothing(case: Case, skew: float) -> None:
    async def body(collector: Collector) -> None:
        wanted = case.publish(20, ago(case, 10))
        told, cursor = set[str](), dict[str, Any]()
        with contextlib.suppress(CollectorError):  # a network may refuse to be asked for what is not yet
            told, cursor = await sweep(case, collector, skew=skew)
        case.move(10)
        wanted += case.publish(20, ago(case, 8))
        again, _ = await sweep(case, collector, cursor)
        assert told | again == set(wanted)

    using(case, body)


def test_a_limit_is_kept_and_said_and_nothing_is_lost_by_it(case: Case) -> None:
    if not case.outbound:
        pytest.skip("this source is listened to by a connection that stays")

    async def body(collector: Collector) -> None:
        wanted = case.publish(130, ago(case, 5))
        told: set[str] = set()
        cursor: Mapping[str, Any] = {}
        for _ in range(MOST_POLLS):
            try:
                batch = await poll(case, collector, cursor)
            except CollectorError as refused:
                if refused.retry_after is None or not refused.unpaid:
                    raise
                limiter.renew()
                continue
            told, cursor = told | given(batch), batch.cursor
            if not batch.more:
                break
        assert told == set(wanted)
        assert limiter.most <= 3

    limiter = _Counted(Limit(3, 86_400.0))
    using(case, body, limiter)


class _Counted(Limiter):
    """A limit whose window ends when the test says so."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self.most = self._now = 0

    def take(self, route: str, now: float) -> None:
        super().take(route, now)
        self._now += 1
        self.most = max(self.most, self._now)

    def renew(self) -> None:
        self._routes.clear()
        self._now = 0
