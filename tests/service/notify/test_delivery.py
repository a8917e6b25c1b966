"""What is told arrives once, in order, on its schedule, whatever fails in between: on a clock that the test moves."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from collectors.outbound import Outbound
from service import keys
from service.notify import delivery_log
from service.notify.channel import CHANNEL
from service.notify.dispatch import Dispatch, plain
from service.notify.due import LEASE
from service.notify.hours import Hours, QuietHours
from service.notify.notice import Message, Notice, Outcome
from service.notify.route import Level, Route
from service.notify.senders import IncidentSender
from service.store import Store
from tests.service.live import with_store
from tests.service.notify.tellers import DOWN, GOOD, START, Desk, opened, then

HOUR = 3600.0
DAY = 24 * HOUR


def on(url: str, body: Callable[[Desk], Awaitable[None]]) -> None:
    async def run(store: Store) -> None:
        desk = Desk(store)
        await body(desk)

    with_store(url, run)


async def log(desk: Desk, **bounds: str) -> list[tuple[str, str, int]]:
    """Channel, outcome and tries of what is in the delivery log, newest first."""
    found, _ = await delivery_log.page(desk.store, limit=200, **bounds)
    return [(one.channel, one.outcome, one.tries) for one in found]


def test_a_system_that_is_down_is_asked_again_when_standard_webhooks_says_and_then_given_up(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("system")
        desk.answers["system"] = lambda _: DOWN
        await opened(desk.store)
        await desk.turn()
        await desk.until(START + 5 * DAY)
        minutes, hours = 60.0, HOUR
        pauses = [5, 5 * minutes, 30 * minutes, 2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours]
        assert desk.times("system") == [sum(pauses[:n]) for n in range(10)]
        assert (await log(desk))[0] == ("system", "lost", 10)
        assert await log(desk, outcome="lost") == [("system", "lost", 10)]
        assert not await desk.jump()

    on(store_url, body)


def test_a_page_is_tried_four_times_in_the_first_minute_and_for_a_day(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("pager")
        desk.answers["pager"] = lambda _: DOWN
        await opened(desk.store)
        await desk.turn()
        await desk.until(START + 5 * DAY)
        times = desk.times("pager")
        assert times[:4] == [0, 10, 30, 60]
        assert 20 * HOUR < times[-1] < 25 * HOUR
        gaps = [round(b - a, 3) for a, b in pairwise(times)]
        assert gaps == sorted(gaps)
        assert len({n.id for _, n, _ in desk.sent}) == 1

    on(store_url, body)


def test_retry_after_is_honoured(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("pager", "system")
        for name in ("pager", "system"):
            answers = iter([Outcome("again", "429", after=90.0), GOOD])
            desk.answers[name] = lambda _, answers=answers: next(answers)  # type: ignore[misc]
        await opened(desk.store)
        await desk.turn()
        await desk.until(START + HOUR)
        assert desk.times("pager") == desk.times("system") == [0, 90]

    on(store_url, body)


def test_an_hour_of_a_receiver_that_is_down_loses_nothing_and_keeps_the_order(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured()
        for name in ("pager", "system"):
            desk.answers[name] = lambda _: DOWN if desk.now < START + HOUR else GOOD
        first = await opened(desk.store)
        await desk.turn()
        await desk.until(START + 600)
        worse = await then(desk.store, first, "episode.escalated", desk.now, severity=5)
        await desk.turn()
        await desk.until(START + 1200)
        await then(desk.store, worse, "episode.acknowledged", desk.now)
        await desk.turn()
        desk.sent.clear()
        desk.now = START + HOUR
        await desk.turn()
        await desk.until(START + 4 * HOUR)
        assert [kind for at, kind in _arrived(desk, "pager")] == ["opened", "escalated", "acknowledged"]
        assert [kind for at, kind in _arrived(desk, "system")] == ["opened", "escalated", "acknowledged"]
        assert await log(desk, outcome="lost") == []

    on(store_url, body)


def _arrived(desk: Desk, channel: str) -> list[tuple[float, str]]:
    some = [(at, n) for at, n, _ in desk.sent if n.channel == channel and at >= START + HOUR]
    return [(at, n.event.type.removeprefix("episode.")) for at, n in some]


def test_a_page_that_is_over_before_it_arrived_is_dropped_and_its_end_with_it(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured()
        desk.answers["pager"] = desk.answers["system"] = lambda _: DOWN
        first = await opened(desk.store)
        await desk.turn()
        await then(desk.store, first, "episode.resolved", START + 5)
        desk.answers.clear()
        desk.now = START + 6
        await desk.turn()
        await desk.until(START + DAY)
        assert desk.told("pager") == ["opened"]
        assert desk.told("system") == ["opened", "opened", "resolved"]
        assert await log(desk, outcome="dropped") == [("pager", "dropped", 0), ("pager", "dropped", 1)]

    on(store_url, body)


def test_the_end_of_what_may_have_arrived_is_told(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("pager")
        desk.answers["pager"] = lambda _: Outcome("again", "time-out", maybe=True)
        first = await opened(desk.store)
        await desk.turn()
        await then(desk.store, first, "episode.resolved", START + 5)
        desk.answers.clear()
        desk.now = START + 10
        await desk.turn()
        assert desk.told("pager") == ["opened", "resolved"]

    on(store_url, body)


def test_another_process_goes_on_when_the_lease_of_one_that_died_is_over(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("system")
        await opened(desk.store)
        await desk.outbox.new()
        assert await desk.dispatch._due.claim(keys.all_shards(), desk.now)  # and dies
        other = Desk(desk.store, name="other")
        other.now = START + LEASE - 1
        await other.turn()
        assert other.sent == []
        other.now = START + LEASE
        await other.turn()
        assert other.told("system") == ["opened"]
        assert await log(other) == [("system", "delivered", 1)]

    on(store_url, body)


def test_an_event_that_a_dead_process_took_is_planned_before_the_next_one(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("system")
        first = await opened(desk.store)
        stream = keys.events(keys.shard("acme"))
        assert await desk.store.read_group("notify", "gone", [stream], count=1)
        await then(desk.store, first, "episode.acknowledged", START)
        await desk.outbox.new()
        assert await desk.dispatch.turn() == 0
        await desk.outbox.left(0)
        await desk.outbox.left(0)
        await desk.turn()
        assert desk.told("system") == ["opened", "acknowledged"]

    on(store_url, body)


def test_two_processes_send_each_notice_once(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("system")
        other = Desk(desk.store, name="other")
        for n in range(20):
            await opened(desk.store, f"brand{n}")
        for one in (desk, other, desk, other):
            await one.turn()
        sent = [n.id for _, n, _ in [*desk.sent, *other.sent]]
        assert len(sent) == len(set(sent)) == 20

    on(store_url, body)


@pytest.mark.parametrize("state", ["episode.acknowledged", "episode.snoozed"])
def test_an_escalation_reaches_nobody_once_somebody_is_at_it(store_url: str, state: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured()
        levels = [Level(after_minutes=10, to=["system"])]
        await desk.registry.put_route(Route(name="first", to=["pager"], escalate=levels))
        first, second = await opened(desk.store), await opened(desk.store, "globex")
        await desk.turn()
        until = {"snoozed_until": datetime.fromtimestamp(START + DAY, UTC)} if state == "episode.snoozed" else {}
        await then(desk.store, first, state, START + 60, **until)  # type: ignore[arg-type]
        await desk.until(START + DAY)
        assert [n.event.brand for _, n, _ in desk.sent if n.channel == "system"] == [second.brand]
        assert desk.times("system") == [600]

    on(store_url, body)


def test_a_flood_is_told_together_but_what_is_severe_stands_for_itself(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("pager", per_minute=5)
        for n in range(12):
            await opened(desk.store, f"brand{n}")
        for n in range(2):
            await opened(desk.store, f"severe{n}", severity=5)
        await desk.turn()
        await desk.until(START + HOUR)
        told = [message for _, _, message in desk.sent]
        alone = [m for m in told if "severe" in m.title]
        (digest,) = [m for m in told if m not in alone]
        assert len(alone) == 2
        assert digest.title == "12 alerts"
        assert all(any(line.startswith(f"brand{n}:") for line in digest.lines) for n in range(12))
        assert len(await log(desk, outcome="delivered")) == 14

    on(store_url, body)


def test_a_channel_that_said_429_gets_one_message_once_it_may_be_asked_again(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("pager")
        desk.answers["pager"] = lambda _: Outcome("again", "429", after=30.0) if desk.now < START + 30 else GOOD
        await opened(desk.store)
        await desk.turn()
        for n in range(5):
            await opened(desk.store, f"brand{n}")
        await desk.turn()
        await desk.until(START + HOUR)
        assert desk.times("pager") == [0, 30]
        assert desk.sent[-1][2].title == "6 alerts"

    on(store_url, body)


def test_a_dead_channel_is_left_alone_and_keeps_no_other_waiting(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured()
        desk.answers["pager"] = lambda _: DOWN if desk.now < START + 600 else GOOD
        brands = 30
        for n in range(brands):
            await opened(desk.store, f"brand{n}", severity=5)
        await desk.turn()
        assert len(desk.told("system")) == brands
        await desk.until(START + 600)
        assert len(desk.told("pager")) < 60, "unbroken, each of them would be tried seven times"
        await desk.until(START + 2 * HOUR)
        assert len({n.id for at, n, _ in desk.sent if n.channel == "pager" and at >= START + 600}) == brands
        assert await log(desk, outcome="lost") == []

    on(store_url, body)


def test_a_refusal_for_good_is_lost_at_once_and_said(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("system")
        desk.answers["system"] = lambda _: Outcome("never", "https://ann:pw@system.example/a/b?c=d answered 410")
        await opened(desk.store)
        await desk.turn()
        ((one,), _) = await delivery_log.page(desk.store, channel="system")
        assert (one.outcome, one.detail) == ("lost", "https://system.example answered 410")
        assert await desk.store.do("HGET", keys.NOTIFICATIONS, f"webhook{keys.SEPARATOR}lost") == b"1"

    on(store_url, body)


def test_a_sender_that_breaks_keeps_nobody_from_being_told(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured()

        def breaks(_: Notice) -> Outcome:
            raise RuntimeError("secret")

        desk.answers["pager"] = breaks
        await opened(desk.store)
        await desk.turn()
        assert desk.told("system") == ["opened"]
        found, _ = await delivery_log.page(desk.store, channel="pager")
        assert [(one.outcome, one.detail) for one in found] == [("failed", "the sender failed: RuntimeError")]

    on(store_url, body)


def test_a_system_that_said_429_gets_all_when_it_may_be_asked_again_however_many(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("system", per_minute=2)
        desk.answers["system"] = lambda _: Outcome("again", "429", after=6.0) if desk.now < START + 6 else GOOD
        for n in range(10):
            await opened(desk.store, f"brand{n}")
        await desk.turn()
        desk.sent.clear()
        await desk.until(START + 6)
        assert len({n.id for _, n, _ in desk.sent}) == 10

    on(store_url, body)


def test_what_quiet_hours_kept_back_is_told_in_the_order_in_which_it_happened(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured("system")
        night = QuietHours(hours=[Hours(start="00:00", end="23:00")])
        await desk.registry.put_route(Route(name="days", to=["system"], events="all", quiet=night))
        brands = [f"brand{n}" for n in range(8)]
        for brand in brands:
            was = await opened(desk.store, brand)
            was = await then(desk.store, was, "episode.resolved", START + 60)
            await then(desk.store, was, "episode.reopened", START + 120)
        desk.now = START + 120
        await desk.turn()
        assert desk.sent == []
        await desk.until(START + DAY)
        for brand in brands:
            told = [n.event.type for _, n, _ in desk.sent if n.event.brand == brand]
            assert told == ["episode.opened", "episode.resolved", "episode.reopened"]

    on(store_url, body)


def test_services_that_keep_incidents_hear_of_each_episode_however_many_there_are(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        heard = []

        class Incidents(IncidentSender):
            async def send(self, notice: Notice, message: Message) -> Outcome:  # noqa: ARG002
                heard.append((notice.id, notice.event.brand))
                return GOOD

        fields = {"type": "apprise", "name": "duty", "url": "pagerduty://key@api", "per_minute": 5}
        await desk.registry.put_channel(CHANNEL.validate_python(fields))
        async with Outbound() as out:
            senders = {"apprise": lambda channel: Incidents(out, channel, {})}
            desk.dispatch = Dispatch(desk.store, desk.registry, senders, plain, lambda: desk.now)
            for n in range(12):
                await opened(desk.store, f"brand{n}")
            await desk.turn()
            await desk.until(START + HOUR)
        assert {brand for _, brand in heard} == {f"brand{n}" for n in range(12)}
        assert len(heard) == len({notice for notice, _ in heard}) == 12

    on(store_url, body)


def test_processes_that_are_gone_are_forgotten_but_not_what_they_took(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        stream = keys.events(keys.shard("acme"))
        await opened(desk.store)
        assert await desk.store.read_group("notify", "took one", [stream], count=1)
        assert not await desk.store.read_group("notify", "took none", [stream], count=1)
        await desk.outbox.new()
        await desk.outbox.forget(0)
        found = await desk.store.do("XINFO", "CONSUMERS", stream, "notify")
        assert {one[b"name"] for one in found} == {b"took one", b"me"}

    on(store_url, body)


def test_what_was_snoozed_and_goes_on_escalates_from_when_it_was_paged_again(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured()
        levels = [Level(after_minutes=30, to=["system"])]
        await desk.registry.put_route(Route(name="first", to=["pager"], escalate=levels))
        was = await opened(desk.store)
        await desk.turn()
        until = datetime.fromtimestamp(START + 600, UTC)
        was = await then(desk.store, was, "episode.snoozed", START + 60, snoozed_until=until)
        await then(desk.store, was, "episode.woken", START + 600)
        await desk.until(START + DAY)
        assert desk.times("system") == [600 + 30 * 60]

    on(store_url, body)


def test_no_receiver_can_put_a_channel_off_for_longer_than_a_day(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.configured()
        for name in ("pager", "system"):
            answers = iter([Outcome("again", "429", after=1e9)])
            desk.answers[name] = lambda _, answers=answers: next(answers, GOOD)  # type: ignore[misc]
        await opened(desk.store)
        await desk.turn()
        await opened(desk.store, "globex")
        await desk.turn()
        await desk.until(START + 2 * DAY)
        assert desk.times("pager") == [0, DAY]
        assert desk.times("system") == [0, DAY, DAY]
        assert await log(desk, outcome="lost") == []

    on(store_url, body)
