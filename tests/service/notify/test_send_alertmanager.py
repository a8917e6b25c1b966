"""An Alertmanager holds one alert an episode, for as long as the episode is open, whoever restarts."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from collectors.outbound import Outbound
from service import keys
from service.episode import Event
from service.episodes import Episodes
from service.lease import Lease
from service.notify.channel import CHANNEL
from service.notify.notice import Message, Notice, Outcome
from service.notify.route import Route
from service.notify.send_alertmanager import AlertmanagerSender
from service.notify.senders import senders
from service.notify.standing import Standing
from service.registry import Registry
from service.store import Store
from tests.collectors.networks import Network, Reply
from tests.deploy.prometheus import alertmanager
from tests.service.live import with_store
from tests.service.notify.letters import event, notice, words
from tests.service.test_lease import AT, episode

QUIET = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}


@dataclass
class Desk:
    """What sends to one Alertmanager, and tells it again what stands."""

    store: Store
    sender: AlertmanagerSender
    standing: Standing


def at(url: str, host: str, body: Callable[[Desk], Awaitable[Any]], **fields: Any) -> Any:
    async def run(store: Store) -> Any:
        async with Outbound(frozenset({host}), timeout=5) as out:
            ways, registry = senders(out, {}, store), Registry(store)
            to = CHANNEL.validate_python({"type": "alertmanager", "name": "am", "url": f"http://{host}", **fields})
            await registry.put_channel(to)
            sender = ways["alertmanager"](to)
            assert isinstance(sender, AlertmanagerSender)
            standing = Standing(store, registry, ways, words, Lease(store, "me", "standing"))
            return await body(Desk(store, sender, standing))

    return with_store(url, run)


def alerts(host: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"http://{host}/api/v2/alerts", trust_env=False).json()
    return found


def told(kind: str = "episode.opened", **change: Any) -> tuple[Notice, Any]:
    of = event(kind, **change)
    return notice(of, "am"), words(of)


def test_a_real_alertmanager_holds_one_alert_from_opening_to_end(store_url: str) -> None:
    async def body(desk: Desk) -> list[list[dict[str, Any]]]:
        seen = []
        for one in (told(), told("episode.escalated", detector="volume"), told("episode.resolved", detector="volume")):
            assert await desk.sender.send(*one) == Outcome("delivered", "200")
            seen.append(alerts(host))
        return seen

    with alertmanager(QUIET) as host:
        opened, escalated, resolved = at(store_url, host, body)
    (alert,) = opened
    assert alert["labels"] == {
        "alertname": "ForeshockEpisode", "brand": "acme", "kind": "crisis", "detector": "revolt",
    }  # fmt: skip
    assert alert["annotations"]["severity"] == "3"
    assert alert["generatorURL"].startswith("http://board.example/#ep_")
    assert [a["fingerprint"] for a in escalated] == [alert["fingerprint"]]
    assert resolved == []


def test_a_restarted_alertmanager_is_told_again_what_stands(store_url: str) -> None:
    async def open_one(desk: Desk) -> None:
        await Episodes(desk.store).save(episode())
        await desk.sender.send(*told())

    async def tell_again(desk: Desk) -> list[dict[str, Any]]:
        assert alerts(second) == []
        await desk.standing.told_again()
        return alerts(second)

    with alertmanager(QUIET) as first:
        at(store_url, first, open_one)
        assert len(alerts(first)) == 1
    with alertmanager(QUIET) as second:
        (alert,) = at(store_url, second, tell_again)
    assert alert["labels"]["brand"] == "acme"
    assert alert["annotations"]["title"] == "acme: revolt, severity 3 of 5"


def test_what_was_resolved_meanwhile_ends_there(store_url: str) -> None:
    async def body(desk: Desk) -> tuple[int, int]:
        was = episode()
        await Episodes(desk.store).save(was)
        await desk.sender.send(*told())
        await Episodes(desk.store).save(was.told(AT, "episode.resolved", "ann"))
        await desk.standing.told_again()
        return len(alerts(host)), await desk.store.do("HLEN", keys.STANDING)

    with alertmanager(QUIET) as host:
        assert at(store_url, host, body) == (0, 0)


def test_an_alert_goes_on_through_a_day_of_our_own_outage(store_url: str) -> None:
    async def body(desk: Desk) -> Outcome:
        return await desk.sender.send(*told())

    with Network(lambda _: Reply(200)) as network:
        at(store_url, network.host, body, username="ann", password="pw")
    (alert,) = json.loads(network.asked[0].body)
    assert alert["endsAt"] > alert["startsAt"]
    assert network.asked[0].headers["authorization"] == "Basic YW5uOnB3"


def test_no_words_are_kept_that_a_deletion_would_miss(store_url: str) -> None:
    async def body(desk: Desk) -> list[dict[str, Any]]:
        await desk.sender.send(*told())
        return [json.loads(text) for text in await desk.store.do("HVALS", keys.STANDING)]

    with Network(lambda _: Reply(200)) as network:
        (kept,) = at(store_url, network.host, body)
    assert kept.keys() == {"labels", "startsAt"}


def test_a_drill_can_be_told_by_its_label(store_url: str) -> None:
    async def body(desk: Desk) -> Outcome:
        return await desk.sender.send(*told(drill=True))

    with Network(lambda _: Reply(200)) as network:
        at(store_url, network.host, body)
    (alert,) = json.loads(network.asked[0].body)
    assert alert["labels"]["drill"] == "true"


def test_what_stood_at_a_channel_that_is_gone_is_forgotten(store_url: str) -> None:
    async def body(desk: Desk) -> int:
        await desk.sender.send(*told())
        await Registry(desk.store).drop_channel("am")
        await desk.standing.told_again()
        return int(await desk.store.do("HLEN", keys.STANDING))

    with Network(lambda _: Reply(200)) as network:
        assert at(store_url, network.host, body) == 0
    assert len(network.asked) == 1


def test_what_stands_names_no_clients_that_the_channel_does_not_hear_of(store_url: str) -> None:
    async def body(desk: Desk) -> None:
        registry = Registry(desk.store)
        await registry.put_route(Route(name="acme", to=["am"], brands=["acme"]))
        await Episodes(desk.store).save(episode(evidence={"others": ["globex"]}))
        await desk.sender.send(*told())
        await desk.standing.told_again()

    with Network(lambda _: Reply(200)) as network:
        at(store_url, network.host, body)
    _, again = network.asked
    assert json.loads(again.body)[0]["labels"]["brand"] == "acme"
    assert b"globex" not in again.body


def test_words_that_cannot_be_found_for_one_alert_keep_no_other_from_standing(store_url: str) -> None:
    def breaks(of: Event) -> Message:
        if of.brand == "acme":
            raise KeyError("published_at")
        return words(of)

    async def body(desk: Desk) -> None:
        identity = f"ep_{keys.shard('globex').strip('{}')}_1_globex"
        for one in ({}, {"id": identity, "brand": "globex"}):
            await Episodes(desk.store).save(episode(**one))
            await desk.sender.send(*told(**one))
        registry, ways = Registry(desk.store), {"alertmanager": lambda _: desk.sender}
        await Standing(desk.store, registry, ways, breaks, Lease(desk.store, "me", "standing")).told_again()

    with Network(lambda _: Reply(200)) as network:
        at(store_url, network.host, body)
    assert [alert["labels"]["brand"] for alert in json.loads(network.asked[-1].body)] == ["globex"]
    assert len(network.asked) == 3
