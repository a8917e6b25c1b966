import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.collector import Ask, Batch, CollectorError, Price
from collectors.mention import Author, Mention
from collectors.outbound import Outbound
from collectors.x_settings import XSettings
from collectors.x_stream import XStream
from tests.collectors.networks import Reply
from tests.collectors.x_stream_network import END, KEEP_ALIVE, RULES, STREAM, XStreamNetwork

NOW = datetime(2026, 3, 8, 12, 0, 40, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
UNCOUNTED = XSettings(stream=True, counts=False)
ACME = {"acme": Ask("acmeair", UNCOUNTED)}


class Listening:
    """A stream under way: batches until a test has what it waits for."""

    def __init__(self, network: XStreamNetwork, out: Outbound, asks: Mapping[str, Ask], silence: float) -> None:
        self.collector = XStream(out, "let-me-in", network.url, stay=0.05, silence=silence)
        self.collector.asks = lambda: asks
        self.batches: list[Batch] = []

    async def until(
        self,
        enough: Callable[[], object],
        cursor: Mapping[str, Any] | None = None,
        now: datetime = NOW,
    ) -> Batch:
        """Listen until `enough` holds after a batch; return that batch."""
        async with asyncio.timeout(20), aclosing(self.collector.stream(dict(cursor or {}), now)) as batches:
            async for batch in batches:
                self.batches.append(batch)
                if enough():
                    return batch
        raise AssertionError("the stream ended before")

    @property
    def mentions(self) -> list[Mention]:
        return [mention for batch in self.batches for mention in batch.mentions]

    def heard(self, *ids: str) -> Callable[[], bool]:
        return lambda: {*ids} <= {mention.id for mention in self.mentions}


def listening(
    network: XStreamNetwork,
    body: Callable[[Listening], Awaitable[None]],
    asks: Mapping[str, Ask] = ACME,
    silence: float = 20.0,
) -> None:
    async def run() -> None:
        async with Outbound(frozenset({network.host}), timeout=10) as out:
            await body(Listening(network, out, asks, silence))

    asyncio.run(run())


def test_a_post_comes_with_its_author_and_the_brands_whose_rules_it_matched() -> None:
    asks = {**ACME, "globex": Ask("globex", UNCOUNTED), "twin": Ask("acmeair", UNCOUNTED)}

    async def body(stream: Listening) -> None:
        both = network.post(NOW, "acmeair and globex", author_id="42")
        one = network.post(NOW, "globex")
        network.script += [KEEP_ALIVE, network.line(both), KEEP_ALIVE, network.line(one)]
        await stream.until(stream.heard(both, one))
        assert [mention.brands for mention in stream.mentions] == [["acme", "globex", "twin"], ["globex"]]
        assert stream.mentions[0].author == Author(id="42", name="u42", followers=42)
        assert sum(batch.cost for batch in stream.batches) == pytest.approx(0.01), "a post is billed once"

    with XStreamNetwork(NOW) as network:
        listening(network, body, asks)
        assert network.values == ["acmeair", "globex"], "one rule where two brands ask for the same"
        (asked,) = network.requests(STREAM)
        assert asked.params["tweet.fields"] == "created_at,lang,public_metrics,referenced_tweets"


def test_of_a_query_that_x_cannot_say_posts_are_matched_again() -> None:
    async def body(stream: Listening) -> None:
        post = network.post(NOW, "acmeair refunds")
        network.script.append(network.line(post))
        await stream.until(stream.heard(post))
        assert stream.mentions[0].brands is None

    with XStreamNetwork(NOW) as network:
        listening(network, body, {"acme": Ask("acmeair refund*", XSettings(stream=True))})


def test_rules_follow_the_brands_and_only_what_differs_is_sent() -> None:
    asks = {**ACME, "globex": Ask("globex", UNCOUNTED)}

    async def body(stream: Listening) -> None:
        await stream.until(lambda: network.values == ["acmeair", "globex", "old campaign"])
        assert len(network.requests(RULES, "POST")) == 2
        await stream.until(lambda: True)
        assert len(network.requests(RULES, "POST")) == 2, "nothing differs"
        del asks["globex"]
        asks["initech"] = Ask("initech", UNCOUNTED)
        await stream.until(lambda: network.values == ["acmeair", "initech", "old campaign"])
        sent = [json.loads(asked.body) for asked in network.requests(RULES, "POST")[2:]]
        assert sent == [{"delete": {"ids": ["3"]}}, {"add": [{"value": "initech", "tag": "foreshock"}]}]
        connections = network.connections

        def late() -> bool:
            asks["late"] = Ask("late", UNCOUNTED)
            return "late" in network.values

        await stream.until(late)
        assert network.connections == connections + 1, "while connected, not by connecting again"

    with XStreamNetwork(NOW) as network:
        network.rules = {
            "a": {"value": "old campaign", "tag": "somebody's own"},
            "b": {"value": "gone", "tag": "foreshock"},
        }
        network._added = 1
        listening(network, body, asks)


@pytest.mark.parametrize("why", ["long", "many", "refused"])
def test_a_brand_whose_rule_does_not_fit_is_said_and_read_by_search_instead(why: str) -> None:
    query = "globex" if why != "long" else " ".join(["globex", *(f"w{n:04d}" for n in range(200))])
    asks = {**ACME, "globex": Ask(query, UNCOUNTED)}

    async def body(stream: Listening) -> None:
        post = network.post(NOW - timedelta(minutes=9), query)
        live = network.post(NOW, "acmeair")
        network.script.append(network.line(live))
        last = await stream.until(stream.heard(post, live))
        said = last.each["globex"].said
        assert said is not None
        assert said.endswith("; posts are searched for instead")
        assert last.each["acme"].said is None
        await stream.until(lambda: stream.batches[-1].each["globex"].complete_until)

    with XStreamNetwork(NOW) as network:
        network.most_rules = 1 if why == "many" else 9
        network.broken = "globex" if why == "refused" else None
        listening(network, body, asks)
        assert network.values == ["acmeair"]


def test_a_stream_that_breaks_amid_a_line_is_opened_again_and_the_post_is_found_by_search() -> None:
    async def body(stream: Listening) -> None:
        posts = [network.post(NOW + timedelta(seconds=n), f"acmeair {n}") for n in range(3)]
        first, torn, last = (network.line(post) for post in posts)
        network.script += [first, lambda: torn()[:50], END, last]
        batch = await stream.until(stream.heard(posts[0], posts[2]))
        assert network.connections == 2
        assert posts[1] not in {mention.id for mention in stream.mentions}
        complete = batch.each["acme"].complete_until
        assert complete is not None
        assert complete < NOW, "what lies between is not known yet"
        network.now = LATER
        batch = await stream.until(lambda: not stream.batches[-1].more, batch.cursor, LATER)
        assert {mention.id for mention in stream.mentions} == {*posts}
        assert len(stream.mentions) > 3, "some came twice, under the same identity"

    with XStreamNetwork(NOW) as network:
        listening(network, body)


def test_a_stream_that_is_silent_without_closing_is_dropped_and_opened_again() -> None:
    async def body(stream: Listening) -> None:
        post = network.post(NOW, "acmeair")
        await stream.until(lambda: network.connections == 2)
        network.script.append(network.line(post))
        await stream.until(stream.heard(post), stream.batches[-1].cursor)

    with XStreamNetwork(NOW) as network:
        listening(network, body, silence=0.2)


def test_keep_alives_keep_a_quiet_stream_open_and_say_up_to_when_it_is_complete() -> None:
    async def body(stream: Listening) -> None:
        started = asyncio.get_running_loop().time()

        def enough() -> bool:
            network.script.append(KEEP_ALIVE)
            return asyncio.get_running_loop().time() - started > 3.4

        last = await stream.until(enough, {"brands": {"acme": {"since": 0}}})
        assert network.connections == 1
        assert last.mentions == []

    with XStreamNetwork(NOW) as network:
        listening(network, body, silence=3.0)


def test_a_poll_whose_cursor_was_not_stored_gives_the_same_again() -> None:
    async def body(stream: Listening) -> None:
        before = network.post(NOW - timedelta(minutes=2), "acmeair")
        live = network.post(NOW, "acmeair")
        network.script.append(network.line(live))
        await stream.until(stream.heard(before, live))  # and now the process dies
        stream.batches.clear()
        network.now = LATER
        await stream.until(stream.heard(before, live), {}, LATER)

    with XStreamNetwork(NOW) as network:
        listening(network, body)


def test_after_a_long_absence_all_that_x_still_offers_is_read_and_the_rest_is_said_to_be_missed() -> None:
    async def body(stream: Listening) -> None:
        first = await stream.until(lambda: not stream.batches[-1].more)
        for days in (8, 6, 1):
            network.post(NOW + timedelta(days=10 - days), f"acmeair {days}")
        network.now = NOW + timedelta(days=10)
        last = await stream.until(lambda: not stream.batches[-1].more, first.cursor, network.now)
        assert {mention.text for mention in stream.mentions} == {"acmeair 6", "acmeair 1"}
        missed = next(told.missed for batch in stream.batches if (told := batch.each["acme"]).missed)
        assert NOW - timedelta(minutes=1) < missed[0] < NOW + timedelta(minutes=1)
        assert abs(missed[1] - (NOW + timedelta(days=3, minutes=2))) < timedelta(minutes=1)
        assert not last.more

    with XStreamNetwork(NOW) as network:
        listening(network, body)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"x-rate-limit-reset": str(int(NOW.timestamp()) + 300)}, 300.0), ({"Retry-After": "7"}, 7.0), ({}, 60.0)],
)
def test_too_many_connections_say_how_long_to_wait(headers: dict[str, str], wait: float) -> None:
    class Refusing(XStreamNetwork):
        def _serve(self, handler: Any) -> None:
            if handler.path.startswith(f"{STREAM}?"):
                self.failures.append(Reply(429, b'{"title": "ConnectionException"}', headers))
            super()._serve(handler)

    async def body(stream: Listening) -> None:
        with pytest.raises(CollectorError, match="429") as error:
            await stream.until(lambda: False)
        assert error.value.retry_after == pytest.approx(wait, abs=1)
        assert error.value.unpaid

    with Refusing(NOW) as network:
        listening(network, body)


def test_a_token_that_expires_while_connected_is_refused_by_name_without_the_token() -> None:
    async def body(stream: Listening) -> None:
        await stream.until(lambda: True)
        stream.collector._client.bearer_token = "AAAA-expired"
        network.script.append(END)
        with pytest.raises(CollectorError, match="401 Unauthorized") as error:
            await stream.until(lambda: False)
        assert "AAAA" not in error.value.reason

    with XStreamNetwork(NOW) as network:
        listening(network, body)


@pytest.mark.parametrize(
    "said",
    [
        {"errors": [{"title": "operational-disconnect", "detail": "This stream has been disconnected upstream"}]},
        {"title": "ConnectionException", "connection_issue": "TooManyConnections"},
    ],
)
def test_what_x_says_before_it_closes_ends_the_connection_and_loses_nothing(said: dict[str, Any]) -> None:
    async def body(stream: Listening) -> None:
        posts = [network.post(NOW, f"acmeair {n}") for n in range(2)]
        network.script += [network.line(posts[0]), json.dumps(said).encode() + b"\r\n"]
        await stream.until(stream.heard(posts[0]))
        network.script.append(network.line(posts[1]))
        await stream.until(stream.heard(posts[1]))
        assert network.connections >= 2

    with XStreamNetwork(NOW) as network:
        listening(network, body)


def test_a_deletion_that_the_stream_tells_of_is_given_on() -> None:
    async def body(stream: Listening) -> None:
        post = network.post(NOW - timedelta(seconds=1), "acmeair")
        told = {"data": {"delete": {"tweet": {"id": post, "author_id": "42"}, "event_at": "2026-03-08T12:00:41Z"}}}
        network.script += [network.line(post), json.dumps(told).encode() + b"\n"]
        await stream.until(lambda: any(mention.deleted for mention in stream.mentions))
        assert stream.mentions[-1].id == post

    with XStreamNetwork(NOW) as network:
        listening(network, body)


def test_lines_that_cannot_be_read_are_skipped_and_counted() -> None:
    async def body(stream: Listening) -> None:
        good = network.post(NOW, "acmeair")
        lines = [
            b"{",
            b"[1]",
            b'"x"',
            b'{"data": {"id": "x"}}',
            b'{"data": 5}',
            b'{"data": {"delete": {}}}',
            b'{"data": {"delete": {"tweet": {"id": "%s"}}}}' % (b"9" * 60),
            b"\xff",
            b"{}",
        ]
        network.script += [*(line + b"\r\n" for line in lines), network.line(good)]
        await stream.until(stream.heard(good))
        assert sum(batch.skipped for batch in stream.batches) == len(lines)

    with XStreamNetwork(NOW) as network:
        listening(network, body)


class Counted:
    """A purse with so much money for each brand; it must hold what is spent."""

    def __init__(self, dollars: float) -> None:
        self.left, self.held, self.paid = dollars, dict[str, float](), 0.0

    async def fill(self, prices: Mapping[str, Price], spent: Mapping[str, float]) -> Mapping[str, str]:
        for brand, cost in spent.items():
            assert cost <= self.held.pop(brand), "never more than was put aside"
            self.paid += cost
            self.left -= cost
        self.held = {brand: held for brand, held in self.held.items() if brand in prices}
        new = {brand: price.most for brand, price in prices.items() if brand not in self.held}
        self.held |= {brand: most for brand, most in new.items() if most <= self.left}
        return {brand: "no money" for brand in prices if brand not in self.held}


def test_each_batch_costs_no_more_than_was_put_aside_and_without_money_the_rule_is_taken_back() -> None:
    async def body(stream: Listening) -> None:
        stream.collector.purse = purse = Counted(1.3)
        posts = [network.post(NOW, f"acmeair {n}") for n in range(400)]
        network.rules = {"1": {"value": "acmeair", "tag": "foreshock"}}
        network.script.append(b"".join(network.line(post)() for post in posts))
        async with asyncio.timeout(20):
            async for batch in stream.collector.stream({}, NOW):
                stream.batches.append(batch)
        assert purse.paid == pytest.approx(sum(batch.cost for batch in stream.batches))
        assert 1.2 < purse.paid <= 1.3
        assert network.values == []
        last = await stream.collector.poll(stream.batches[-1].cursor, NOW)
        assert (last.each["acme"].why, last.each["acme"].said) == ("cap", "no money")
        assert last.each["acme"].complete_until is None

    with XStreamNetwork(NOW) as network:
        listening(network, body)


def test_a_sample_that_waits_for_money_says_so_and_is_not_bought_later() -> None:
    async def body(stream: Listening) -> None:
        stream.collector.purse = Counted(0.0)
        last = await stream.until(lambda: True, {"brands": {"acme": {"since": 1, "behind": []}}})
        assert (last.each["acme"].why, last.each["acme"].complete_until) == (None, None)
        assert "the counts go on" in (last.each["acme"].said or "")
        assert last.cursor == {"brands": {}}
        assert network.connections == 0

    with XStreamNetwork(NOW) as network:
        listening(network, body, {"acme": Ask("acmeair", XSettings(stream=True))})
