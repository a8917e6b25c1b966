import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from collectors.collector import Batch, CollectorError
from collectors.outbound import Outbound
from collectors.query import parse
from collectors.x import XCollector
from collectors.x_rule import Rule, rule
from collectors.x_settings import XSettings
from tests.collectors.networks import XNetwork

NOW = datetime(2026, 3, 8, 12, 0, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('"acme air" OR acmeair', '"acme air" OR acmeair'),
        ("acme AND air", "acme air"),
        ("(acme OR @acme) (late OR #fail) NOT (bus OR train)", "(acme OR @acme) (late OR #fail) -bus -train"),
        ("$ACME lang:id -lang:de", "$acme lang:in -lang:de"),
        ("acme author:@Jane", "acme from:jane"),
        ("acme source:x kind:post", "acme"),
        ("acme -source:reddit -kind:ticket", "acme"),
        ("acme OR (air source:reddit)", "acme"),
        ("acme-air OR 50%", '"acme-air" OR "50%"'),
        ("acme 🔥", 'acme "🔥"'),
    ],
)
def test_what_x_can_say_is_said_exactly(query: str, said: str) -> None:
    assert rule(parse(query)) == Rule(said, exact=True)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("acme refund*", "acme"),
        ("acme followers:>1000", "acme"),
        ("acme -refund*", "acme"),
        ("acme NOT (bus train)", "acme"),
        ("{Acme}", "acme"),
        ("acme NOT {Air}", "acme"),
        ("acme NOT (bus NEAR/3 late)", "acme"),
        ("(acme OR @acme) NEAR/5 (late OR delay)", "(acme OR @acme) (late OR delay)"),
        ("acme NEAR/5 delay*", "acme"),
        ('bus OR "complain* about acme"', 'bus OR "about acme"'),
        ("acme url:acme.com", "acme"),
        ('acme author:"Jane Doe"', "acme"),
    ],
)
def test_what_x_cannot_say_is_left_out_so_that_it_finds_more(query: str, said: str) -> None:
    assert rule(parse(query)) == Rule(said, exact=False)


@pytest.mark.parametrize("query", ["refund*", "acme OR refund*", "lang:en", "followers:>5", "source:x", "lang:en -bus"])
def test_a_query_that_leaves_nothing_to_search_for_is_refused(query: str) -> None:
    with pytest.raises(CollectorError, match="joined by OR"):
        rule(parse(query))


@pytest.mark.parametrize("query", ["acme source:reddit", "acme -source:x", "kind:ticket OR source:reddit"])
def test_a_query_that_matches_no_post_of_x_is_refused(query: str) -> None:
    with pytest.raises(CollectorError, match="matches no post of X"):
        rule(parse(query))


def test_of_a_query_that_x_cannot_say_posts_are_read_to_be_matched_again_and_no_counts() -> None:
    async def polled() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=1) as out:
            return await XCollector(XSettings(), "acme", "acme refund*", out, "let-me-in", network.url).poll({}, NOW)

    with XNetwork(NOW) as network:
        network.post(NOW - timedelta(minutes=2), "acme refunds")
        batch = asyncio.run(polled())
    assert [(asked.path.split("/")[3], asked.params["query"]) for asked in network.asked] == [("search", "acme")]
    assert [mention.brands for mention in batch.mentions] == [None]
    assert batch.counts == []
    assert batch.complete_until is not None


def test_counts_alone_are_refused_where_x_cannot_say_the_query() -> None:
    async def made() -> XCollector:
        async with Outbound() as out:
            return XCollector(XSettings(posts=False), "acme", "acme refund*", out, "token")

    with pytest.raises(CollectorError, match="set posts: true"):
        asyncio.run(made())
