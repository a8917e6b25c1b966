import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from collectors.collector import Batch, CollectorError
from collectors.mastodon import MastodonCollector, MastodonSettings
from collectors.mastodon_post import earlier, newest, read_post, said, written
from collectors.outbound import Outbound, OutboundError, OutboundRefused
from collectors.server_sent import ServerSent, read_events
from tests.collectors.mastodon_network import MastodonNetwork, snowflake
from tests.collectors.networks import Network, Reply
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
HOUR = "2026-03-08T12:07:30.123456Z"


def poll(
    network: Network,
    cursor: Mapping[str, Any] | None = None,
    token: str | None = None,
    now: datetime = NOW,
    asks: str | None = None,
    **settings: Any,
) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            collector = MastodonCollector(MastodonSettings(server=network.url, **settings), out, token, stay=0.3)
            if asks is not None:
                collector.wanted = lambda many: [asks in mention["text"] for mention in many]
            return await collector.poll(json.loads(json.dumps(dict(cursor or {}))), now)

    return asyncio.run(run())


def sweep(network: Network, cursor: Mapping[str, Any], **more: Any) -> tuple[list[str], Batch]:
    """Poll until the source says that there is no more."""
    found: list[str] = []
    while True:
        batch = poll(network, cursor, **more)
        found += texts(batch)
        cursor = batch.cursor
        if not batch.more:
            return found, batch


def texts(batch: Batch) -> list[str]:
    return [mention.text for mention in batch.mentions]


def test_a_post_becomes_a_mention() -> None:
    with MastodonNetwork() as network:
        at = NOW - timedelta(minutes=5)
        post = network.post(
            at,
            'Never again <a href="#"><span class="h-card">@<span>acme</span></span></a>!<br>Down &amp; out',
            spoiler_text="rant",
            edited_at=(at + timedelta(minutes=1)).isoformat(),
            replies_count=1,
            reblogs_count=2,
            favourites_count=3,
        )
        batch = poll(network)
    assert [mention.model_dump(exclude_none=True) for mention in batch.mentions] == [
        {
            "id": post["uri"],
            "source": "mastodon",
            "text": "rant\n\nNever again @acme! Down & out",
            "published_at": at,
            "updated_at": at + timedelta(minutes=1),
            "url": post["url"],
            "author": {"id": "ann@far.example", "followers": 7},
            "language": "en",
            "kind": "post",
            "engagement": 6,
            "deleted": False,
        }
    ]
    assert (batch.more, batch.skipped, batch.complete_until) == (False, 0, NOW - timedelta(seconds=60))


def test_later_polls_go_on_where_the_last_ended_and_read_the_last_minute_again() -> None:
    with MastodonNetwork() as network:
        for minute in range(9, 3, -1):
            network.post(NOW - timedelta(minutes=minute), f"acme {minute}")
        first = poll(network)
        network.post(NOW - timedelta(minutes=4, seconds=30), "acme late")  # of another server, and slow to arrive
        network.post(NOW - timedelta(minutes=1), "acme new")
        second = poll(network, first.cursor)
    assert texts(first) == [f"acme {minute}" for minute in range(4, 10)]
    assert set(texts(second)) == {"acme late", "acme new", "acme 4"}
    assert len({mention.id for mention in [*first.mentions, *second.mentions]}) == 8
    assert network.asked[1].params["min_id"] == earlier(first.cursor["since"]["public"], 60)


def test_pages_are_read_to_the_end_and_a_repeated_one_gives_nothing_twice() -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(hours=1), "acme")
        cursor = poll(network).cursor
        for n in range(130):
            network.post(NOW - timedelta(minutes=30) + timedelta(seconds=n), f"acme {n}")
        network.repeats = 5
        batch = poll(network, cursor)
        again = poll(network, cursor)  # as after a kill between the batch and its cursor
    assert sorted(texts(batch)) == sorted(["acme", *[f"acme {n}" for n in range(130)]])
    assert again.mentions == batch.mentions
    assert not batch.more


def test_a_backlog_is_read_over_several_polls_and_said_to_be_incomplete_until_then() -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(hours=1))
        cursor = poll(network).cursor
        start = NOW - timedelta(minutes=30)
        for n in range(2500):  # 25 pages lie within the minute that is read again
            network.post(start + timedelta(milliseconds=20 * n), f"acme {n}")
        first = poll(network, cursor)
        found, last = sweep(network, first.cursor)
    assert first.more
    assert first.complete_until is not None
    assert start < first.complete_until < start + timedelta(seconds=50)
    assert last.complete_until == NOW - timedelta(seconds=60)
    assert {f"acme {n}" for n in range(2500)} <= {*texts(first), *found}
    assert len(network.asked) < 80


def test_hashtags_are_read_each_for_itself() -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(minutes=9), "acme", tags=["acme"])
        network.post(NOW - timedelta(minutes=8), "straße", tags=["straße"])
        network.post(NOW - timedelta(minutes=7), "weather", tags=["weather"])
        first = poll(network, hashtags=("acme", "straße"))
        network.post(NOW - timedelta(minutes=1), "acme again", tags=["acme"])
        second = poll(network, first.cursor, hashtags=("acme", "straße"))
    assert texts(first) == ["acme", "straße"]
    assert "acme again" in texts(second)
    assert set(first.cursor["since"]) == {"tag/acme", "tag/stra%C3%9Fe"}


def test_only_posts_of_the_server_are_asked_for_where_that_is_set() -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(minutes=9), "acme far")
        network.post(NOW - timedelta(minutes=8), "acme here", account={"acct": "bob"})
        batch = poll(network, local=True)
    assert texts(batch) == ["acme here"]
    assert batch.mentions[0].author is not None
    assert batch.mentions[0].author.id == f"bob@{network.host}"


def test_what_nobody_asks_for_is_dropped_and_an_edit_never_is() -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(minutes=9), "weather")
        network.post(NOW - timedelta(minutes=8), "acme")
        network.post(NOW - timedelta(minutes=7), "sunny", edited_at=NOW.isoformat())
        batch = poll(network, asks="acme")
    assert set(texts(batch)) == {"acme", "sunny"}


def test_posts_that_are_none_or_not_public_are_counted_and_the_others_read() -> None:
    with MastodonNetwork() as network:
        for fields in (
            {"visibility": "private"}, {"uri": ""}, {"account": None}, {"id": 7}, {"created_at": "yesterday"},
            {"content": "x" * 100_001}, {"account": {"acct": ""}},
        ):  # fmt: skip
            network.post(NOW - timedelta(minutes=9), **fields)
        network.post(NOW - timedelta(minutes=8), "acme", language="x" * 36, url=None)
        body = json.dumps([*network.posts, 5, None]).encode()
        network.failures.append(Reply(200, body))
        batch = poll(network)
    assert texts(batch) == ["acme", "acme"]  # an author without a name has the server's
    assert batch.skipped == 8


@pytest.mark.parametrize(
    "body", [b"", b'[{"id": "1"', b'{"error": "x"}', b"\xff\xfe[\x00", b"[" * 100_000, b'"\xe4"', b"null"]
)
def test_an_answer_that_is_no_list_of_posts_is_an_error(body: bytes) -> None:
    with Network(lambda _: Reply(200, body)) as network, pytest.raises(CollectorError, match="not a list of posts"):
        poll(network)


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [
        (429, {"X-RateLimit-Reset": HOUR}, 450.123456),
        (429, {"X-RateLimit-Reset": "soon"}, None),
        (429, {"X-RateLimit-Reset": "2020-01-01T00:00:00Z"}, 1.0),
        (429, {"Retry-After": "60"}, 60.0),
        (429, {}, None),
        (503, {}, None),
        (500, {"X-RateLimit-Reset": HOUR}, None),
    ],
)
def test_a_refusal_says_how_long_to_wait(status: int, headers: dict[str, str], after: float | None) -> None:
    with Network(lambda _: Reply(status, b"no", headers)) as network:
        with pytest.raises(CollectorError, match=f"answered {status}") as error:
            poll(network)
        assert error.value.retry_after == after


@pytest.mark.parametrize(("token", "said_so"), [(None, "lets nobody read without a token"), ("t", "refuses the token")])
def test_a_server_that_asks_for_a_token_says_what_to_set(token: str | None, said_so: str) -> None:
    for status in (401, 403, 422):
        with Network() as network:
            network.failures.extend([Reply(status, b"no")] * 2)  # the second is the stream's, or the timeline's
            with pytest.raises(CollectorError, match=said_so) as error:
                poll(network, token=token)
            assert f"FORESHOCK_MASTODON_TOKENS to {network.host}=TOKEN" in str(error.value)


def test_an_error_after_the_first_page_keeps_what_was_read() -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(hours=1), "acme")
        cursor = poll(network).cursor
        for n in range(100):
            network.post(NOW - timedelta(minutes=30) + timedelta(seconds=n), f"acme {n}")

        def once() -> None:
            network.failures.append(Reply(500))
            network.once_read = lambda: None

        network.once_read = once
        first = poll(network, cursor)
        found, last = sweep(network, first.cursor)
    assert (len(first.mentions), first.more) == (40, True)
    assert first.complete_until is not None
    assert first.complete_until < NOW - timedelta(minutes=28)
    assert {*texts(first), *found} >= {f"acme {n}" for n in range(100)}
    assert last.complete_until == NOW - timedelta(seconds=60)


@pytest.mark.parametrize("cursor", [{}, {"since": 5}, {"since": {"public": 7}}, {"since": {}, "kept": "x"}])
def test_a_cursor_that_was_lost_begins_anew(cursor: dict[str, Any]) -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(minutes=9))
        assert texts(poll(network, cursor)) == ["acme"]
        assert "min_id" not in network.asked[0].params


def event(kind: str, data: object) -> str:
    return f"event: {kind}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n"


def test_with_a_token_the_stream_is_heard_and_the_timeline_read_up_to_it() -> None:
    with MastodonNetwork() as network:
        network.token = "let-me-in"
        network.post(NOW - timedelta(minutes=9), "acme before")
        first = poll(network, token="let-me-in")
        missed = network.post(NOW - timedelta(minutes=1), "acme between two streams")
        live = network.post(NOW, "acme live")
        network.posts.remove(live)
        changed = {**missed, "content": "<p>acme, better</p>", "edited_at": (NOW + timedelta(seconds=1)).isoformat()}
        network.said = [
            ":)\n", ":thump\n", event("update", live), event("status.update", changed), event("filters_changed", ""),
        ]  # fmt: skip
        second = poll(network, first.cursor, token="let-me-in", asks="acme")
    assert texts(first) == ["acme before"]
    assert {"acme, better", "acme live"} <= set(texts(second))
    assert second.more
    assert second.cursor["since"] == {"public": live["id"]}
    assert second.complete_until is not None
    assert NOW - timedelta(seconds=60) < second.complete_until < NOW - timedelta(seconds=50)
    assert [asked.path for asked in network.asked] == ["/api/v1/streaming/public", "/api/v1/timelines/public"] * 2


def test_a_deletion_takes_out_a_mention_of_an_earlier_poll() -> None:
    with MastodonNetwork() as network:
        network.token = "t"
        at = NOW - timedelta(minutes=9)
        post = network.post(at, "acme")
        other = network.post(at, "weather")
        first = poll(network, token="t", asks="acme")
        network.posts.clear()
        network.said = [event("delete", post["id"]), event("delete", other["id"]), event("delete", "7")]
        second = poll(network, first.cursor, token="t", asks="acme")
    (gone,) = second.mentions
    assert (gone.id, gone.deleted, gone.published_at) == (post["uri"], True, at)
    assert gone.updated_at is not None
    assert NOW <= gone.updated_at < NOW + timedelta(seconds=5)
    assert first.cursor["kept"] == {post["id"]: post["uri"]}
    assert second.cursor["kept"] == {}


@pytest.mark.parametrize("said_first", [[], ['event: update\ndata: {"id": "1'], ["data: " + "x" * 2**21]])
def test_a_stream_that_ends_or_breaks_leaves_what_the_timeline_has(said_first: list[str]) -> None:
    with MastodonNetwork() as network:
        network.token, network.ends, network.said = "t", True, said_first
        network.post(NOW - timedelta(minutes=9))
        batch = poll(network, token="t")
    assert texts(batch) == ["acme"]
    assert (batch.more, batch.complete_until) == (False, NOW - timedelta(seconds=60))


def test_without_a_stream_the_timeline_is_read_alone() -> None:
    with MastodonNetwork() as network:
        network.post(NOW - timedelta(minutes=9))
        batch = poll(network, token="t")  # the server has no stream for this token
    assert (texts(batch), batch.more) == (["acme"], False)


def test_the_token_is_sent_to_no_other_server() -> None:
    with MastodonNetwork() as network, Network(lambda _: Reply(200, b"[]")) as other:
        network.token = "t"
        network.failures.append(Reply(302, headers={"Location": f"{other.url}/api/v1/timelines/public"}))

        async def run() -> Batch:
            async with Outbound(frozenset({network.host, other.host}), timeout=1) as out:
                settings = MastodonSettings(server=network.url, stream=False)
                return await MastodonCollector(settings, out, "t").poll({}, NOW)

        asyncio.run(run())
        assert "authorization" not in other.asked[0].headers
    for streaming in ("https://evil.example", "https://evilsocial.example", "https://social.example.evil"):
        with pytest.raises(ValidationError, match="since the token is sent there"):
            MastodonSettings(server="https://social.example", streaming=streaming)
    assert MastodonSettings(server="https://social.example", streaming="https://streaming.social.example")


@pytest.mark.parametrize(
    "server", ["social.example", "https://social.example/path", "https://u:p@social.example", "ftp://a"]
)
def test_a_server_is_named_by_its_origin(server: str) -> None:
    with pytest.raises(ValidationError, match="server"):
        MastodonSettings(server=server)


def heard(*pieces: bytes) -> list[ServerSent]:
    async def run() -> list[ServerSent]:
        async def give() -> Any:
            for piece in pieces:
                yield piece

        return [event async for event in read_events(give())]

    return asyncio.run(run())


def test_events_are_read_however_their_bytes_are_cut() -> None:
    lines = [":thump", "event: update\r", 'data: {"a":', 'data: "ä: b"}\r', "\r", "id: 7", "retry: 3", "", "data:x", ""]
    text = "\n".join([*lines, "event: cut", "data: o"]).encode()
    expected = [ServerSent(), ServerSent("update", '{"a":\n"ä: b"}'), ServerSent("", "x")]
    assert heard(text) == expected
    assert heard(*(text[n : n + 1] for n in range(len(text)))) == expected


def test_an_event_without_end_is_an_error() -> None:
    for pieces in ([b"data: " + b"x" * 2**21], [b"data: " + b"x" * 2**16 + b"\n"] * 40):
        with pytest.raises(OutboundError, match="more than 1048576 bytes"):
            heard(*pieces)


async def heard_of(out: Outbound, url: str, silence: float = 1.0) -> bytes:
    async with out.stream(url, silence=silence) as (_, pieces):
        return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "0x7f.1", "169.254.169.254", "[::ffff:10.0.0.1]"])
def test_a_stream_never_comes_from_an_internal_address(host: str) -> None:
    async def run(port: int) -> None:
        async with Outbound(timeout=2) as out:
            await heard_of(out, f"http://{host}:{port}/api/v1/streaming/public")

    with MastodonNetwork() as network:
        with pytest.raises(OutboundRefused, match="internal address"):
            asyncio.run(run(network.port))
        assert network.asked == []


def test_a_stream_that_is_silent_redirects_or_breaks_is_told_apart() -> None:
    async def run(network: Network) -> bytes:
        async with Outbound(frozenset({network.host}), timeout=2) as out:
            return await heard_of(out, network.url, silence=0.1)

    with Network(lambda _: Reply(200, b"begun", length=100)) as network:
        network.failures.append(Reply(hang=True))
        with pytest.raises(OutboundError, match=r"said nothing for 0\.1 seconds"):
            asyncio.run(run(network))
        with pytest.raises(OutboundError, match="broke off"):
            asyncio.run(run(network))
    with Network(lambda _: Reply(302, b"elsewhere", {"Location": "http://10.0.0.1/"})) as network:
        assert asyncio.run(run(network)) == b"elsewhere"


def test_ids_hold_their_posts_instant_where_they_are_numbers() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    assert written(snowflake(at, 9)) == at
    assert earlier(snowflake(at), 60) == snowflake(at - timedelta(minutes=1))
    for other in ("AbC9", "12345", "", "٣" * 18, "9" * 40):
        assert (written(other), earlier(other, 60)) == (None, other)
    assert newest(["9", "10", "8"]) == "10"


@pytest.mark.parametrize("name", ["test_public_tl", "test_public_tl_anonymous"])
def test_recorded_timelines_are_read(name: str) -> None:
    recorded = yaml.safe_load(shared(f"payloads/mastodon/{name}.yaml").read_text())["interactions"]
    pages = [one["response"] for one in recorded if "/timelines/public" in one["request"]["uri"]]
    assert pages
    for page in pages:
        body = page["body"]["string"]
        headers = {header: values[0] for header, values in page["headers"].items() if header.startswith("x-ratelimit")}
        with Network() as network:
            network.failures.append(Reply(200, body.encode(), headers))
            batch = poll(network, now=datetime(2026, 8, 2, tzinfo=UTC))
        posts = json.loads(body)
        assert (len(batch.mentions), batch.skipped) == (len(posts), 0)
        assert {mention.id for mention in batch.mentions} == {post["uri"] for post in posts}
        assert batch.cursor["since"] == {"public": max(post["id"] for post in posts)}


@pytest.mark.parametrize("name", ["test_stream_direct", "test_stream_user_direct"])
def test_recorded_streams_are_read(name: str) -> None:
    recorded = yaml.safe_load(shared(f"payloads/mastodon/{name}.yaml").read_text())["interactions"]
    streams = [one["response"]["body"]["string"] for one in recorded if "/streaming/" in one["request"]["uri"]]
    assert streams
    for stream in streams:
        events = heard(stream.encode() if isinstance(stream, str) else stream)
        posts = [read_post(one.data) for one in events if one.kind in ("update", "status.update")]
        assert all(post is None or said(post, "h")["id"] for post in posts)
        assert all(one.data.isdigit() for one in events if one.kind == "delete")
