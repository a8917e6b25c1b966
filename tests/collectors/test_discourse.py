import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from collectors import discourse
from collectors.collector import Batch, CollectorError
from collectors.discourse import DiscourseSettings
from collectors.mention import Mention
from collectors.outbound import Outbound
from tests.collectors.networks import Network, Reply
from tests.collectors.searched_networks import DiscourseNetwork
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def poll(network: Network, cursor: Mapping[str, Any] | None = None, now: datetime = NOW, **settings: Any) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            collector = discourse.collector(DiscourseSettings(url=network.url + "/", **settings), out)
            return await collector.poll(json.loads(json.dumps(cursor or {})), now)

    return asyncio.run(run())


def turn(
    network: Network, cursor: Mapping[str, Any] | None = None, now: datetime = NOW, **settings: Any
) -> tuple[list[Mention], Batch]:
    mentions: list[Mention] = []
    while True:
        batch = poll(network, cursor, now, **settings)
        mentions += batch.mentions
        cursor = batch.cursor
        if not batch.more:
            return mentions, batch


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_topics_first_post_and_a_reply_become_mentions() -> None:
    quote = '<aside class="quote no-group"><blockquote>Acme is great</blockquote></aside>'
    with DiscourseNetwork() as network:
        first = network.post(ago(6), "They lost <b>mine</b>", post_number=1, reply_count=2,
                             actions_summary=[{"id": 2, "count": 5}, {"id": 3, "count": 1}])  # fmt: skip
        reply = network.post(ago(5), f"{quote} It is not", updated_at=ago(4).isoformat())
        mentions, batch = turn(network)
    assert [mention.id for mention in mentions] == [reply, first]
    assert [mention.text for mention in mentions] == ["It is not", "Bags\n\nThey lost mine"]
    assert [mention.kind for mention in mentions] == ["comment", "post"]
    assert [mention.engagement for mention in mentions] == [0, 7]
    assert [mention.updated_at for mention in mentions] == [ago(4), None]
    assert mentions[1].url == f"{network.url}/t/3/1"
    assert mentions[1].author is not None
    assert (mentions[1].author.id, mentions[1].author.name) == (f"{network.host}:9", "ann")
    assert (batch.complete_until, mentions[0].source, mentions[0].brands) == (ago(2), "discourse", None)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("disorder", [False, True])
def test_all_posts_are_read_down_to_the_stretch_in_new_and_old_releases(old: bool, disorder: bool) -> None:
    with DiscourseNetwork(old) as network:
        network.disorder = disorder
        wanted = set()
        for number in range(600):
            secret = number % 7 == 0 or 200 <= number < 330  # nobody else's business, and 100 deleted in a row
            post = network.post(ago(700 - number), "a", secret=secret)
            if not secret:
                wanted.add(post)
        mentions, _ = turn(network)
    ids = [mention.id for mention in mentions]
    assert set(ids) == wanted
    assert len(ids) == len(wanted)


@pytest.mark.parametrize("old", [False, True])
def test_the_first_turn_reads_as_far_back_as_is_set_and_no_further(old: bool) -> None:
    with DiscourseNetwork(old) as network:
        posts = [network.post(ago(1000 - number), "a") for number in range(1000)]
        mentions, _ = turn(network, backfill_hours=2)
    assert {mention.id for mention in mentions} == set(posts[-120:])
    assert len(network.asked) <= 5


def test_old_posts_that_were_moved_hide_no_new_ones_and_a_quiet_forum_takes_one_request() -> None:
    with DiscourseNetwork() as network:
        for number in range(60):
            network.post(ago(9000 - number), "a")
        wanted = {network.post(ago(30 - number), "a") for number in range(9)}
        quiet, _ = turn(network, backfill_hours=2)
        asked = len(network.asked)
        for _ in range(9):
            network.post(ago(9000), "moved")
        for _ in range(40):
            wanted.add(network.post(ago(1), "a"))
        for _ in range(9):
            network.post(ago(9000), "moved")
        found, _ = turn(network, backfill_hours=2)
    assert (len(quiet), asked) == (9, 1)
    assert {mention.id for mention in found} == wanted


def test_posts_that_come_between_pages_come_with_the_next_turn() -> None:
    with DiscourseNetwork() as network:
        for number in range(120):
            network.post(ago(200 - number), "a")
        first = poll(network)
        new = network.post(ago(1), "b")
        rest, batch = turn(network, first.cursor)
        later, _ = turn(network, batch.cursor, NOW + timedelta(minutes=2))
    assert len(first.mentions) + len(rest) == 120
    assert [mention.id for mention in later] == [new]


def test_the_last_hour_is_read_again_for_edits_deletions_and_hidden_posts() -> None:
    with DiscourseNetwork() as network:
        same, edited, gone, hidden, old = (network.post(ago(minutes), "a") for minutes in (5, 6, 7, 8, 300))
        _, batch = turn(network)
        network.posts[1002] |= {"cooked": "<p>b</p>", "updated_at": NOW.isoformat()}
        network.posts[1004] |= {"hidden": True}
        del network.posts[1003]
        mentions, after = turn(network, batch.cursor, NOW + timedelta(minutes=2))
    assert {mention.id: mention.deleted for mention in mentions} == {edited: False, gone: True, hidden: True}
    assert set(after.cursor["seen"]) == {same, edited}
    assert old not in batch.cursor["seen"]


def test_two_forums_and_a_forum_under_a_path_do_not_share_ids() -> None:
    with DiscourseNetwork() as network:
        network.post(ago(5), "a")
        (here,), _ = turn(network)
    assert here.id == f"{network.host}:1001"
    at_path = discourse.Discourse(DiscourseSettings(url="https://e.org/Forum/"), Outbound())
    assert at_path._mention(network.posts[1001]).id == "e.org/forum:1001"


def test_notes_of_moderators_and_broken_posts_are_no_mentions() -> None:
    with DiscourseNetwork() as network:
        network.post(ago(4), "closed", post_type=3)
        network.post(ago(5), "a", cooked=None)
        network.post(ago(6), "a", created_at="soon")
        wanted = network.post(ago(7), "a")
        batch = poll(network)
    assert ([mention.id for mention in batch.mentions], batch.skipped) == ([wanted], 2)


@pytest.mark.parametrize(
    ("reply", "wait", "said"),
    [
        (Reply(429, b"", {"Retry-After": "17"}), 17.0, "answered 429"),
        (Reply(429), None, "answered 429"),
        (Reply(502), None, "answered 502"),
        (Reply(403, b"{}"), None, "members only"),
        (Reply(200, b"<html>maintenance"), None, "not JSON"),
        (Reply(200, b'{"latest_posts": [{"id": 1'), None, "not JSON"),
        (Reply(200, b'{"topic_list": {}}'), None, "without the list latest_posts"),
        (Reply(hang=True), None, "did not answer"),
    ],
)
def test_a_failure_amid_a_turn_takes_nothing_and_the_turn_goes_on(reply: Reply, wait: float | None, said: str) -> None:
    with DiscourseNetwork() as network:
        wanted = {network.post(ago(200 - number), "a") for number in range(120)}
        first = poll(network)
        network.failures.append(reply)
        with pytest.raises(CollectorError, match=said) as error:
            poll(network, first.cursor)
        rest, _ = turn(network, first.cursor)
    assert error.value.retry_after == wait
    assert {mention.id for mention in first.mentions} | {mention.id for mention in rest} == wanted


def test_a_forum_that_ignores_what_is_asked_ends_the_turn_rather_than_looping() -> None:
    with DiscourseNetwork() as network:
        for number in range(50):
            network.post(ago(60 - number), "a")
        page = network.answer
        network.answer = lambda asked: page(type(asked)("GET", "", "/posts.json", {}, {}, b""))  # type: ignore[method-assign]
        mentions, _ = turn(network)
    assert len(mentions) == 50
    assert len(network.asked) <= 8


@pytest.mark.parametrize("url", ["ftp://a.org", "a.org", "https://me:pw@a.org", "https://a.org/?x=1", "https://[::1"])
def test_what_is_no_forums_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="address of a forum"):
        DiscourseSettings(url=url)


@pytest.mark.parametrize(("name", "ids"), [("posts_latest.json", [15, 14, 10, 2]), ("posts_before.json", [14, 10, 2])])
def test_every_recorded_page_of_posts_is_read(name: str, ids: list[int]) -> None:
    body = (shared("payloads/discourse") / name).read_bytes()
    with Network(lambda _: Reply(200, body)) as network:
        batch = poll(network, now=datetime(2020, 1, 25, 3, tzinfo=UTC), backfill_hours=180)
    assert [mention.id for mention in batch.mentions] == [f"{network.host}:{id_}" for id_ in ids]
    assert batch.skipped == 0


def test_every_post_of_a_recorded_topic_is_read() -> None:
    posts = json.loads((shared("payloads/discourse") / "topic.json").read_text())["post_stream"]["posts"]
    listing = discourse.Discourse(DiscourseSettings(url="https://e.org"), Outbound())
    assert [listing._mention(post).id for post in posts] == [f"e.org:{post['id']}" for post in posts]
    assert [bool(listing._mention(post).text) for post in posts] == [True, True, False, True]  # one is a picture
    assert [listing._shown(post) for post in posts] == [True, False, True, True]  # one is a note of a moderator
