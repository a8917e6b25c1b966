"""A drill goes the way of a real crisis to the receivers, says whom it reached, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from collectors.outbound import Outbound
from service import keys, metrics
from service.__main__ import parser
from service.accuracy import ends
from service.brand import Brand, Webhook
from service.clock import SystemClock
from service.drill import Arrival, Report, revolt
from service.drill_command import run, shown
from service.episodes import Episodes
from service.notify.channel import CHANNEL
from service.notify.mute import Mute
from service.notify.route import Route
from service.notify.senders import senders
from service.notify.telling import Telling
from service.registry import Registry
from service.room import Room
from service.store import Store
from tests.acceptance.receiver import SECRET, Receiver, receiver
from tests.collectors.networks import Network, Reply
from tests.service.live import with_store
from tests.service.rest import KEY, serving
from tests.service.test_lease import episode

DEAD = "http://127.0.0.1:9/closed"


@asynccontextmanager
async def service(store: Store, to: Receiver, allow: str) -> AsyncIterator[httpx.AsyncClient]:
    """A service with a brand and a webhook, that tells."""
    registry = Registry(store)
    await registry.put_brand(Brand(name="acme", query="acme"))
    await registry.put_webhook(Webhook(name="hook", url=to.url, secret=SECRET))
    async with Outbound(frozenset({to.allowed, allow})) as out, serving(store) as client:
        telling = Telling(store, Registry(store), senders(out, {}, store), "http://board", "me")
        running = asyncio.create_task(telling.run())
        try:
            yield client
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def drilled(
    url: str, body: Callable[[httpx.AsyncClient, Store, Receiver], Awaitable[Any]], allow: str = "127.0.0.1:9"
) -> Any:
    async def run(store: Store) -> Any:
        with receiver() as to:
            async with service(store, to, allow) as client:
                return await body(client, store, to)

    return with_store(url, run)


async def drill(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/drills", json={"brand": "acme", **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_drill_reaches_the_receiver_and_says_when(store_url: str) -> None:
    async def body(client: httpx.AsyncClient, store: Store, to: Receiver) -> tuple[dict[str, Any], Any, list[Any]]:
        report = await drill(client)
        async with asyncio.timeout(20):
            while not to.events("episode.resolved"):
                await asyncio.sleep(0.01)
        return report, await Episodes(store).get(report["episode"]), list(to.events("episode.opened"))

    report, kept, events = drilled(store_url, body)
    ((hook),) = report["channels"]
    assert (hook["channel"], hook["outcome"]) == ("hook", "delivered")
    assert 0 <= hook["seconds"] < 30
    assert report["arrived"] is True
    assert [e["episode"]["drill"] for e in events] == [True]
    assert events[0]["episode"]["reason"].startswith("DRILL")
    assert (kept.state, kept.drill) == ("resolved", True)


def test_a_channel_that_refuses_or_waits_or_is_not_routed_is_named(store_url: str) -> None:
    async def body(client: httpx.AsyncClient, store: Store, _: Receiver) -> dict[str, Any]:
        registry = Registry(store)
        gone = {"type": "webhook", "name": "gone", "url": network.url, "secrets": [SECRET]}
        for to in (gone, *({"type": "slack", "name": name, "webhook_url": DEAD} for name in ("later", "unused"))):
            await registry.put_channel(CHANNEL.validate_python(to))
        escalate = [{"after_minutes": 10, "to": ["later"]}]
        await registry.put_route(Route.model_validate({"name": "r", "to": ["gone"], "escalate": escalate}))
        return await drill(client)

    with Network(lambda _: Reply(410)) as network:
        report = drilled(store_url, body, network.host)
    found = {one["channel"]: one for one in report["channels"]}
    assert found["hook"]["outcome"] == "delivered"
    assert (found["gone"]["outcome"], found["gone"]["detail"]) == ("lost", "the receiver answered 410")
    assert (found["later"]["outcome"], found["later"]["seconds"]) == ("later", 600.0)
    assert found["unused"]["outcome"] == "not told"
    assert report["arrived"] is False


def test_a_mute_holds_for_a_drill_as_for_a_crisis(store_url: str) -> None:
    async def body(client: httpx.AsyncClient, store: Store, _: Receiver) -> dict[str, Any]:
        registry = Registry(store)
        to = {"type": "slack", "name": "pr", "webhook_url": DEAD}
        await registry.put_channel(CHANNEL.validate_python(to))
        end = datetime(2099, 1, 1, tzinfo=UTC)
        await registry.put_mute(Mute.model_validate({"name": "quiet", "end": end, "reason": "a test"}))
        return await drill(client)

    found = [(one["channel"], one["outcome"]) for one in drilled(store_url, body)["channels"]]
    assert ("pr", "muted") in found


def test_a_drill_changes_nothing_of_the_brand(store_url: str) -> None:
    async def body(client: httpx.AsyncClient, store: Store, _: Receiver) -> tuple[list[Any], list[Any], dict[str, int]]:
        async def seen() -> list[Any]:
            page = await metrics.scrape(store, SystemClock(), Registry(store), Room(store))
            of_brand = [line for line in page.decode().splitlines() if 'brand="acme"' in line]
            own = await store.pipe([("HGETALL", keys.watch("acme")), ("HGETALL", keys.totals("acme"))])
            return [of_brand, own, (await Episodes(store).newest("acme", "crisis")).id]

        await Episodes(store).save(episode())
        before = await seen()
        await drill(client)
        return before, await seen(), await ends(store, "acme", 0.0)

    before, after, told = drilled(store_url, body)
    assert before == after
    assert told["delivered"] <= 1  # the real episode's


def test_a_drill_neither_hides_nor_is_hidden_by_a_crisis(store_url: str) -> None:
    async def body(store: Store) -> str | None:
        await Episodes(store).save(revolt("acme", datetime(2026, 3, 1, tzinfo=UTC)))
        await Episodes(store).save(episode())
        await Episodes(store).save(revolt("acme", datetime(2026, 3, 2, tzinfo=UTC)))
        newest = await Episodes(store).newest("acme", "crisis")
        return newest and newest.id

    assert with_store(store_url, body) == episode().id


def test_bad_input_gets_one_line(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def body(client: httpx.AsyncClient, _: Store, __: Receiver) -> list[int]:
        told = ({"brand": "globex"}, {"brand": "acme", "severity": 6}, {"brand": "acme", "seconds": 0})
        return [(await client.post("/v1/drills", json=one)).status_code for one in told]

    assert drilled(store_url, body) == [404, 422, 422]
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["drill", "acme", "--severity", "6"])
    assert ended.value.code == 2
    assert "severity" in capsys.readouterr().err


def test_the_command_drills_a_running_service(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def body(client: httpx.AsyncClient, _: Store, __: Receiver) -> list[int]:
        told = ["--url", str(client.base_url), "--key", KEY]
        asked = (["drill", "acme", *told], ["drill", "globex", *told])
        return [await asyncio.to_thread(run, parser().parse_args(one)) for one in asked]

    assert drilled(store_url, body) == [0, 2]
    said = capsys.readouterr()
    assert "  hook: delivered after " in said.out
    assert said.err.strip().startswith("foreshock drill: ")
    assert "there is no brand 'globex'" in said.err


def test_the_command_shows_a_line_for_each_channel() -> None:
    channels = [Arrival("pr", "delivered", 1.25, "posted"), Arrival("ops", "not told", None, "no route sends it there")]
    report = Report("ep_1", "acme", 4, "2026-03-01T00:00:00Z", channels)
    told = {**vars(report), "channels": [vars(one) for one in channels]}
    assert shown(told).splitlines() == [
        "drill ep_1 of acme, severity 4, is over",
        "  pr: delivered after 1.25 s: posted",
        "  ops: not told: no route sends it there",
    ]
    assert report.arrived
    assert not Report("ep_1", "acme", 4, "").arrived
