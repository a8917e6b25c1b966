import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.collector import Batch, CollectorError
from collectors.mention import Count, Mention
from collectors.outbound import Outbound
from collectors.registry import build
from collectors.zendesk import Desk, ZendeskCollector, ZendeskSettings
from tests.collectors.networks import Network, Reply
from tests.collectors.zendesk_network import WHO, ZendeskNetwork

NOW = datetime(2026, 3, 8, 12, 0, 40, tzinfo=UTC)
COUNTS, TICKETS = ZendeskSettings(), ZendeskSettings(counts=False, tickets=True)


def poll(
    network: Network,
    cursor: Mapping[str, Any] | None = None,
    now: datetime = NOW,
    settings: ZendeskSettings = COUNTS,
    token: str = WHO[1],
    pages: int = 30,
) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=5) as out:
            collector = ZendeskCollector(settings, "acme", out, Desk(network.url, WHO[0], token), pages)
            return await collector.poll(json.loads(json.dumps(dict(cursor or {}))), now)

    if isinstance(network, ZendeskNetwork):
        network.now = now
    return asyncio.run(run())


def turn(
    network: Network,
    cursor: Mapping[str, Any] | None = None,
    now: datetime = NOW,
    settings: ZendeskSettings = COUNTS,
    pages: int = 30,
) -> tuple[list[Count], list[Mention], list[Batch]]:
    batches: list[Batch] = []
    while not batches or batches[-1].more:
        batches.append(poll(network, cursor, now, settings, pages=pages))
        cursor = batches[-1].cursor
    return [c for b in batches for c in b.counts], [m for b in batches for m in b.mentions], batches


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def test_seven_days_of_minute_counts_are_read_on_first_contact_with_the_zeros() -> None:
    with ZendeskNetwork(NOW) as network:
        for made in (ago(days=8), ago(days=6), ago(hours=2), ago(hours=2, seconds=5), ago(minutes=4), ago(minutes=1)):
            network.ticket(made)
        counts, mentions, batches = turn(network)
    assert len(counts) == 7 * 24 * 60
    assert {c.start: c.count for c in counts if c.count} == {
        ago(days=6, seconds=40): 1,
        ago(hours=2, seconds=40): 2,
        ago(minutes=4, seconds=40): 1,
    }
    assert {(c.brand, c.source, c.seconds) for c in counts} == {("acme", "zendesk", 60)}
    assert [batch.complete_until for batch in batches][-2:] == [None, ago(minutes=2, seconds=40)]
    assert (mentions, batches[-1].cost) == ([], 0)
    assert len(network.asked) == 7


def test_a_ticket_that_the_search_finds_late_is_counted_at_the_next_poll() -> None:
    with ZendeskNetwork(NOW) as network:
        network.indexed = timedelta(minutes=6)
        network.ticket(ago(minutes=4))
        _, _, batches = turn(network)
        counts, _, later = turn(network, batches[-1].cursor, NOW + timedelta(minutes=5))
    assert [c.start for c in counts if c.count] == [ago(minutes=4, seconds=40)]
    assert len(counts) == 15 + 5
    assert later[-1].complete_until == NOW + timedelta(minutes=2, seconds=20)
    assert len(network.asked) == 8


def test_more_tickets_than_can_be_listed_are_asked_for_in_shorter_spans() -> None:
    with ZendeskNetwork(NOW) as network:
        network.size = 2
        for minute in range(60, 80):
            network.ticket(ago(minutes=minute * 5))
        counts, _, batches = turn(network, pages=2)
        assert sum(c.count for c in {c.start: c for c in counts}.values()) == 20
        assert len(batches) < 60
        for _ in range(5):
            network.ticket(ago(minutes=1))
        with pytest.raises(CollectorError, match="more than 200 new tickets in a quarter of an hour"):
            turn(network, batches[-1].cursor, NOW + timedelta(minutes=5), pages=2)


def test_after_more_than_a_week_away_what_lies_before_is_said_to_be_missed() -> None:
    with ZendeskNetwork(NOW) as network:
        _, _, batches = turn(network)
        later = NOW + timedelta(days=9)
        _, _, after = turn(network, batches[-1].cursor, later)
    assert after[0].missed == (ago(minutes=2, seconds=40), later - timedelta(days=7, minutes=2, seconds=40))
    assert [batch.missed for batch in after[1:]] == [None] * (len(after) - 1)


def test_tickets_their_changes_and_deletions_are_told_under_the_webhooks_ids() -> None:
    with ZendeskNetwork(NOW) as network:
        old = network.ticket(ago(days=30))
        network.change(old, ago(hours=1), status="open")
        told, gone = network.ticket(ago(minutes=5)), network.ticket(ago(minutes=6), requester_id=None)
        _, (second, first), batches = turn(network, settings=TICKETS)
        network.change(told, ago(minutes=1), subject="Refund, please")
        network.change(gone, ago(minutes=1), status="deleted", subject="SCRUBBED")
        network.change(old, ago(minutes=1), status="deleted")
        _, mentions, _ = turn(network, batches[-1].cursor, NOW + timedelta(minutes=5), TICKETS)
    assert (first.id, first.text, first.kind, first.source) == (told, "Refund\n\nnow", "ticket", "zendesk")
    assert (first.published_at, first.updated_at, first.brands) == (ago(minutes=5), None, ["acme"])
    assert first.author is not None
    assert (first.author.id, second.author) == ("7", None)
    assert batches[-1].complete_until == ago(minutes=1)
    assert {(m.id, m.text, m.deleted, m.updated_at) for m in mentions} == {
        (told, "Refund, please\n\nnow", False, ago(minutes=1)),
        (gone, "", True, ago(minutes=1)),
        (old, "", True, ago(minutes=1)),
    }


def test_counts_and_tickets_are_read_in_turn_and_only_counts_say_how_far() -> None:
    with ZendeskNetwork(NOW) as network:
        network.ticket(ago(minutes=5))
        counts, mentions, batches = turn(network, settings=ZendeskSettings(tickets=True))
        again = turn(network, batches[-1].cursor, NOW + timedelta(minutes=5), ZendeskSettings(tickets=True))
    assert (sum(c.count for c in counts), len(mentions)) == (1, 1)
    assert [batch.complete_until is not None for batch in batches[-2:]] == [True, False]
    assert (sum(c.count for c in again[0]), again[1]) == (1, [])


def test_a_cursor_that_zendesk_lost_goes_on_from_the_time_that_was_read() -> None:
    with ZendeskNetwork(NOW) as network:
        network.ticket(ago(hours=5))
        _, _, batches = turn(network, settings=TICKETS)
        network.lose()
        network.ticket(NOW)
        later = NOW + timedelta(minutes=5)
        _, mentions, _ = turn(network, batches[-1].cursor, later, TICKETS)
    assert [mention.id for mention in mentions] == ["2"]
    assert network.asked[-1].params["start_time"] == str(int(ago(minutes=16).timestamp()))


def test_of_a_desk_with_several_brands_only_one_is_read() -> None:
    with ZendeskNetwork(NOW) as network:
        network.ticket(ago(minutes=5), brand_id=2)
        network.ticket(ago(minutes=6), brand_id=3)
        counts, mentions, _ = turn(network, settings=ZendeskSettings(tickets=True, brand_id=3))
    assert (sum(c.count for c in counts), [m.id for m in mentions]) == (1, ["2"])


def test_a_wrong_token_says_what_to_set_and_shows_none() -> None:
    with ZendeskNetwork(NOW) as network, pytest.raises(CollectorError, match="FORESHOCK_ZENDESK_SUBDOMAIN") as error:
        poll(network, token="hunter2")
    assert "hunter2" not in str(error.value)
    assert "hunter2" not in repr(Desk("https://acme.zendesk.com", *WHO[:1], "hunter2"))


@pytest.mark.parametrize("settings", [COUNTS, TICKETS])
@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"results": [], "tickets": []}', b'{"results": [7], "tickets": 7}'])
def test_an_answer_that_leaves_out_what_is_needed_is_an_error(settings: ZendeskSettings, body: bytes) -> None:
    with Network(lambda _: Reply(200, body)) as network, pytest.raises(CollectorError):
        poll(network, settings=settings)


def test_broken_tickets_are_counted_as_skipped_and_the_others_read() -> None:
    sound = {"id": 1, "created_at": "2026-03-08T11:00:00Z", "updated_at": "2026-03-08T11:00:00Z", "subject": "acme"}
    broken: list[Any] = [None, 7, {}, {**sound, "id": "x"}, {**sound, "created_at": 7}]
    body = json.dumps({"tickets": [*broken, sound], "end_of_stream": True, "after_cursor": None}).encode()
    with Network(lambda _: Reply(200, body)) as network:
        batch = poll(network, settings=TICKETS)
    assert ([m.id for m in batch.mentions], batch.skipped) == (["1"], len(broken))


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({}, "FORESHOCK_ZENDESK_TOKEN"),
        ({"zendesk_subdomain": "acme", "zendesk_email": "a@b.c"}, "FORESHOCK_ZENDESK_TOKEN"),
        (
            {"zendesk_subdomain": "acme.zendesk.com/", "zendesk_email": "a@b.c", "zendesk_token": "t"},
            "stands before .zendesk.com",
        ),
    ],
)
def test_a_desk_that_is_not_set_up_says_how(secrets: dict[str, str], said: str) -> None:
    with pytest.raises(CollectorError, match=said):
        build(COUNTS, "acme", "acme", Outbound(), secrets)


def test_a_source_that_reads_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="set one of them to true"):
        ZendeskSettings(counts=False)
