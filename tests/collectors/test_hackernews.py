import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors import hackernews
from collectors.collector import Batch, CollectorError
from collectors.hackernews import HackerNewsSettings, read_hit
from collectors.mention import Author, Mention
from collectors.outbound import Outbound
from tests.collectors.networks import Network, Reply
from tests.collectors.searched_networks import HackerNewsNetwork
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
QUERY = '"acme air" OR acmeair'


def poll(network: Network, cursor: Mapping[str, Any] | None = None, now: datetime = NOW, query: str = QUERY) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            collector = hackernews.collector(HackerNewsSettings(), query, out, network.url)
            return await collector.poll(json.loads(json.dumps(cursor or {})), now)

    return asyncio.run(run())


def turn(
    network: Network, cursor: Mapping[str, Any] | None = None, now: datetime = NOW, query: str = QUERY
) -> tuple[list[Mention], Batch]:
    mentions: list[Mention] = []
    while True:
        batch = poll(network, cursor, now, query)
        mentions += batch.mentions
        cursor = batch.cursor
        if not batch.more:
            return mentions, batch


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_each_alternative_is_asked_for_and_a_post_that_two_find_is_given_once() -> None:
    with HackerNewsNetwork() as network:
        network.post(ago(5), "acme air is late")
        network.post(ago(6), "acmeair is late, acme air as ever")
        network.post(ago(7), "nobody is late")
        mentions, batch = turn(network)
    assert [asked.params["query"] for asked in network.asked] == ['"acme air"', "acmeair"]
    assert [mention.id for mention in mentions] == ["1001", "1002"]
    assert batch.complete_until == NOW - timedelta(minutes=2)
    assert (batch.cost, batch.skipped, mentions[0].brands) == (0, 0, None)


def test_a_comment_and_a_story_become_mentions() -> None:
    with HackerNewsNetwork() as network:
        network.post(ago(5), "<p>acmeair &amp; me<p>were <i>late</i>", points=None)
        network.post(
            ago(6), "AcmeAir down", comment=False, url="https://www.acme.com/status", story_text="Since <b>noon</b>",
            points=40, num_comments=2, updated_at="2026-03-08T11:59:00Z",
        )  # fmt: skip
        comment, story = turn(network, query="acmeair")[0]
    assert (comment.kind, comment.text, comment.reply_to) == ("comment", "acmeair & me were late", "7")
    assert (comment.author, comment.engagement) == (Author(id="ann", name="ann"), None)
    assert comment.url == "https://news.ycombinator.com/item?id=1001"
    assert (story.kind, story.text) == ("post", "AcmeAir down (acme.com)\n\nSince noon")
    assert (story.engagement, story.reply_to) == (42, None)
    assert (story.published_at, story.updated_at) == (ago(6), ago(1))


def test_more_than_a_page_is_read_by_its_time_and_nothing_is_missed_or_given_twice() -> None:
    with HackerNewsNetwork() as network:
        network.size = 10
        wanted = {network.post(ago(5 + number // 3), "acmeair") for number in range(64)}
        network.disorder = True
        mentions, batch = turn(network, query="acmeair")
    ids = [mention.id for mention in mentions]
    assert set(ids) == wanted
    assert len(ids) == len(wanted)
    assert len(network.asked) >= 7
    assert batch.complete_until == NOW - timedelta(minutes=2)


def test_a_post_that_comes_between_two_pages_comes_with_the_next_turn() -> None:
    with HackerNewsNetwork() as network:
        network.size = 4
        wanted = {network.post(ago(5 + number), "acmeair") for number in range(9)}
        first = poll(network, query="acmeair")
        late = network.post(ago(1), "acmeair at last")
        second, batch = turn(network, first.cursor, query="acmeair")
        third, _ = turn(network, batch.cursor, NOW + timedelta(minutes=2), "acmeair")
    assert {mention.id for mention in first.mentions} | {mention.id for mention in second} == wanted
    assert [mention.id for mention in third] == [late]


def test_a_later_turn_reads_two_hours_again_and_gives_what_is_new_late_or_edited() -> None:
    with HackerNewsNetwork() as network:
        same, edited = network.post(ago(5), "acmeair"), network.post(ago(6), "acmeair")
        _, batch = turn(network, query="acmeair")
        network.posts[int(edited)] |= {"comment_text": "acmeair, sorry", "updated_at": "2026-03-08T12:01:00Z"}
        network.posts[int(same)] |= {"points": 9, "updated_at": "2026-03-08T12:01:00Z"}
        late = network.post(ago(100), "acmeair, indexed late")
        network.post(ago(150), "acmeair, before the stretch")
        mentions, after = turn(network, batch.cursor, NOW + timedelta(minutes=2), "acmeair")
    assert {mention.id: mention.text for mention in mentions} == {
        edited: "acmeair, sorry", late: "acmeair, indexed late"
    }  # fmt: skip
    assert mentions[0].updated_at == NOW + timedelta(minutes=1)
    assert after.complete_until == NOW


def test_after_a_long_silence_all_that_came_since_is_read() -> None:
    with HackerNewsNetwork() as network:
        _, batch = turn(network, query="acmeair")
        wanted = {network.post(NOW + timedelta(hours=hour), "acmeair") for hour in range(70)}
        mentions, _ = turn(network, batch.cursor, NOW + timedelta(hours=72), "acmeair")
    assert {mention.id for mention in mentions} == wanted


@pytest.mark.parametrize("item", [None, {"id": 1, "deleted": True}, {"id": 1, "dead": True}])
def test_a_post_that_is_deleted_is_taken_back(item: object) -> None:
    with HackerNewsNetwork() as network:
        gone, kept = network.post(ago(5), "acmeair"), network.post(ago(6), "acmeair")
        _, batch = turn(network, query="acmeair")
        network.posts.clear()  # of the other one the search alone has lost sight
        network.items[int(gone)] = item
        later = NOW + timedelta(minutes=2)
        (mention,), after = turn(network, batch.cursor, later, "acmeair")
    assert (mention.id, mention.deleted, mention.text, mention.brands) == (gone, True, "", None)
    assert (mention.published_at, mention.updated_at) == (ago(5), later)
    assert gone not in after.cursor["seen"]
    assert kept not in after.cursor["seen"]


@pytest.mark.parametrize("comment", [True, False])
def test_an_edit_that_drops_every_searched_word_is_given_with_its_new_text(comment: bool) -> None:
    with HackerNewsNetwork() as network:
        edited, same = network.post(ago(5), "acmeair", comment=comment), network.post(ago(6), "acmeair")
        broken = network.post(ago(7), "acmeair")
        _, batch = turn(network, query="acmeair")
        network.posts.clear()
        network.items[int(edited)] |= {"text": "never <i>mind</i>"} if comment else {"title": "never mind"}
        del network.items[int(broken)]["type"]
        later = NOW + timedelta(minutes=2)
        (mention,), after = turn(network, batch.cursor, later, "acmeair")
        again, _ = turn(network, after.cursor, later + timedelta(minutes=2), "acmeair")
    assert (mention.id, mention.text, mention.deleted) == (edited, "never mind", False)
    assert (mention.published_at, mention.updated_at, mention.kind) == (ago(5), later, "comment" if comment else "post")
    assert same not in after.cursor["seen"]
    assert again == []


def test_where_nobody_says_what_was_deleted_the_posts_still_come_and_it_is_asked_again() -> None:
    with HackerNewsNetwork() as network:
        gone = network.post(ago(5), "acmeair")
        _, batch = turn(network, query="acmeair")
        del network.posts[int(gone)], network.items[int(gone)]
        new = network.post(NOW, "acmeair again")
        sound = network.answer
        network.answer = lambda asked: Reply(500) if "/item/" in asked.path else sound(asked)  # type: ignore[method-assign]
        mentions, batch = turn(network, batch.cursor, NOW + timedelta(minutes=2), "acmeair")
        network.answer = sound  # type: ignore[method-assign]
        later, _ = turn(network, batch.cursor, NOW + timedelta(minutes=4), "acmeair")
    assert [mention.id for mention in mentions] == [new]
    assert [(mention.id, mention.deleted) for mention in later] == [(gone, True)]


@pytest.mark.parametrize(
    ("reply", "wait", "said"),
    [
        (Reply(429, b"", {"Retry-After": "30"}), 30.0, "Hacker News answered 429"),
        (Reply(429), None, "Hacker News answered 429"),
        (Reply(503), None, "Hacker News answered 503"),
        (Reply(hang=True), None, "did not answer"),
        (Reply(200, b'{"hits": [', {}), None, "not JSON"),
        (Reply(200, b"[1]"), None, "without the list hits"),
        (Reply(200, b'{"hits": {}}'), None, "without the list hits"),
    ],
)
def test_a_failure_amid_a_turn_takes_nothing_and_the_turn_goes_on(reply: Reply, wait: float | None, said: str) -> None:
    with HackerNewsNetwork() as network:
        network.size = 4
        wanted = {network.post(ago(5 + number), "acmeair") for number in range(9)}
        first = poll(network, query="acmeair")
        network.failures.append(reply)
        with pytest.raises(CollectorError, match=said) as error:
            poll(network, first.cursor, query="acmeair")
        rest, _ = turn(network, first.cursor, query="acmeair")
    assert error.value.retry_after == wait
    assert {mention.id for mention in first.mentions} | {mention.id for mention in rest} == wanted


def test_broken_hits_are_counted_and_the_others_read() -> None:
    sound = {"objectID": "1", "comment_text": "acmeair", "created_at": "2026-03-08T11:00:00Z"}
    broken: list[Any] = [
        None, 7, {}, {**sound, "objectID": "../1"}, {**sound, "created_at": "soon"}, {**sound, "comment_text": 7},
        {**sound, "created_at_i": 1e300}, {**sound, "comment_text": None, "title": ""},
    ]  # fmt: skip
    with Network(lambda _: Reply(200, json.dumps({"hits": [*broken, sound], "nbHits": 9}).encode())) as network:
        batch = poll(network, query="acmeair")
    assert ([mention.id for mention in batch.mentions], batch.skipped) == (["1"], len(broken))


def test_pages_that_lead_nowhere_end_in_an_error() -> None:
    hit = {"objectID": "1", "comment_text": "acmeair", "created_at_i": int(ago(5).timestamp())}
    with Network(lambda _: Reply(200, json.dumps({"hits": [hit], "nbHits": 99}).encode())) as network:
        first = poll(network, query="acmeair")
        with pytest.raises(CollectorError, match="lead nowhere"):
            poll(network, first.cursor, query="acmeair")


def test_a_query_without_a_whole_word_is_refused() -> None:
    with HackerNewsNetwork() as network, pytest.raises(CollectorError, match="whole words"):
        poll(network, query="refund*")


def test_every_recorded_hit_is_read() -> None:
    hits = json.loads((shared("payloads/hackernews") / "hackernews.json").read_text())["hits"]
    mentions = [read_hit(hit) for hit in hits]
    assert [(mention.id, mention.published_at.year) for mention in mentions] == [("38765432", 2026), ("38765999", 2026)]
    assert mentions[0].text.endswith("(example.com)")
    assert [mention.engagement for mention in mentions] == [549, 100]
