import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from collectors import stackexchange
from collectors.collector import Batch, CollectorError
from collectors.mention import Mention
from collectors.outbound import Outbound
from collectors.stackexchange import StackExchangeSettings, read_item
from tests.collectors.networks import Network, Reply
from tests.collectors.searched_networks import StackExchangeNetwork
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
SETTINGS = StackExchangeSettings()


def poll(
    network: Network,
    cursor: Mapping[str, Any] | None = None,
    now: datetime = NOW,
    settings: StackExchangeSettings = SETTINGS,
    query: str = "acmeair",
    key: str | None = None,
) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            collector = stackexchange.collector(settings, query, out, key, network.url)
            return await collector.poll(json.loads(json.dumps(cursor or {})), now)

    return asyncio.run(run())


def turn(network: Network, cursor: Mapping[str, Any] | None = None, **how: Any) -> tuple[list[Mention], Batch]:
    mentions: list[Mention] = []
    while True:
        batch = poll(network, cursor, **how)
        mentions += batch.mentions
        cursor = batch.cursor
        if not batch.more:
            return mentions, batch


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_question_an_answer_and_a_comment_become_mentions() -> None:
    with StackExchangeNetwork() as network:
        question = network.post(
            ago(5), "Why is <span class=\"highlight\">acmeair</span>&#39;s API slow?", score=3, answer_count=2,
            last_activity_date=int(ago(1).timestamp()),
        )  # fmt: skip
        answer = network.post(ago(6), "acmeair is broken", kind="answer", score=-2)
        owner = {"user_id": 8, "display_name": "Ann &amp; Bo"}
        comment = network.post(ago(7), "acmeair? <b>never</b>", kind="comment", owner=owner)
        mentions, batch = turn(network, settings=StackExchangeSettings(comments=True))
    assert [mention.id for mention in mentions] == [question, answer, comment]
    assert [mention.kind for mention in mentions] == ["post", "comment", "comment"]
    assert [mention.text for mention in mentions] == [
        "Why is acmeair's API slow?\n\n...", "acmeair is broken", "acmeair? never"
    ]  # fmt: skip
    assert [mention.url for mention in mentions] == [
        "https://stackoverflow.com/q/1001",
        "https://stackoverflow.com/a/1002",
        "https://stackoverflow.com/q/5#comment1003_5",
    ]
    assert [mention.reply_to for mention in mentions] == [None, "stackoverflow:5", "stackoverflow:5"]
    assert [mention.engagement for mention in mentions] == [5, 0, None]
    assert (mentions[0].published_at, mentions[0].updated_at) == (ago(5), ago(1))
    assert mentions[2].author is not None
    assert (mentions[2].author.id, mentions[2].author.name) == ("stackoverflow:8", "Ann & Bo")
    assert batch.complete_until == ago(5)


def test_every_site_is_asked_for_every_alternative_and_the_key_goes_along() -> None:
    settings = StackExchangeSettings(sites=("stackoverflow", "dba"))
    with StackExchangeNetwork() as network:
        turn(network, settings=settings, query='"acme air" OR acmeair', key="k1")
    asked = [(asked.params["site"], asked.params["q"], asked.params["key"]) for asked in network.asked]
    assert asked == [(site, words, "k1") for site in settings.sites for words in ('"acme air"', "acmeair")]
    assert all(asked.headers["accept-encoding"] == "gzip" for asked in network.asked)


@pytest.mark.parametrize(
    ("site", "url"),
    [
        ("superuser", "https://superuser.com/q/7"),
        ("mathoverflow", "https://mathoverflow.net/q/7"),
        ("dba", "https://dba.stackexchange.com/q/7"),
        ("es.stackoverflow", "https://es.stackoverflow.com/q/7"),
        ("french.meta", "https://french.meta.stackexchange.com/q/7"),
        ("meta.superuser.com", "https://meta.superuser.com/q/7"),
    ],
)
def test_a_post_is_at_its_sites_own_address(site: str, url: str) -> None:
    assert read_item({"question_id": 7, "title": "acmeair"}, site, NOW).url == url


def test_pages_are_walked_down_by_time_though_they_repeat_and_are_out_of_order() -> None:
    with StackExchangeNetwork() as network:
        network.size = 10
        wanted = {network.post(NOW - timedelta(seconds=60 + number // 3), "acmeair") for number in range(70)}
        network.disorder = True
        mentions, _ = turn(network)
    ids = [mention.id for mention in mentions]
    assert set(ids) == wanted
    assert len(ids) == len(wanted)


def test_the_last_day_is_read_again_for_edits_deletions_and_what_came_late() -> None:
    settings = StackExchangeSettings(comments=True)
    with StackExchangeNetwork() as network:
        edited, gone = network.post(ago(5), "acmeair"), network.post(ago(6), "acmeair")
        unsaid = network.post(ago(7), "acmeair", kind="comment")
        _, batch = turn(network, settings=settings)
        del network.posts[1002], network.posts[1003]
        network.posts[1001] |= {"title": "acmeair, solved", "last_activity_date": int(NOW.timestamp())}
        late = network.post(ago(20 * 60), "acmeair", kind="answer")
        mentions, _ = turn(network, batch.cursor, now=NOW + timedelta(minutes=5), settings=settings)
    assert {mention.id: mention.deleted for mention in mentions} == {
        edited: False, late: False, gone: True, unsaid: True
    }  # fmt: skip
    assert mentions[0].updated_at == NOW
    paths = ["/2.3/questions/1002", "/2.3/answers/1002", "/2.3/comments/1003"]
    assert [asked.path for asked in network.asked][-3:] == paths


@pytest.mark.parametrize("kind", ["question", "answer", "comment"])
def test_an_edit_that_drops_every_searched_word_is_given_with_its_new_text(kind: str) -> None:
    settings = StackExchangeSettings(comments=kind == "comment")
    later = NOW + timedelta(minutes=5)
    with StackExchangeNetwork() as network:
        edited, same = network.post(ago(5), "acmeair", kind=kind), network.post(ago(6), "acmeair", kind=kind)
        broken = network.post(ago(7), "acmeair", kind=kind)
        _, batch = turn(network, settings=settings)
        listed = dict(network.posts)
        edit = {"title": "never mind", "body": "..."} if kind == "question" else {"body": "never mind"}
        network.posts = {1001: listed[1001] | edit, 1002: listed[1002], 1003: listed[1003] | {"title": 7, "body": 7}}
        network.unlisted = {1001, 1002, 1003}
        mentions, after = turn(network, batch.cursor, now=later, settings=settings)
    assert [(m.id, m.deleted, m.updated_at) for m in mentions] == [(edited, False, later)]
    assert mentions[0].text.startswith("never mind")
    assert mentions[0].published_at == ago(5)
    assert not after.cursor["seen"].keys() & {edited, same, broken}


def test_the_quota_that_is_left_is_spread_over_the_rest_of_the_day() -> None:
    with StackExchangeNetwork(quota=60) as network:
        network.post(ago(5), "acmeair")
        _, batch = turn(network)
        asked = len(network.asked)
        new = network.post(NOW, "acmeair")
        paced = poll(network, batch.cursor, NOW + timedelta(minutes=12))
        after, _ = turn(network, paced.cursor, now=NOW + timedelta(minutes=12, seconds=13))
    assert asked == 1
    assert (paced.mentions, paced.complete_until, paced.more, paced.cursor) == ([], None, False, batch.cursor)
    assert len(network.asked) == 2  # 12 hours for the 59 requests that were left: one in 732 seconds
    assert [mention.id for mention in after] == [new]


def test_a_quota_that_is_used_up_says_when_it_begins_anew() -> None:
    with StackExchangeNetwork(quota=0) as network, pytest.raises(CollectorError, match="too many") as error:
        poll(network)
    assert error.value.retry_after == 1234


def test_a_backoff_amid_a_turn_is_kept_and_the_turn_goes_on_after_it() -> None:
    with StackExchangeNetwork() as network:
        network.size, network.backoff = 4, 10
        wanted = {network.post(ago(5 + number), "acmeair") for number in range(9)}
        first = poll(network)
        with pytest.raises(CollectorError, match="asked to wait") as error:
            poll(network, first.cursor, NOW + timedelta(seconds=4))
        assert (len(network.asked), error.value.retry_after) == (1, 6)
        network.backoff = 0
        rest, _ = turn(network, first.cursor, now=NOW + timedelta(seconds=10))
    assert {mention.id for mention in first.mentions} | {mention.id for mention in rest} == wanted


@pytest.mark.parametrize(
    ("reply", "wait", "said"),
    [
        (Reply(429, b"", {"Retry-After": "30"}), 30.0, "answered 429"),
        (Reply(502, b"<html>"), None, "answered 502"),
        (Reply(hang=True), None, "did not answer"),
        (Reply(200, b'{"items": ['), None, "not JSON"),
        (Reply(200, b"\x1f\x8b\x08\x00half", {"Content-Encoding": "gzip"}), None, "."),
        (Reply(200, b'{"items": null}'), None, "without the list items"),
    ],
)
def test_a_failure_takes_nothing(reply: Reply, wait: float | None, said: str) -> None:
    with StackExchangeNetwork() as network:
        wanted = network.post(ago(5), "acmeair")
        network.failures.append(reply)
        with pytest.raises(CollectorError, match=said) as error:
            poll(network)
        assert [mention.id for mention in poll(network).mentions] == [wanted]
    assert error.value.retry_after == wait


def test_an_unknown_site_says_how_to_write_it_and_errors_never_hold_the_key() -> None:
    settings = StackExchangeSettings(sites=("nowhere",))
    with StackExchangeNetwork() as network, pytest.raises(CollectorError, match="as superuser or dba") as error:
        poll(network, settings=settings, key="hunter2")
    assert "hunter2" not in str(error.value)
    with pytest.raises(ValidationError):
        StackExchangeSettings(sites=("https://stackoverflow.com",))


def test_broken_items_are_counted_and_the_others_read() -> None:
    broken: list[Any] = [None, 7, {}, {"question_id": "x", "title": "a"}, {"question_id": 1}, {"link": "/about"},
                         {"question_id": 2, "title": "a", "creation_date": 1e300}]  # fmt: skip
    sound = {"question_id": 3, "title": "acmeair", "creation_date": int(ago(5).timestamp())}
    with Network(lambda _: Reply(200, json.dumps({"items": [*broken, sound]}).encode())) as network:
        batch = poll(network)
    assert ([mention.id for mention in batch.mentions], batch.skipped) == (["stackoverflow:3"], len(broken))


def test_every_recorded_item_is_read_though_the_recording_holds_no_dates() -> None:
    items = json.loads((shared("payloads/stackexchange") / "stackexchange.json").read_text())["items"]
    mentions = [read_item(item, "stackoverflow", NOW) for item in items]
    assert [mention.id for mention in mentions] == ["stackoverflow:1234567", "stackoverflow:7654321"]
    assert [mention.published_at for mention in mentions] == [NOW, NOW]
    assert "'" in mentions[0].text
    assert "&" in mentions[1].text
