"""What is missing is found from the event log alone, counted and sent; until all is well the heartbeat stands still."""

import json
import time
from collections.abc import Awaitable, Callable

from service import keys
from service.notify.auditor import OVERDUE
from service.store import Store
from tests.service.live import with_store
from tests.service.notify.tellers import DOWN, START, Desk, opened, then

TAG = keys.shard("acme")


def on(url: str, body: Callable[[Desk], Awaitable[None]]) -> None:
    async def run(store: Store) -> None:
        desk = Desk(store)
        await desk.configured()
        await desk.auditor.look()
        await body(desk)

    with_store(url, run)


async def audit(desk: Desk) -> tuple[int, float]:
    """Notices missed in one pass, and the heartbeat after it."""
    found = await desk.auditor.look()
    return found.missed, float(await desk.store.do("HGET", keys.AUDIT, "heartbeat"))


def test_all_is_well_while_notices_wait_and_after_they_arrived(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        desk.answers["system"] = lambda _: DOWN
        first = await opened(desk.store)
        await desk.turn()
        await then(desk.store, first, "episode.acknowledged", START)
        await desk.turn()
        assert await audit(desk) == (0, START)
        desk.answers.clear()
        await desk.until(START + 3600)
        assert desk.told("system")[-1] == "acknowledged"
        assert (await audit(desk))[0] == 0
        assert await desk.store.do("HLEN", keys.planned(TAG)) == 0, "what is settled is looked at no more"
        assert await audit(desk) == (0, desk.now)

    on(store_url, body)


def test_an_event_that_was_acknowledged_and_not_planned_is_told(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await opened(desk.store)
        ((stream, ((entry, _),)),) = await desk.store.read_group("notify", "buggy", [keys.events(TAG)], count=1)
        await desk.store.do("XACK", stream, "notify", entry)
        desk.now += 10
        assert await audit(desk) == (2, START)
        assert json.loads(await desk.store.do("HGET", keys.AUDIT, "why")) == ["2 notices were missing and are sent now"]
        await desk.turn()
        assert desk.told("pager") == desk.told("system") == ["opened"]
        assert await audit(desk) == (0, START + 10)
        assert await desk.store.do("HGET", keys.AUDIT, "missed") == b"2"

    on(store_url, body)


def test_a_notice_that_is_gone_without_an_end_is_put_in_again_and_no_other_twice(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        desk.answers["pager"] = lambda _: DOWN
        await opened(desk.store)
        await desk.turn()
        await desk.store.pipe([("DEL", keys.notices(TAG)), ("DEL", keys.due(TAG))])
        desk.answers.clear()
        assert (await audit(desk))[0] == 1
        await desk.turn()
        assert desk.told("pager") == ["opened", "opened"]
        assert desk.told("system") == ["opened"]
        assert (await audit(desk))[0] == 0

    on(store_url, body)


def test_a_notice_that_nobody_would_ever_find_due_is_put_in_again(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        desk.answers["pager"] = lambda _: DOWN
        await opened(desk.store)
        await desk.turn()
        await desk.store.do("DEL", keys.due(TAG))
        desk.answers.clear()
        assert (await audit(desk))[0] == 1
        await desk.turn()
        assert desk.told("pager") == ["opened", "opened"]

    on(store_url, body)


def test_the_heartbeat_stands_still_while_nobody_sends_what_is_due(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        await opened(desk.store)
        await desk.outbox.new()
        desk.now += OVERDUE + 1
        assert await audit(desk) == (0, START)
        assert "overdue" in json.loads(await desk.store.do("HGET", keys.AUDIT, "why"))[0]
        await desk.turn()
        assert await audit(desk) == (0, desk.now)

    on(store_url, body)


def test_what_came_before_the_first_audit_is_not_told_anew(store_url: str) -> None:
    async def body(store: Store) -> None:
        await opened(store)
        ((stream, ((entry, _),)),) = await store.read_group("notify", "older version", [keys.events(TAG)], count=1)
        await store.do("XACK", stream, "notify", entry)
        desk = Desk(store)
        await desk.configured()
        assert (await audit(desk))[0] == 0
        await desk.turn()
        assert desk.sent == []

    with_store(store_url, body)


def test_a_clock_that_was_set_back_makes_nothing_that_arrived_look_missing(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        ahead = f"{int(1000 * (time.time() + 3600))}-0"
        await desk.store.do("XADD", keys.events(TAG), ahead, "event", "")  # by the clock as it went before
        await desk.store.do("XDEL", keys.events(TAG), ahead)
        await opened(desk.store)
        await desk.turn()
        assert (await audit(desk))[0] == 0
        await desk.turn()
        assert desk.told("pager") == desk.told("system") == ["opened"]

    on(store_url, body)
