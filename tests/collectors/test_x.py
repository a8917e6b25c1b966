import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from collectors.collector import Batch, CollectorError
from collectors.mention import Author, Mention
from collectors.outbound import Outbound
from collectors.x import XCollector
from collectors.x_posts import posted_at, read_post
from collectors.x_settings import XSettings
from tests.collectors.networks import Asked, Network, Reply, XNetwork
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, 40, tzinfo=UTC)
UNTIL = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
COUNTS_ONLY = XSettings(posts=False)
POSTS_ONLY = XSettings(counts=False, posts_per_poll=1000)


def poll(
    network: Network,
    cursor: Mapping[str, Any] | None = None,
    settings: XSettings = COUNTS_ONLY,
    now: datetime = NOW,
    token: str = "let-me-in",
) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            collector = XCollector(settings, "acme", '"acme air" OR acmeair', out, token, network.url)
            # The cursor goes through JSON, as it does in the store.
            return await collector.poll(json.loads(json.dumps(cursor or {})), now)

    return asyncio.run(run())


def sweep(
    network: XNetwork, cursor: Mapping[str, Any], settings: XSettings = POSTS_ONLY
) -> tuple[list[Mention], Batch]:
    """Poll until the source says that there is no more."""
    mentions: list[Mention] = []
    while True:
        batch = poll(network, cursor, settings)
        mentions += batch.mentions
        cursor = batch.cursor
        if not batch.more:
            return mentions, batch


def test_first_contact_fetches_seven_days_of_minute_counts_in_one_request() -> None:
    with XNetwork(NOW) as network:
        for minutes in (1, 1, 90, 9000):
            network.post(UNTIL - timedelta(minutes=minutes, seconds=-5), "acmeair")
        batch = poll(network)
    assert len(network.asked) == 1
    assert network.asked[0].params["query"] == '"acme air" OR acmeair'
    assert len(batch.counts) == 7 * 24 * 60 - 2
    assert {count.start: count.count for count in batch.counts if count.count} == {
        UNTIL - timedelta(minutes=1): 2,
        UNTIL - timedelta(minutes=90): 1,
        UNTIL - timedelta(minutes=9000): 1,
    }
    assert batch.complete_until == UNTIL == batch.counts[-1].end
    assert (batch.cost, batch.more, batch.skipped) == (0.005, False, 0)


def test_later_counts_go_on_where_the_last_ended() -> None:
    with XNetwork(NOW) as network:
        first = poll(network)
        network.now = later = NOW + timedelta(minutes=5)
        network.post(UNTIL + timedelta(minutes=2), "acmeair")
        second = poll(network, first.cursor, now=later)
        nothing_new = poll(network, second.cursor, now=later + timedelta(seconds=5))
    assert [count.count for count in second.counts] == [0, 0, 1, 0, 0]
    assert second.counts[0].start == first.counts[-1].end
    assert (nothing_new.counts, nothing_new.cost, nothing_new.complete_until) == ([], 0, second.complete_until)
    assert len(network.asked) == 2


def test_a_minute_is_counted_only_after_the_lag() -> None:
    with XNetwork(NOW) as network:
        batch = poll(network, settings=XSettings(posts=False, lag_seconds=60))
    assert batch.complete_until == UNTIL - timedelta(minutes=1)


def test_counts_in_pages_are_joined() -> None:
    with XNetwork(NOW) as network:
        network.minutes_per_page = 4000
        network.post(UNTIL - timedelta(days=6), "acmeair")
        batch = poll(network)
    assert len(network.asked) == 3
    assert len(batch.counts) == 7 * 24 * 60 - 2
    assert sum(count.count for count in batch.counts) == 1
    assert batch.cost == pytest.approx(0.015)


@pytest.mark.parametrize(("pages", "billed"), [(0, False), (2, True)])
def test_pages_of_counts_that_came_before_a_refusal_are_billed(pages: int, billed: bool) -> None:
    class Weary(XNetwork):
        def answer(self, asked: Asked) -> Reply:
            if len(self.asked) > pages:
                return Reply(429, headers={"retry-after": "9"})
            return super().answer(asked)

    with Weary(NOW) as network:
        network.minutes_per_page = 4000
        with pytest.raises(CollectorError) as told:
            poll(network)
    assert len(network.asked) == pages + 1
    assert (told.value.unpaid, told.value.retry_after) == (not billed, 9.0)


def test_minutes_that_are_left_out_are_unknown_and_not_zero() -> None:
    with XNetwork(NOW) as network:
        for body in (b"{}", b'{"data": [], "meta": {}}', b'{"data": [{"start": "x"}]}'):
            network.failures.append(Reply(200, body))
            with pytest.raises(CollectorError, match="left out 10078 of 10078 minutes"):
                poll(network)


def test_counts_that_page_without_end_are_an_error() -> None:
    with Network(lambda _: Reply(200, b'{"data": [], "meta": {"next_token": "x"}}')) as network:
        with pytest.raises(CollectorError, match="lead nowhere"):
            poll(network)
        assert len(network.asked) == 1


def test_counts_come_first_and_posts_in_the_next_turn() -> None:
    with XNetwork(NOW) as network:
        network.post(UNTIL, "acmeair")
        first = poll(network, settings=XSettings())
        second = poll(network, first.cursor, XSettings())
        network.now = NOW + timedelta(minutes=1)
        third = poll(network, second.cursor, XSettings(), now=network.now)
    assert [asked.path.split("/")[3] for asked in network.asked] == ["counts", "search", "counts"]
    assert (first.more, len(first.mentions)) == (True, 0)
    assert (second.more, len(second.mentions), second.cost) == (False, 1, 0.005)
    assert second.complete_until is None  # a sample says nothing about completeness
    assert len(third.counts) == 1


def test_a_post_becomes_a_mention_with_author_reach_and_references() -> None:
    with XNetwork(NOW) as network:
        network.post(
            UNTIL,
            "RT @a: acmeair",
            author_id="42",
            lang="de",
            public_metrics={"retweet_count": 1, "reply_count": 2, "like_count": 3, "quote_count": 4, "view_count": 99},
            referenced_tweets=[{"type": "retweeted", "id": "7"}],
        )
        network.post(
            UNTIL, "@a why?", author_id="43", lang="und", referenced_tweets=[{"type": "replied_to", "id": "8"}]
        )
        reply, repost = poll(network, settings=POSTS_ONLY).mentions
    assert repost.author == Author(id="42", name="u42", followers=42)
    assert (repost.repost_of, repost.reply_to, repost.language, repost.engagement) == ("7", None, "de", 10)
    assert (repost.published_at, repost.source, repost.kind, repost.brands) == (UNTIL, "x", "post", ["acme"])
    assert repost.url == f"https://x.com/i/status/{repost.id}"
    assert (reply.repost_of, reply.reply_to, reply.language) == (None, "8", None)


def test_the_time_of_a_post_is_in_its_id() -> None:
    assert posted_at(0) == datetime(2010, 11, 4, 1, 42, 54, 657000, UTC)
    assert posted_at((1000 << 22) + 4_194_303) == datetime(2010, 11, 4, 1, 42, 55, 657000, UTC)


def test_an_edited_post_keeps_the_identity_of_its_first_version() -> None:
    old, new = 1500000000000000000, 1500000000000000000 + (60_000 << 22)
    edited = read_post({"id": str(new), "text": "b", "edit_history_tweet_ids": [str(old), str(new)]}, {}, "acme")
    assert edited.id == str(old)
    assert edited.updated_at == posted_at(old) + timedelta(minutes=1)


def test_every_page_of_posts_is_read_once_and_the_cursor_moves_after_the_last() -> None:
    with XNetwork(NOW) as network:
        posted = {network.post(UNTIL - timedelta(minutes=n), f"acmeair {n}") for n in range(250)}
        mentions, last = sweep(network, {})
        assert [len(mentions), len(network.asked)] == [250, 3]
        assert {mention.id for mention in mentions} == posted
        assert last.cursor == {"since_id": max(posted, key=int)}
        assert last.complete_until == NOW - timedelta(seconds=30)
        newer = network.post(UNTIL + timedelta(seconds=20), "acmeair")
        mentions, _ = sweep(network, last.cursor)
        assert [mention.id for mention in mentions] == [newer]
        assert sweep(network, {"since_id": newer})[0] == []


def test_posts_that_arrive_amid_the_pages_are_found_next_time() -> None:
    with XNetwork(NOW) as network:
        before = {network.post(UNTIL - timedelta(minutes=n), "acmeair") for n in range(150)}
        first = poll(network, settings=POSTS_ONLY)
        amid = network.post(UNTIL + timedelta(seconds=10), "acmeair")
        rest, last = sweep(network, first.cursor)
        after, _ = sweep(network, last.cursor)
    assert before == {mention.id for mention in [*first.mentions, *rest]}
    assert [mention.id for mention in after] == [amid]


def test_a_page_that_fails_is_read_again_and_nothing_is_lost_or_doubled() -> None:
    with XNetwork(NOW) as network:
        posted = [network.post(UNTIL - timedelta(minutes=n), "acmeair") for n in range(150)]
        first = poll(network, settings=POSTS_ONLY)
        for failure in (Reply(503), Reply(200, b'{"data": [{"id": "1'), Reply(200, b"{}", length=99), Reply(hang=True)):
            network.failures.append(failure)
            with pytest.raises(CollectorError):
                poll(network, first.cursor, POSTS_ONLY)
        rest, _ = sweep(network, first.cursor)
    assert sorted(mention.id for mention in [*first.mentions, *rest]) == sorted(posted)


def test_pages_that_repeat_posts_give_each_identity_for_the_store_to_know_again() -> None:
    with XNetwork(NOW) as network:
        network.repeat_on_next_page = 20
        posted = {network.post(UNTIL - timedelta(minutes=n), "acmeair") for n in range(150)}
        mentions, last = sweep(network, {})
    assert {mention.id for mention in mentions} == posted
    assert last.cursor == {"since_id": max(posted, key=int)}


def test_pages_whose_token_ended_are_begun_anew() -> None:
    with XNetwork(NOW) as network:
        posted = {network.post(UNTIL - timedelta(minutes=n), "acmeair") for n in range(150)}
        first = poll(network, settings=POSTS_ONLY)
        network.tokens_expire = True
        again = poll(network, first.cursor, POSTS_ONLY)
        network.tokens_expire = False
        rest, _ = sweep(network, again.cursor)
    assert {mention.id for mention in [*again.mentions, *rest]} == posted


def test_a_sample_ends_at_its_size_and_says_that_it_is_not_all() -> None:
    with XNetwork(NOW) as network:
        posted = [network.post(UNTIL - timedelta(minutes=n), "acmeair") for n in range(250)]
        mentions, last = sweep(network, {}, XSettings(counts=False, posts_per_poll=200))
    assert len(mentions) == 200
    begin = NOW - timedelta(days=7) + timedelta(minutes=2)
    assert last.missed == (begin, UNTIL - timedelta(minutes=199)), "what lies behind is unknown, and not less talk"
    assert last.complete_until == NOW - timedelta(seconds=30)
    assert last.cursor == {"since_id": max(posted, key=int), "unread_from": begin.isoformat()}


def test_a_cursor_older_than_the_network_reaches_is_replaced_by_a_time() -> None:
    with XNetwork(NOW) as network:
        old = network.post(NOW - timedelta(days=9), "acmeair")
        new = network.post(UNTIL, "acmeair")
        mentions, _ = sweep(network, {"since_id": old})
    assert [mention.id for mention in mentions] == [new]
    assert "since_id" not in network.asked[0].params


BROKEN_FIELDS: list[dict[str, Any]] = [
    {"public_metrics": "many"},
    {"public_metrics": {"like_count": "many"}},
    {"referenced_tweets": [1]},
    {"created_at": "yesterday"},
    {"lang": []},
    {"text": "\ud800"},
    {"edit_history_tweet_ids": [[]]},
    {"edit_history_tweet_ids": ["9" * 60]},
]


def test_broken_posts_are_skipped_and_the_others_kept() -> None:
    good = {"id": "1500000000000000000", "text": "acmeair", "author_id": "1"}
    broken = [good | {"id": str(n), "edit_history_tweet_ids": None} | field for n, field in enumerate(BROKEN_FIELDS)]
    page = {
        "data": [good, {"id": "2"}, {"text": "x"}, {"id": "x", "text": "y"}, {"id": "9" * 5000}, *broken],
        "includes": {"users": [None, {}]},
    }
    with Network(lambda _: Reply(200, json.dumps(page).encode())) as network:
        batch = poll(network, settings=POSTS_ONLY)
    assert [mention.author for mention in batch.mentions] == [Author(id="1")]
    assert batch.skipped == 4 + len(BROKEN_FIELDS)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 300)}, 300.0),
        ({"x-rate-limit-reset": "0"}, 1.0),
        ({"x-rate-limit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_too_many_requests_says_how_long_to_wait(headers: dict[str, str], wait: float | None) -> None:
    for settings in (COUNTS_ONLY, POSTS_ONLY):
        with Network(lambda _: Reply(429, b"{}", headers)) as network, pytest.raises(CollectorError) as error:
            poll(network, settings=settings)
        assert error.value.retry_after == (pytest.approx(wait, abs=1) if wait else None)
        assert "429" in error.value.reason


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'{"errors": null}', b'{"errors": ["a", 1, {"message": 5}]}', b'{"data": "x"}',
     b'{"data": [1]}', b"[" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 418, 500, 503])
def test_whatever_x_answers_is_one_clear_line(status: int, body: bytes) -> None:
    with Network(lambda _: Reply(status, body)) as network, pytest.raises(CollectorError) as error:
        poll(network)
    assert "\n" not in error.value.reason
    assert error.value.reason.startswith("X ")


def test_the_token_is_in_no_message_even_where_the_server_repeats_it() -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(401, json.dumps({"errors": [{"message": asked.headers["authorization"]}]}).encode())

    with Network(echo) as network, pytest.raises(CollectorError) as error:
        poll(network, token="AAAA-secret")
    assert "secret" not in error.value.reason
    assert "Bearer ***" in error.value.reason
    assert error.value.__suppress_context__


def test_a_wrong_token_is_refused_by_name() -> None:
    with XNetwork(NOW) as network, pytest.raises(CollectorError, match="X refused the request: 401 Unauthorized"):
        poll(network, token="wrong")


def serving(body: dict[str, Any]) -> Network:
    return Network(lambda _: Reply(200, json.dumps(body).encode()))


def recordings() -> list[tuple[str, dict[str, Any]]]:
    folder: Path = shared("payloads/x_api")
    found = [(path.name, json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    for path in sorted(folder.glob("*.yaml")):
        for interaction in yaml.safe_load(path.read_text())["interactions"]:
            found.append((path.name, json.loads(interaction["response"]["body"]["string"])))
    return found


def test_recorded_posts_are_all_read_with_the_time_of_their_ids() -> None:
    recorded = [(name, body) for name, body in recordings() if "count" not in name]
    assert len(recorded) == 5
    for name, body in recorded:
        body["meta"].pop("next_token", None)
        with serving(body) as network:
            batch = poll(network, settings=POSTS_ONLY)
        assert len(batch.mentions) == body["meta"]["result_count"] == len(body["data"]), name
        assert batch.skipped == 0
        assert {mention.published_at.date().isoformat() for mention in batch.mentions} == {"2022-10-07"}
        stamped = [mention for mention in batch.mentions if mention.text.startswith("2022-10-07")]
        for mention in stamped:  # these authors wrote the time into the text
            written = datetime.fromisoformat(mention.text.removesuffix(" tweepy")).replace(tzinfo=UTC)
            assert timedelta() < mention.published_at - written < timedelta(seconds=2)
        assert stamped or "mentions" in name


def test_recorded_counts_are_read_by_the_hour_of_the_recording_and_none_is_taken_for_a_minute() -> None:
    recorded = [(name, body) for name, body in recordings() if "count" in name]
    assert len(recorded) == 3
    for name, body in recorded:
        with (
            serving(body) as network,
            pytest.raises(CollectorError, match="left out"),
        ):
            poll(network)
        assert sum(item["tweet_count"] for item in body["data"]) == body["meta"]["total_tweet_count"], name


def test_recorded_counts_told_in_minutes_are_all_taken() -> None:
    for _, body in [(name, body) for name, body in recordings() if "count" in name]:
        totals = [item["tweet_count"] for item in body["data"]]
        begin = UNTIL - timedelta(minutes=len(totals))
        for index, item in enumerate(body["data"]):
            item["start"] = (begin + timedelta(minutes=index)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            item["end"] = (begin + timedelta(minutes=index + 1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        with serving(body) as network:
            batch = poll(network, {"counted_until": begin.isoformat()})
        assert [count.count for count in batch.counts] == totals
