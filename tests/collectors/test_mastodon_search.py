import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.collector import Batch, CollectorError
from collectors.mastodon_search import MastodonSearchCollector, MastodonSearchSettings
from collectors.outbound import Outbound
from collectors.registry import build
from tests.collectors.mastodon_network import SearchNetwork
from tests.collectors.networks import Network, Reply
from tests.collectors.test_mastodon import texts

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def poll(
    network: Network,
    cursor: Mapping[str, Any] | None = None,
    query: str = "acme",
    token: str = "let-me-in",
    now: datetime = NOW,
) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            settings = MastodonSearchSettings(server=network.url)
            collector = MastodonSearchCollector(settings, query, out, token)
            return await collector.poll(json.loads(json.dumps(dict(cursor or {}))), now)

    return asyncio.run(run())


def read(network: Network, cursor: Mapping[str, Any] | None = None, **more: Any) -> tuple[list[str], Batch]:
    """Poll until the source says that there is no more."""
    found: list[str] = []
    while True:
        batch = poll(network, cursor, **more)
        found += texts(batch)
        cursor = batch.cursor
        if not batch.more:
            return found, batch
        assert batch.complete_until is None


def test_each_alternative_of_a_query_is_searched_for_and_a_post_given_once() -> None:
    with SearchNetwork() as network:
        network.post(NOW - timedelta(days=1), "acme air and acmeair")
        network.post(NOW - timedelta(days=2), "acmeair")
        network.post(NOW - timedelta(days=3), "weather")
        found, batch = read(network, query='"acme air" OR (acmeair NOT sale)')
        first = poll(network, query='"acme air" OR (acmeair NOT sale)')
    assert found == ["acme air and acmeair", "acme air and acmeair", "acmeair"]
    assert {asked.params["q"] for asked in network.asked} == {'"acme air"', '"acmeair"'}
    assert all(mention.source == "mastodon" and mention.brands is None for mention in first.mentions)
    assert batch.complete_until == NOW - timedelta(minutes=5)


def test_pages_are_read_down_to_where_the_last_reading_began() -> None:
    with SearchNetwork() as network:
        network.repeats = 3
        for n in range(100):
            network.post(NOW - timedelta(hours=2) + timedelta(minutes=n), f"acme {n}")
        found, first = read(network)
        asked = len(network.asked)
        later = NOW + timedelta(minutes=2)
        network.post(NOW - timedelta(minutes=25), "acme late")
        network.post(NOW + timedelta(minutes=1), "acme new")
        second, last = read(network, first.cursor, now=later)
        again, _ = read(network, first.cursor, now=later)
    assert set(found) == {f"acme {n}" for n in range(100)}
    assert asked == 4  # the last is empty: a server leaves some out of a full page
    assert {"acme late", "acme new"} <= set(second)
    assert (len(second), len(network.asked)) == (13, asked + 2)
    assert again == second
    assert (first.missed, last.missed) == (None, None)


def test_more_than_a_search_shows_is_said_to_be_missed() -> None:
    with SearchNetwork() as network:
        for n in range(450):
            network.post(NOW - timedelta(minutes=500 - n), f"acme {n}")
        found, last = read(network)
    assert (len(found), len(network.asked)) == (400, 10)
    assert last.missed == (NOW - timedelta(days=7), NOW - timedelta(minutes=450))


def test_a_reading_goes_on_at_its_page_after_an_error_and_a_broken_walk_begins_anew() -> None:
    with SearchNetwork() as network:
        for n in range(60):
            network.post(NOW - timedelta(minutes=n), f"acme {n}")
        first = poll(network)
        network.failures.append(Reply(500))
        with pytest.raises(CollectorError, match="answered 500"):
            poll(network, first.cursor)
        second = poll(network, first.cursor)
        assert set(texts(first) + texts(second)) == {f"acme {n}" for n in range(60)}
        for walk in ({"search": 9, "page": 0, "began": "x"}, {"began": "x", "page": 99}, {"left": 1}, 7):
            assert texts(poll(network, {"walk": walk})) == texts(first)


def test_a_refused_token_and_a_limit_are_said() -> None:
    with SearchNetwork() as network:
        with pytest.raises(CollectorError, match="refuses the token"):
            poll(network, token="expired")
        network.failures.append(Reply(429, headers={"X-RateLimit-Reset": "2026-03-08T12:01:00Z"}))
        with pytest.raises(CollectorError, match="answered 429") as error:
            poll(network)
        assert error.value.retry_after == 60.0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"statuses": 7}', b'{"statuses": [{"id"', b"\xff"])
def test_an_answer_without_posts_is_an_error(body: bytes) -> None:
    with Network(lambda _: Reply(200, body)) as network, pytest.raises(CollectorError, match="not a list of posts"):
        poll(network)


def test_what_is_no_post_is_counted_and_a_lost_cursor_begins_anew() -> None:
    body = json.dumps({"statuses": [{"id": "1"}, 7, None]}).encode()
    with Network(lambda _: Reply(200, body)) as network:
        assert poll(network, {"since": "yesterday"}).skipped == 3


def test_a_query_without_a_word_cannot_be_searched_for() -> None:
    with SearchNetwork() as network, pytest.raises(CollectorError, match="whole words"):
        poll(network, query="acm* AND NOT sale")


@pytest.mark.parametrize("tokens", ["", "other.example=t", "social.example", "social.example="])
def test_a_server_without_a_token_says_what_to_set(tokens: str) -> None:
    settings = MastodonSearchSettings(server="https://social.example")
    with pytest.raises(CollectorError, match=r"set FORESHOCK_MASTODON_TOKENS to social\.example=TOKEN"):
        build(settings, "acme", "acme", Outbound(), {"mastodon_tokens": tokens})
    secrets = {"mastodon_tokens": "other.example=u, Social.Example = let-me-in"}
    assert isinstance(build(settings, "acme", "acme", Outbound(), secrets), MastodonSearchCollector)
