"""App Store reviews over a local server that pages as Apple's feed does, and breaks as it does."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.appstore import REACH, AppStoreCollector, AppStoreSettings
from collectors.collector import Batch, CollectorError
from collectors.mention import Mention
from collectors.outbound import Outbound
from tests.collectors.appstore_network import AppStore
from tests.collectors.appstore_network import review as written
from tests.collectors.networks import Network, Reply

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def review(number: int, minutes: float, **more: Any) -> dict[str, Any]:
    """A review of so many minutes ago."""
    return written(number, (NOW - timedelta(minutes=minutes)).replace(microsecond=0), **more)


def poll(network: Network, cursor: Mapping[str, Any] | None = None, now: datetime = NOW) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            collector = AppStoreCollector(AppStoreSettings(app=42, country="de"), "acme", out, network.url)
            return await collector.poll(json.loads(json.dumps(cursor or {})), now)

    return asyncio.run(run())


def sweep(network: Network, cursor: Mapping[str, Any] | None = None) -> Batch:
    """Poll until there is no more; give all of it as one batch."""
    mentions, skipped, batch = list[Mention](), 0, Batch(cursor=cursor or {}, more=True)
    while batch.more:
        batch = poll(network, batch.cursor)
        mentions += batch.mentions
        skipped += batch.skipped
    return replace(batch, mentions=mentions, skipped=skipped)


def ids(batch: Batch) -> list[str]:
    return [mention.id for mention in batch.mentions]


def test_a_review_becomes_a_mention_of_the_brand() -> None:
    with AppStore() as network:
        network.reviews = [review(7, 30)]
        batch = sweep(network)
    (mention,) = batch.mentions
    assert (mention.id, mention.kind, mention.brands) == ("de:7", "review", ["acme"])
    assert mention.text == "Broken\n\nCrashes at start 7"
    assert (mention.published_at, mention.engagement) == (NOW - timedelta(minutes=30), 4)
    assert mention.author is not None
    assert (mention.author.id, mention.author.name) == ("1007", "Ada")
    assert (batch.complete_until, batch.skipped) == (NOW, 0)


def test_pages_are_read_until_one_holds_nothing_new() -> None:
    with AppStore() as network:
        network.reviews = [review(n, 10 + n) for n in range(120)]
        first = sweep(network)
        asked = len(network.asked)
        network.reviews.append(review(500, 1))
        second = sweep(network, first.cursor)
        third = sweep(network, second.cursor)
    assert (len(first.mentions), asked) == (120, 4)
    assert (ids(second), ids(third)) == (["de:500"], [])
    assert len(network.asked) == asked + 2 + 1


def test_reviews_that_are_too_old_to_be_counted_are_not_paged_for() -> None:
    with AppStore() as network:
        network.reviews = [review(n, 60 * 24 * (n // 10)) for n in range(500)]
        batch = sweep(network)
    assert len(batch.mentions) == 80
    assert len(network.asked) == 3


def test_a_review_that_was_changed_comes_again_with_its_later_time() -> None:
    with AppStore() as network:
        network.reviews = [review(7, 60)]
        first = sweep(network)
        network.reviews = [review(7, 5, content={"label": "Better now"})]
        second = sweep(network, first.cursor)
    (before,), (after,) = first.mentions, second.mentions
    assert before.updated_at is not None
    assert after.updated_at is not None
    assert after.updated_at > before.updated_at
    assert (after.id, after.text) == (before.id, "Broken\n\nBetter now")


def test_more_new_reviews_than_the_pages_hold_are_said_to_be_missed() -> None:
    with AppStore() as network:
        network.reviews = [review(n, n / 10) for n in range(600)]
        batch = sweep(network)
    assert (len(batch.mentions), batch.skipped, len(network.asked)) == (500, 1, 10)
    oldest = min(mention.published_at for mention in batch.mentions)
    assert batch.missed == (NOW - REACH, oldest)


def test_an_empty_page_where_there_were_reviews_is_no_calm() -> None:
    with AppStore() as network:
        assert poll(network).complete_until is None, "nothing was ever seen: unknown, not calm"
        network.reviews = [review(7, 60)]
        cursor = sweep(network).cursor
        network.failures.append(Reply(200, b'{"feed": {}}'))
        with pytest.raises(CollectorError, match="empty page"):
            poll(network, cursor)
        assert sweep(network, cursor).mentions == []


def test_a_walk_goes_on_at_the_page_that_failed_though_reviews_have_come_since() -> None:
    with AppStore() as network:
        network.reviews = [review(n, 10 + n) for n in range(120)]
        first = poll(network)
        network.reviews += [review(500 + n, 1 + n / 10) for n in range(70)]
        network.failures.append(Reply(500))
        with pytest.raises(CollectorError, match="500"):
            poll(network, first.cursor)
        rest = sweep(network, first.cursor)
        later = sweep(network, rest.cursor)
    found = ids(first) + ids(rest) + ids(later)
    assert len(found) == len(set(found)) == 190
    assert (first.complete_until, rest.complete_until) == (None, NOW)


@pytest.mark.parametrize(
    ("reply", "says", "after"),
    [
        (Reply(429, headers={"Retry-After": "9"}), "429", 9.0),
        (Reply(403), "403", None),
        (Reply(200, b'{"feed": {"entry": [{"id"'), "no feed", None),
        (Reply(200, b"[]"), "no feed", None),
        (Reply(200, b'{"feed": 7}'), "no feed", None),
        (Reply(200, b"\xff\xfe"), "no feed", None),
        (Reply(hang=True), "did not answer", None),
    ],
)
def test_what_is_no_page_is_an_error(reply: Reply, says: str, after: float | None) -> None:
    with AppStore() as network:
        network.failures.append(reply)
        with pytest.raises(CollectorError, match=says) as caught:
            poll(network)
    assert caught.value.retry_after == after


def test_broken_reviews_are_counted_and_the_app_itself_is_none() -> None:
    app = {"id": {"label": "42"}, "title": {"label": "Acme"}}
    odd = [
        review(1, 5, updated={}),
        review(2, 5, id={"label": ""}),
        7,
        review(3, 5, updated={"label": "2026-03-08T01:00"}),
    ]
    body = {"feed": {"entry": [app, *odd, review(4, 5, author=None), review(4, 5)]}}
    with AppStore() as network:
        network.failures.append(Reply(200, json.dumps(body).encode()))
        batch = poll(network)
    assert (ids(batch), batch.skipped) == (["de:4"], 4)


def test_a_clock_ahead_of_ours_writes_no_future() -> None:
    with AppStore() as network:
        network.reviews = [review(1, -90)]
        assert poll(network).mentions[0].published_at == NOW


@pytest.mark.parametrize("wrong", [{"app": 0}, {"app": "../x"}, {"app": 1, "country": "de/.."}, {"app": 1, "x": 1}])
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AppStoreSettings.model_validate(wrong)
