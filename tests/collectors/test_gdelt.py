"""GDELT: counts and articles over a local server that answers as it does, in all the ways it refuses."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.collector import Batch, CollectorError
from collectors.gdelt import DECLARATION, PAGE, GdeltCollector, GdeltSettings
from collectors.gdelt_rule import ask
from collectors.mention import Mention
from collectors.outbound import Outbound
from collectors.query import parse
from tests.collectors.gdelt_network import SLOT, GdeltNetwork, article
from tests.collectors.networks import Network, Reply
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 7, tzinfo=UTC)
UNTIL = datetime(2026, 3, 8, 11, 30, tzinfo=UTC)
ARTICLES_ONLY = GdeltSettings(counts=False)


def poll(
    network: Network,
    cursor: Mapping[str, Any] | None = None,
    settings: GdeltSettings = ARTICLES_ONLY,
    now: datetime = NOW,
    query: str = '"acme air" OR acmeair',
) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            collector = GdeltCollector(settings, "acme", query, out, network.url)
            return await collector.poll(json.loads(json.dumps(cursor or {})), now)

    return asyncio.run(run())


def sweep(network: Network, cursor: Mapping[str, Any], settings: GdeltSettings, now: datetime = NOW) -> list[Batch]:
    """Poll until there is no more."""
    batches: list[Batch] = []
    while not batches or batches[-1].more:
        batches.append(poll(network, batches[-1].cursor if batches else cursor, settings, now))
    return batches


def ids(batches: list[Batch]) -> list[str]:
    return [mention.id.rpartition("/")[2] for batch in batches for mention in batch.mentions]


@pytest.mark.parametrize(
    ("query", "text", "exact"),
    [
        ("acme", "acme", True),
        ('"acme air" OR acmeair', '("acme air" OR acmeair)', True),
        ("acme refund", "acme refund", True),
        ("(acme OR globex) (refund OR strike)", "(acme OR globex) (refund OR strike)", True),
        ("acme NOT hazzard", "acme", False),
        ("@acme OR #acmefail", "(acme OR acmefail)", False),
        ("acme OR (globex AND strike)", "(acme OR globex)", False),
        ("(acme OR globex) NEAR/5 strike", "(acme OR globex) strike", False),
        ("acme complain*", "acme", False),
        ("acme lang:en", "acme", False),
    ],
)
def test_a_query_is_asked_as_far_as_gdelt_can_say_it(query: str, text: str, exact: bool) -> None:
    asked = ask(parse(query))
    assert (asked.text, asked.exact) == (text, exact)


@pytest.mark.parametrize(
    "query", ["complain*", "lang:en", "ab", "acme OR complain*", " OR ".join(f"word{n}" for n in range(26))]
)
def test_a_query_of_which_nothing_can_be_asked_says_so(query: str) -> None:
    with pytest.raises(CollectorError, match="GDELT"):
        ask(parse(query))


def test_at_first_seven_days_of_counts_are_read_in_windows_of_quarters() -> None:
    with GdeltNetwork(NOW) as network:
        for minutes in (1, 2, 2000, 9000):
            network.articles.append((UNTIL - timedelta(minutes=minutes), str(minutes)))
        batches = sweep(network, {}, GdeltSettings())
    counts = [count for batch in batches for count in batch.counts]
    assert len(counts) == 7 * 24 * 4
    assert {count.seconds for count in counts} == {900}
    assert {c.start: c.count for c in counts if c.count} == {
        UNTIL - SLOT: 2,
        UNTIL - timedelta(minutes=2010): 1,
        UNTIL - timedelta(minutes=9000): 1,
    }
    assert [a.params["mode"] for a in network.asked] == ["timelinevolraw"] * 4 + ["artlist"]
    assert max(batch.complete_until for batch in batches if batch.complete_until) == UNTIL
    assert sum(batch.skipped for batch in batches) == 0


def test_later_polls_read_the_last_hour_once_more_and_repeat_no_article() -> None:
    with GdeltNetwork(NOW) as network:
        network.articles.append((UNTIL - timedelta(minutes=20), "one"))
        first = sweep(network, {}, GdeltSettings())
        later = NOW + SLOT
        network.read = later
        network.articles.append((UNTIL - timedelta(minutes=21), "late"))
        network.articles.append((UNTIL + timedelta(minutes=5), "new"))
        second = sweep(network, first[-1].cursor, GdeltSettings(), later)
    assert ids(first) == ["one"]
    assert ids(second) == ["late", "new"]
    assert [count.count for count in second[0].counts] == [0, 0, 2, 0, 1]
    assert len(second) == 2, "one request for counts and one for articles"


def test_an_article_becomes_a_mention_of_the_brand_where_all_of_the_query_was_asked() -> None:
    with GdeltNetwork(NOW) as network:
        network.articles.append((UNTIL, "strike"))
        (mention,) = poll(network).mentions
        (unsure,) = poll(network, query="acme NOT hazzard").mentions
    assert (mention.id, mention.url) == ("https://news.example/strike", "https://news.example/strike")
    assert (mention.text, mention.kind, mention.language) == ("Acme Air strike", "article", "en")
    assert (mention.published_at, mention.brands) == (UNTIL, ["acme"])
    assert mention.author is not None
    assert mention.author.name == "news.example"
    assert unsure.brands is None


def test_more_articles_than_an_answer_holds_are_read_in_pages() -> None:
    with GdeltNetwork(NOW) as network:
        for n in range(PAGE + 80):
            network.articles.append((UNTIL - timedelta(minutes=15 * (n // 40)), f"{n:03d}"))
        batches = sweep(network, {}, ARTICLES_ONLY)
    found = ids(batches)
    assert len(found) == len(set(found)) == PAGE + 80
    assert len(batches) == 2
    assert batches[-1].complete_until == UNTIL
    assert sum(batch.skipped for batch in batches) == 0


def test_a_quarter_that_no_answer_can_hold_is_said_to_be_missed_and_passed() -> None:
    with GdeltNetwork(NOW) as network:
        network.articles += [(UNTIL - timedelta(hours=2), f"{n:03d}") for n in range(PAGE + 5)]
        network.articles.append((UNTIL, "after"))
        batches = sweep(network, {}, ARTICLES_ONLY)
    assert "after" in ids(batches)
    assert sum(batch.skipped for batch in batches) == 1
    full = UNTIL - timedelta(hours=2)
    assert [batch.missed for batch in batches if batch.missed] == [(full, full + SLOT)]


def test_a_quarter_that_gdelt_did_not_read_is_unknown_and_not_zero() -> None:
    with GdeltNetwork(NOW) as network:
        network.articles.append((UNTIL - timedelta(hours=3), "one"))
        network.blank = {UNTIL - SLOT, UNTIL - 2 * SLOT, UNTIL - timedelta(hours=4)}
        batch = poll(network, {"count_from": (UNTIL - timedelta(hours=5)).isoformat()}, GdeltSettings())
    assert not network.blank & {count.start for count in batch.counts}
    assert batch.complete_until == UNTIL - 2 * SLOT
    assert batch.skipped == 1
    assert batch.missed == (UNTIL - timedelta(hours=4), UNTIL - timedelta(hours=4) + SLOT)
    assert batch.cursor["count_from"] == (UNTIL - 2 * SLOT - timedelta(hours=1)).isoformat(), "they are asked for again"


def test_counts_are_not_read_where_they_would_be_of_more_than_the_brand() -> None:
    with GdeltNetwork(NOW) as network:
        batch = poll(network, {}, GdeltSettings(), query="acme NOT hazzard")
    assert [asked.params["mode"] for asked in network.asked] == ["artlist"]
    assert batch.complete_until == UNTIL


@pytest.mark.parametrize(
    ("reply", "says", "after"),
    [
        (Reply(200, b"Please limit requests to one every 5 seconds or contact us."), "too many requests", 60.0),
        (Reply(429, b""), "too many requests", 60.0),
        (Reply(429, b"", {"Retry-After": "7"}), "too many requests", 7.0),
        (Reply(200, b"<html>The specified phrase is too short.</html>"), "too short", None),
        (Reply(200, b""), "empty", None),
        (Reply(200, b'{"articles": [{"url": "ht'), "refused", None),
        (Reply(200, b'{"articles": 7}'), "no list", None),
        (Reply(200, b"[]"), "refused", None),
        (Reply(503, b"down", {"Retry-After": "30"}), "503", 30.0),
        (Reply(200, b"{}", length=99), "broke off", None),
        (Reply(hang=True), "did not answer", None),
    ],
)
def test_a_refusal_is_an_error_whatever_its_status(reply: Reply, says: str, after: float | None) -> None:
    with GdeltNetwork(NOW) as network:
        network.failures.append(reply)
        with pytest.raises(CollectorError, match=says) as caught:
            poll(network)
    assert caught.value.retry_after == after


@pytest.mark.parametrize(
    "body", [b'{"timeline": []}', b'{"timeline": [7]}', b'{"timeline": [{"data": 7}]}', b'{"a": 1}']
)
def test_a_timeline_of_another_shape_is_an_error_and_not_zero(body: bytes) -> None:
    with GdeltNetwork(NOW) as network:
        network.failures.append(Reply(200, body))
        with pytest.raises(CollectorError, match="no timeline"):
            poll(network, {}, GdeltSettings())


def test_broken_articles_are_counted_and_broken_json_is_read_as_far_as_it_can_be() -> None:
    items = [article(UNTIL, "a"), article(UNTIL, "b", seendate=""), 7, article(UNTIL, "c", url="ftp://x"), {}]
    body = json.dumps({"articles": items}).replace("Acme  Air a", "Acme \\x Air\x07 \xe9").encode("latin-1")
    with GdeltNetwork(NOW) as network:
        network.failures.append(Reply(200, body))
        batch = poll(network)
    assert [m.text for m in batch.mentions] == ["Acme \\x Air\x07 \ufffd"]
    assert batch.skipped == 4


def test_pages_out_of_order_and_twice_give_each_article_once() -> None:
    items = [article(UNTIL - SLOT * n, str(n)) for n in (2, 0, 1, 0, 2)]
    with GdeltNetwork(NOW) as network:
        network.failures.append(Reply(200, json.dumps({"articles": items}).encode()))
        assert ids([poll(network)]) == ["2", "0", "1"]


def test_a_cursor_that_was_lost_or_is_old_reads_what_is_still_to_be_had() -> None:
    with GdeltNetwork(NOW) as network:
        network.articles.append((UNTIL - timedelta(days=6), "old"))
        lost, old = poll(network, {}), poll(network, {"read_from": "2025-01-01T00:00:00+00:00"})
    assert ids([lost]) == ids([old]) == ["old"]
    assert (lost.missed, old.missed) == (None, (datetime(2025, 1, 1, tzinfo=UTC), UNTIL - timedelta(days=7)))


def test_the_installations_pace_is_declared() -> None:
    assert DECLARATION.limit is not None
    assert (DECLARATION.limit.requests, DECLARATION.limit.seconds) == (1, 5.0)
    assert not DECLARATION.needs_key


@pytest.mark.parametrize("name", ["gdelt.json", "gdelt_artlist.json"])
def test_recorded_articles_are_read(name: str) -> None:
    body = shared(f"payloads/gdelt/{name}").read_bytes()
    told = json.loads(body)["articles"]
    now = datetime(2026, 6, 1, tzinfo=UTC)
    with GdeltNetwork(NOW) as network:
        network.failures.append(Reply(200, body))
        batch = poll(network, now=now)
    dated = [item for item in told if item["seendate"]]
    found: list[Mention] = batch.mentions
    assert [m.url for m in found] == [item["url"] for item in dated]
    assert batch.skipped == len(told) - len(dated)


def test_the_documented_timeline_is_read() -> None:
    body = shared("payloads/gdelt/HANDMADE_timelinevolraw.json").read_bytes()
    now = datetime(2024, 7, 19, 5, 0, tzinfo=UTC)
    with GdeltNetwork(NOW) as network:
        network.failures.append(Reply(200, body))
        batch = poll(network, {"count_from": "2024-07-19T04:00:00+00:00"}, GdeltSettings(), now)
    assert [count.count for count in batch.counts] == [3, 41]
    assert batch.complete_until == datetime(2024, 7, 19, 4, 30, tzinfo=UTC)
