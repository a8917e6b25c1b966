import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.bluesky import BlueskyCollector, BlueskySettings
from collectors.collector import Batch, CollectorError
from collectors.mention import Mention
from collectors.outbound import Outbound, OutboundError, OutboundRefused
from collectors.websocket import open_websocket
from tests.collectors.jetstream_network import DID, JetstreamNetwork, event, micros, tid
from tests.collectors.networks import Reply
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def poll(
    *networks: JetstreamNetwork,
    cursor: Mapping[str, Any] | None = None,
    asks: str | None = None,
    stay: float = 0.15,
    silence: float | None = None,
    now: datetime = NOW,
) -> Batch:
    """One poll of the servers, tried in this order; `asks` is a word that somebody wants."""

    async def run(urls: tuple[str, ...]) -> Batch:
        async with Outbound(frozenset({"127.0.0.1"}), timeout=2) as out:
            collector = BlueskyCollector(BlueskySettings(servers=urls), out, stay=stay, silence=silence or stay)
            if asks is not None:
                collector.wanted = lambda many: [asks in mention["text"] for mention in many]
            return await collector.poll(json.loads(json.dumps(dict(cursor or {}))), now)

    with ExitStack() as stack:
        return asyncio.run(run(tuple(stack.enter_context(network).url for network in networks)))


def texts(batch: Batch) -> list[str]:
    return [mention.text for mention in batch.mentions]


def test_a_post_becomes_a_mention() -> None:
    at = NOW - timedelta(minutes=1)
    parent = f"at://{DID}/app.bsky.feed.post/3kparent"
    reply = {"parent": {"uri": parent, "cid": "c"}, "root": {"uri": parent, "cid": "c"}}
    batch = poll(JetstreamNetwork(event(at, "acme is down", langs=["en-GB", "de"], reply=reply)))
    assert [mention.model_dump(exclude_none=True) for mention in batch.mentions] == [
        {
            "id": f"{DID}/{tid(at)}",
            "source": "bluesky",
            "text": "acme is down",
            "published_at": at - timedelta(seconds=1),
            "url": f"https://bsky.app/profile/{DID}/post/{tid(at)}",
            "author": {"id": DID},
            "language": "en-GB",
            "kind": "post",
            "reply_to": f"{DID}/3kparent",
            "deleted": False,
        }
    ]
    assert (batch.more, batch.skipped, batch.missed) == (False, 0, None)
    assert batch.complete_until == at - timedelta(seconds=10)


def test_what_nobody_asks_for_is_dropped_and_edits_and_deletions_never_are() -> None:
    at = NOW - timedelta(minutes=1)
    written = tid(at - timedelta(hours=1))
    batch = poll(
        JetstreamNetwork(
            event(at, "weather"),
            event(at, "acme"),
            event(at, "sunny", operation="update", key=written),
            event(at, operation="delete", key="3kgone"),
            event(at, operation="delete", key=tid(at - timedelta(hours=2))),
        ),
        asks="acme",
    )
    edit, gone, dated = batch.mentions[1:]
    assert texts(batch) == ["acme", "sunny", "", ""]
    assert (edit.id, edit.updated_at, edit.deleted) == (f"{DID}/{written}", at, False)
    assert (gone.published_at, gone.updated_at, gone.deleted) == (at, at, True)
    assert dated.published_at == at - timedelta(hours=2)


def test_a_post_that_is_written_edited_and_deleted_in_one_poll_is_given_as_it_ended() -> None:
    at = NOW - timedelta(minutes=1)
    key = tid(at)
    story = [
        event(at, operation="delete", key=key) | {"time_us": micros(at) + 2_000_000},
        event(at, "acme", key=key),
        event(at, "acme!", operation="update", key=key) | {"time_us": micros(at) + 1_000_000},
        event(at, "acme", key=key),
    ]
    (mention,) = poll(JetstreamNetwork(*story)).mentions
    assert (mention.deleted, mention.updated_at) == (True, at + timedelta(seconds=2))


def test_the_next_poll_goes_back_a_few_seconds_so_that_what_was_overtaken_is_read() -> None:
    at = NOW - timedelta(minutes=1)
    network = JetstreamNetwork(event(at, "acme first"))
    first = poll(network)
    late = event(at - timedelta(milliseconds=300), "acme overtaken")
    network.events = [*network.events, late, event(at + timedelta(seconds=1), "acme next")]
    second = poll(network, cursor=first.cursor)
    assert network.cursors[1] == micros(at) - 5_000_000
    assert set(texts(second)) == {"acme first", "acme overtaken", "acme next"}
    assert len({mention.id for mention in [*first.mentions, *second.mentions]}) == 3
    assert second.cursor["time_us"] == micros(at + timedelta(seconds=1))
    again = poll(network, cursor=first.cursor)  # as after a kill between the batch and its cursor
    assert again.mentions == second.mentions


def test_first_contact_reads_an_hour_back() -> None:
    network = JetstreamNetwork(event(NOW - timedelta(hours=2), "acme old"), event(NOW - timedelta(minutes=59), "acme"))
    assert texts(poll(network)) == ["acme"]
    assert network.cursors == [micros(NOW - timedelta(hours=1)) - 5_000_000]


@pytest.mark.parametrize("cursor", [{}, {"time_us": "7"}, {"time_us": -1}, {"time_us": None, "server": 5}])
def test_a_cursor_that_was_lost_begins_anew(cursor: dict[str, Any]) -> None:
    assert texts(poll(JetstreamNetwork(event(NOW - timedelta(minutes=5))), cursor=cursor)) == ["acme"]


def test_what_the_server_no_longer_keeps_is_said_to_be_missed() -> None:
    yesterday = NOW - timedelta(days=2)
    network = JetstreamNetwork(event(yesterday, "acme lost"), event(NOW - timedelta(hours=20), "acme kept"))
    network.keeps_since = micros(NOW - timedelta(days=1))
    batch = poll(network, cursor={"time_us": micros(yesterday)})
    assert texts(batch) == ["acme kept"]
    assert batch.missed == (yesterday, NOW - timedelta(hours=20))


def test_a_stream_that_breaks_keeps_what_was_read_and_the_rest_follows() -> None:
    start = NOW - timedelta(minutes=1)
    network = JetstreamNetwork(*[event(start + timedelta(seconds=n), f"acme {n}") for n in range(10)])
    network.breaks_after = 4
    first = poll(network)
    assert texts(first) == [f"acme {n}" for n in range(4)]
    network.breaks_after = None
    second = poll(network, cursor=first.cursor)
    assert set(texts(first) + texts(second)) == {f"acme {n}" for n in range(10)}


def test_a_stream_that_is_silent_without_closing_is_an_error_and_not_calm() -> None:
    with pytest.raises(CollectorError, match=r"silent for 0\.1 seconds"):
        poll(JetstreamNetwork(), stay=5.0, silence=0.1)


def test_a_stream_that_falls_silent_gives_what_it_said_before() -> None:
    network = JetstreamNetwork(event(NOW - timedelta(minutes=1)))
    assert texts(poll(network, stay=5.0, silence=0.1)) == ["acme"]


def test_the_next_server_is_asked_where_one_is_dead_and_stays_the_first() -> None:
    at = NOW - timedelta(minutes=1)
    dead, alive = JetstreamNetwork(), JetstreamNetwork(event(at))
    dead.failures.append(Reply(503))
    batch = poll(dead, alive)
    assert texts(batch) == ["acme"]
    assert batch.cursor["server"] == alive.url
    assert (len(dead.cursors), len(alive.cursors)) == (0, 1)


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [(429, {"Retry-After": "90"}, 90.0), (429, {}, None), (500, {}, None)],
)
def test_a_refused_handshake_says_how_long_to_wait(status: int, headers: dict[str, str], after: float | None) -> None:
    network = JetstreamNetwork(event(NOW))
    network.failures.append(Reply(status, headers=headers))
    with pytest.raises(CollectorError, match=f"answered {status}") as error:
        poll(network)
    assert error.value.retry_after == after


def test_a_handshake_that_redirects_is_not_followed() -> None:
    network = JetstreamNetwork(event(NOW))
    network.failures.append(Reply(302, headers={"Location": "ws://10.0.0.1/"}))
    with pytest.raises(OutboundError, match="opened no WebSocket"):
        poll(network)


def test_messages_that_are_no_events_are_counted_and_the_others_read() -> None:
    at = NOW - timedelta(minutes=1)
    network = JetstreamNetwork(event(at, "acme"))
    bad = event(at, "acme")
    bad["commit"]["record"]["text"] = 7
    network.raw = [
        '{"did": "did:plc', "[]", b"\xff\xfe{", json.dumps(bad), json.dumps(event(at, "x" * 100_001)), "[" * 100_000,
        json.dumps({"did": DID, "time_us": micros(at), "kind": "identity", "identity": {"did": DID}}),
        json.dumps(event(at, "acme again", createdAt="yesterday", langs=None, key="other")),
    ]  # fmt: skip
    batch = poll(network)
    assert texts(batch) == ["acme", "acme again"]
    assert batch.mentions[1].published_at == at
    assert batch.skipped == 6


def test_a_wrong_clock_moves_neither_a_post_into_the_future_nor_the_cursor() -> None:
    at = NOW - timedelta(minutes=1)
    ahead = event(at, "acme ahead", createdAt="2031-01-01T00:00:00Z")
    future = event(NOW + timedelta(days=400), "acme from the future")
    batch = poll(JetstreamNetwork(ahead, future))
    assert batch.mentions[0].published_at == at
    assert batch.cursor["time_us"] == micros(at)
    assert batch.complete_until is not None
    assert batch.complete_until < NOW


def test_many_messages_are_read_in_one_poll() -> None:
    start = NOW - timedelta(minutes=10)
    network = JetstreamNetwork(
        *[event(start + timedelta(milliseconds=n), f"acme {n}", key=f"k{n}") for n in range(3000)]
    )
    batch = poll(network, stay=1.0, asks="acme 29")
    assert len(batch.mentions) == 111


def test_a_poll_that_has_enough_ends_early_and_moves_on() -> None:
    start = NOW - timedelta(minutes=30)
    network = JetstreamNetwork(*[event(start + timedelta(milliseconds=5 * n), key=f"k{n}") for n in range(3000)])
    batch = poll(network, stay=20.0, cursor={"time_us": micros(start)})
    assert 2000 <= len(batch.mentions) < 3000
    assert batch.cursor["time_us"] > micros(start) + 5_000_000


@pytest.mark.parametrize("address", ["wss://user:key@host/", "https://host/", "wss://host/?x=1", "jetstream"])
def test_a_server_is_the_address_of_a_websocket(address: str) -> None:
    with pytest.raises(ValidationError, match="servers"):
        BlueskySettings(servers=(address,))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "0x7f.1", "169.254.169.254", "[::ffff:10.0.0.1]"])
def test_a_websocket_never_goes_to_an_internal_address(host: str) -> None:
    async def run(port: int) -> None:
        async with Outbound(timeout=2) as out, open_websocket(out, f"ws://{host}:{port}/subscribe"):
            pass

    with JetstreamNetwork(event(NOW)) as network:
        with pytest.raises(OutboundRefused, match="internal address"):
            asyncio.run(run(network.port))
        assert network.asked == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws:///", "ws://[::1/", "wss", "file:///etc/passwd"])
def test_only_the_address_of_a_websocket_is_connected_to(url: str) -> None:
    async def run() -> None:
        async with Outbound(frozenset({"127.0.0.1"}), timeout=2) as out, open_websocket(out, url):
            pass

    with pytest.raises(OutboundRefused, match="wss://host/path"):
        asyncio.run(run())


def test_a_host_that_does_not_speak_websocket_or_at_all_is_named_without_its_path() -> None:
    async def run(port: int) -> None:
        out = Outbound(frozenset({"127.0.0.1"}), timeout=2)
        async with out, open_websocket(out, f"ws://127.0.0.1:{port}/secret"):
            pass

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-nothing of the kind\r\n\r\n")
        writer.close()

    async def both() -> Sequence[str]:
        said = []
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for _ in range(2):
            with pytest.raises(OutboundError) as error:
                await run(port)
            said.append(str(error.value))
            server.close()
            await server.wait_closed()
        return said

    said = asyncio.run(both())
    assert "opened no WebSocket" in said[0]
    assert "refused the connection" in said[1]
    assert all("secret" not in line for line in said)


def test_the_stream_is_asked_under_our_name() -> None:
    network = JetstreamNetwork(event(NOW))
    poll(network)
    assert [asked.headers["user-agent"] for asked in network.asked] == ["foreshock (early warning of brand crises)"]


def test_recorded_messages_are_read() -> None:
    lines = shared("payloads/bluesky/expected_v1.jsonl").read_text().splitlines()
    network = JetstreamNetwork()
    network.raw = list(lines)
    recorded = [json.loads(line) for line in lines]
    batch = poll(network, stay=0.5, now=datetime(2026, 7, 4, 14, 40, tzinfo=UTC))
    posts = [line for line in recorded if line.get("commit", {}).get("collection") == "app.bsky.feed.post"]
    found: dict[str, Mention] = {mention.id: mention for mention in batch.mentions}
    assert batch.skipped == 0
    assert len(found) == len(posts) == 18
    for line in posts:
        mention = found[f"{line['did']}/{line['commit']['rkey']}"]
        assert mention.deleted == (line["commit"]["operation"] == "delete")
        assert mention.text == line["commit"].get("record", {}).get("text", "")
        assert (mention.reply_to is not None) == ("reply" in line["commit"].get("record", {}))
    assert sum(mention.deleted for mention in batch.mentions) == 1
