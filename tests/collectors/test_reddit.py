import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.collector import Batch, CollectorError
from collectors.limits import Limiter
from collectors.mention import Author, Mention
from collectors.outbound import Outbound
from collectors.reddit import DECLARATION, MAX_QUERY, RedditCollector, RedditSettings, searches
from collectors.reddit_answer import read_listing, read_thing
from collectors.registry import build
from tests.collectors.networks import Asked, Network, Reply
from tests.collectors.reddit_network import CLIENT, RedditNetwork
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, 40, tzinfo=UTC)
LAG = timedelta(seconds=120)
SUBREDDITS = RedditSettings(search=False, subreddits=("acme", "air"))


class Reader:
    """A collector as the runtime keeps it: one object, and a cursor that goes through JSON."""

    def __init__(self, network: Network, settings: RedditSettings, query: str = "acmeair") -> None:
        self.network = network
        self.settings = settings
        self.query = query
        self.cursor: Mapping[str, Any] = {}
        self.limiter = Limiter(DECLARATION.limit)

    def turn(self, now: datetime = NOW) -> tuple[list[Mention], Batch]:
        """Poll until there is no more."""

        async def run() -> tuple[list[Mention], Batch]:
            async with Outbound(frozenset({self.network.host}), timeout=1) as out:
                guarded = out.within(self.limiter)
                url = self.network.url
                collector = RedditCollector(self.settings, "acme", self.query, guarded, CLIENT, url)
                mentions: list[Mention] = []
                while True:
                    batch = await collector.poll(json.loads(json.dumps(self.cursor)), now)
                    mentions += batch.mentions
                    self.cursor = batch.cursor
                    if not batch.more:
                        return mentions, batch

        return asyncio.run(run())


def ids(mentions: list[Mention]) -> list[str]:
    return [mention.id for mention in mentions]


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_turn_reads_the_search_the_submissions_and_the_comments_with_one_token() -> None:
    with RedditNetwork() as network:
        post, comment = network.submit(ago(5), "acmeair again"), network.comment(ago(4), "acmeair, really")
        mentions, last = Reader(network, RedditSettings(subreddits=("acme", "air"))).turn()
    assert set(ids(mentions)) == {post, comment}
    paths = [asked.path for asked in network.asked]
    assert paths == ["/api/v1/access_token", "/search", "/r/acme+air/new", "/r/acme+air/comments", "/api/info"]
    assert network.asked[1].params["q"] == "acmeair"
    assert last.complete_until == NOW - LAG
    assert (last.cost, last.skipped) == (0, 0)


def test_what_is_known_is_not_told_again_and_what_was_listed_late_is() -> None:
    with RedditNetwork() as network:
        reader = Reader(network, SUBREDDITS)
        network.comment(ago(2), "one")
        reader.turn()
        late, new = network.comment(ago(5), "held back for a while"), network.comment(NOW, "two")
        again, _ = reader.turn(NOW + timedelta(minutes=1))
        assert set(ids(again)) == {late, new}
        assert reader.turn(NOW + timedelta(minutes=2))[0] == []


def test_a_place_that_was_deleted_does_not_end_the_reading() -> None:
    with RedditNetwork() as network:
        reader = Reader(network, SUBREDDITS)
        known = network.comment(ago(3), "last one read")
        reader.turn()
        network.remove(known)
        new = network.comment(NOW, "next")
        assert ids(reader.turn(NOW + timedelta(minutes=1))[0]) == [new]


def test_a_page_that_begins_after_a_deleted_comment_is_begun_anew() -> None:
    with RedditNetwork() as network:
        written = [network.comment(ago(1 + n / 100), f"acmeair {n}") for n in range(150)]
        reader = Reader(network, SUBREDDITS)
        sound, pages = network.answer, list[Asked]()

        def answer(asked: Asked) -> Reply:
            if asked.path.endswith("/comments"):
                pages.append(asked)
                if len(pages) == 2:
                    network.remove(asked.params["after"])
            return sound(asked)

        network.answer = answer  # type: ignore[method-assign]
        mentions, last = reader.turn()
    assert set(ids(mentions)) == set(written)
    assert last.complete_until is not None


def test_a_listing_that_ends_before_what_is_known_says_that_it_is_not_all() -> None:
    with RedditNetwork() as network:
        reader = Reader(network, RedditSettings())
        network.submit(ago(30), "acmeair")
        assert reader.turn()[1].complete_until == NOW - LAG
        network.shown = 210
        for n in range(250):
            network.submit(NOW + timedelta(seconds=n), f"acmeair {n}")
        mentions, last = reader.turn(NOW + timedelta(minutes=6))
        assert len(mentions) == 210
        assert last.missed == (ago(30), NOW + timedelta(seconds=40))
        after = reader.turn(NOW + timedelta(minutes=7))[1]
        assert (after.missed, after.complete_until) == (None, NOW + timedelta(minutes=7) - LAG)


def test_a_first_reading_goes_seven_days_back() -> None:
    with RedditNetwork() as network:
        network.submit(NOW - timedelta(days=7, minutes=1), "acmeair")
        young = network.submit(NOW - timedelta(days=6), "acmeair")
        assert ids(Reader(network, RedditSettings()).turn()[0]) == [young]


def test_a_deletion_of_what_was_told_is_told_and_of_what_was_not_is_not() -> None:
    with RedditNetwork() as network:
        reader = Reader(network, SUBREDDITS)
        ours, other = network.comment(ago(60), "acmeair"), network.comment(ago(50), "nothing of the brand")
        reader.turn()
        assert list(reader.cursor["told"]) == [ours]
        network.delete(ours)
        network.delete(other)
        assert reader.turn(NOW + timedelta(minutes=5))[0] == []  # not due yet
        (gone,) = reader.turn(NOW + timedelta(minutes=11))[0]
        assert (gone.id, gone.deleted, gone.text, gone.brands, gone.author) == (ours, True, "", ["acme"], None)
        assert reader.cursor["told"] == {}
        assert reader.turn(NOW + timedelta(minutes=30))[0] == []


def test_an_edit_is_told_with_its_time() -> None:
    with RedditNetwork() as network:
        reader = Reader(network, RedditSettings())
        post = network.submit(ago(60), "acmeair", "it was late")
        reader.turn()
        network.things[post]["data"] |= {"selftext": "it was early", "edited": NOW.timestamp() + 60}
        (edited,) = reader.turn(NOW + timedelta(minutes=11))[0]
    assert (edited.id, edited.text) == (post, "acmeair\n\nit was early")
    assert edited.updated_at == NOW + timedelta(minutes=1)


def test_of_a_brands_own_subreddit_everything_counts() -> None:
    with RedditNetwork() as network:
        own = network.comment(ago(5), "the app is broken again", subreddit="Acme")
        reader = Reader(network, RedditSettings(search=False, subreddits=("acme",), own=True))
        (mention,) = reader.turn()[0]
    assert (mention.id, mention.brands) == (own, ["acme"])


def test_things_become_mentions_with_author_reach_and_references() -> None:
    said = {"created_utc": NOW.timestamp(), "edited": False, "author": "ann", "author_fullname": "t2_x", "score": 3}
    post = read_thing(
        {"kind": "t3", "data": {**said, "id": "p", "title": "Acme", "num_comments": 4, "crosspost_parent": "t3_o"}}
    )
    comment = read_thing(
        {
            "kind": "t1",
            "data": {**said, "id": "c", "body": "No.", "parent_id": "t3_p", "score": -9, "permalink": "/r/a/"},
        }
    )
    assert (post.id, post.kind, post.text, post.engagement, post.repost_of) == ("t3_p", "post", "Acme", 7, "t3_o")
    assert (comment.id, comment.kind, comment.engagement, comment.reply_to) == ("t1_c", "comment", 0, "t3_p")
    assert (comment.author, comment.url) == (Author(id="t2_x", name="ann"), "https://www.reddit.com/r/a/")
    assert (post.source, post.brands, post.published_at) == ("reddit", None, NOW)
    removed = read_thing(
        {"kind": "t3", "data": {**said, "id": "p", "title": "Acme", "removed_by_category": "moderator"}}
    )
    assert (removed.deleted, removed.text) == (True, "")


def test_a_post_outlives_its_authors_account() -> None:
    data = {"id": "p", "title": "Acme", "selftext": "", "author": "[deleted]", "created_utc": 1e9, "edited": False}
    mention = read_thing({"kind": "t3", "data": data})
    assert (mention.text, mention.author, mention.deleted) == ("Acme", None, False)


def test_broken_things_are_skipped_and_counted_and_the_others_kept() -> None:
    said = {"id": "x", "created_utc": NOW.timestamp(), "body": "acmeair", "author": "ann"}
    broken: list[Any] = [None, 7, {}, {"kind": "t1"}, {"kind": "t5", "data": said}, {"kind": "t1", "data": None}]
    for field in (
        {"created_utc": "noon"},
        {"created_utc": 1e300},
        {"id": "y" * 600},
        {"body": "x" * 200_000},
        {"author_fullname": "x" * 600},
        {"permalink": "x" * 5_000},
        {"edited": 1e300},
    ):
        broken.append({"kind": "t1", "data": {**said, **field}})
    children = [*broken, {"kind": "t1", "data": said}]
    items, token, skipped = read_listing({"data": {"children": children, "after": 5}}, read_thing)
    assert ([item.mention.id for item in items], token, skipped) == (["t1_x"], None, len(broken))


def test_the_query_is_said_in_as_few_searches_as_hold_it() -> None:
    assert searches([["acme", "on time"], ["acmeair"]]) == ['(acme AND "on time") OR acmeair']
    many = searches([[f"{'word' * 10}{n}"] for n in range(20)])
    assert len(many) == 2
    assert all(len(said) <= MAX_QUERY for said in many)
    (long,) = searches([["w" * 200, "x" * 200, "y" * 200]])
    assert long == f"({'w' * 200} AND {'x' * 200})"  # less is asked for, and so more is found
    with pytest.raises(CollectorError, match="takes 10 searches"):
        searches([[f"{'w' * 290}{n}"] for n in range(10)])


def test_a_token_that_ended_is_replaced_and_nothing_is_lost() -> None:
    with RedditNetwork() as network:
        reader = Reader(network, RedditSettings())
        post = network.submit(ago(5), "acmeair")
        network.failures += [Reply(200, b'{"access_token": "outdated", "expires_in": 3600}')]
        assert ids(reader.turn()[0]) == [post]
    assert network.tokens_given == 1


def test_wrong_credentials_are_refused_by_name_and_never_shown() -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(401, json.dumps({"message": asked.headers["authorization"]}).encode())

    with Network(echo) as network, pytest.raises(CollectorError, match="FORESHOCK_REDDIT_CLIENT_ID") as error:
        Reader(network, RedditSettings()).turn()
    assert "secret" not in error.value.reason
    assert "Basic" not in error.value.reason
    assert len(network.asked) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"x-ratelimit-reset": "128.0"}, 128.0),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_too_many_requests_says_how_long_to_wait(headers: dict[str, str], wait: float | None) -> None:
    with RedditNetwork() as network:
        reader = Reader(network, RedditSettings())
        reader.turn()
        network.failures += [network.answer(_token_request()), Reply(429, b"{}", headers)]
        with pytest.raises(CollectorError, match="429") as error:
            reader.turn(NOW + timedelta(minutes=1))
    assert error.value.retry_after == wait


def test_the_headers_limit_is_kept_before_it_is_broken() -> None:
    with RedditNetwork() as network:
        reader = Reader(network, SUBREDDITS)
        spent = {"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "300"}
        network.failures += [network.answer(_token_request())]
        sound = network.answer
        network.answer = lambda asked: Reply(200, sound(asked).body, spent)  # type: ignore[method-assign]
        with pytest.raises(CollectorError) as error:
            reader.turn()
    assert len(network.asked) == 2
    assert error.value.retry_after == pytest.approx(300, abs=5)
    assert reader.limiter.wait(f"http://{network.host}", time.time()) > 290


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"data": {}}', b'{"data": {"children": 5}}', b"[" * 99_999]
)
@pytest.mark.parametrize("status", [200, 302, 403, 404, 503])
def test_whatever_reddit_answers_is_one_clear_line(status: int, body: bytes) -> None:
    with RedditNetwork() as network:
        network.failures += [network.answer(_token_request()), Reply(status, body)]
        with pytest.raises(CollectorError) as error:
            Reader(network, RedditSettings()).turn()
    assert "\n" not in error.value.reason
    assert error.value.reason.startswith("Reddit ")


@pytest.mark.parametrize(
    "wrong", [{"search": False}, {"subreddits": ["r/acme"]}, {"subreddits": ["a b"]}, {"client_secret": "x"}]
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RedditSettings.model_validate(wrong)


def _token_request() -> Asked:
    from base64 import b64encode

    signed = {"authorization": "Basic " + b64encode(":".join(CLIENT).encode()).decode()}
    return Asked("POST", "/api/v1/access_token", "/api/v1/access_token", {}, signed, b"grant_type=client_credentials")


def recordings(name: str) -> list[dict[str, Any]]:
    told = json.loads(shared(f"payloads/reddit/{name}").read_text())["interactions"]
    bodies = [json.loads(interaction["response"]["body"]["string"]) for interaction in told]
    return [body for body in bodies if body.get("kind") == "Listing"]


def serve(bodies: list[dict[str, Any]], settings: RedditSettings, now: datetime) -> tuple[list[Mention], Batch]:
    """Serve recorded listings, one a request, to a single turn each."""
    with RedditNetwork() as network:
        reader = Reader(network, settings)
        mentions: list[Mention] = []
        for body in bodies:
            body["data"]["after"] = None
            empty: dict[str, Any] = {"data": {"children": [], "after": None}}
            pages = [empty, body] if settings.subreddits else [body]
            replies = [network.answer(_token_request()), *(Reply(200, json.dumps(page).encode()) for page in pages)]
            network.failures += replies
            found, last = reader.turn(now)
            mentions += found
            now += timedelta(seconds=1)
    return mentions, last


def test_recorded_comments_are_all_read_each_once() -> None:
    names = sorted(path.name for path in shared("payloads/reddit").glob("TestSubredditStreams*.json"))
    assert len(names) == 3
    for name in names:
        bodies = recordings(name)
        written = [child["data"] for body in bodies for child in body["data"]["children"]]
        first = datetime.fromtimestamp(max(data["created_utc"] for data in written), UTC)
        mentions, last = serve(bodies, SUBREDDITS, first)
        assert set(ids(mentions)) == {data["name"] for data in written}, name
        assert len(mentions) == len(set(ids(mentions))) >= 100
        assert last.skipped == 0
        assert all(mention.kind == "comment" and mention.reply_to and mention.author for mention in mentions)


def test_recorded_submissions_are_all_read_where_they_are_young_enough() -> None:
    (body,) = recordings("TestSubreddit.test_search.json")
    written = [child["data"] for child in body["data"]["children"]]
    newest = datetime.fromtimestamp(max(data["created_utc"] for data in written), UTC)
    read = [read_thing({"kind": "t3", "data": data}) for data in written]
    assert ids(read) == [data["name"] for data in written]
    assert all(mention.text.startswith(data["title"]) for mention, data in zip(read, written, strict=True))
    mentions, last = serve([body], RedditSettings(), newest + timedelta(seconds=1))
    since = newest - timedelta(days=7)
    edited = [mention.updated_at or mention.published_at for mention in read]
    assert len(mentions) == sum(at > since for at in edited) >= 1
    assert last.skipped == 0


def test_without_an_app_or_with_half_of_one_it_says_what_to_set() -> None:
    for secrets in ({}, {"reddit_client_id": "x"}, {"reddit_client_secret": "x"}):
        with pytest.raises(CollectorError, match="FORESHOCK_REDDIT_CLIENT_ID"):
            build(RedditSettings(), "acme", "acme", Outbound(), secrets)
    both = {"reddit_client_id": "x", "reddit_client_secret": "y"}
    assert isinstance(build(RedditSettings(), "acme", "acme", Outbound(), both), RedditCollector)
