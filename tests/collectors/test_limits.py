import asyncio
import time
from datetime import UTC, datetime

import pytest

from collectors.collector import Limit
from collectors.limits import LONGEST, MOST_REFUSED, REFUSED, Limiter
from collectors.outbound import Outbound, OutboundError
from collectors.x_settings import DECLARATION
from tests.collectors.networks import Network, Reply

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()


def test_a_declared_limit_holds_in_every_window_of_its_length() -> None:
    limiter, now, sent = Limiter(Limit(3, 10.0)), NOW, list[float]()
    while len(sent) < 30:
        wait = limiter.wait("host", now)
        now += wait
        limiter.take("host", now)
        sent.append(now)
        now += 0.7
    assert all(sum(at <= other < at + 10.0 for other in sent) <= 3 for at in sent)
    assert sent[-1] - sent[0] < 100.0, "and no longer is waited than needed"


def test_a_hundred_brands_share_the_requests_of_x_and_searches_have_their_own() -> None:
    assert DECLARATION.limit is not None
    limiter = Limiter(DECLARATION.limit)
    counts, search = (
        limiter.route("https://api.x.com", path) for path in ("/2/tweets/counts/recent", "/2/tweets/search")
    )
    for _ in range(300):
        assert limiter.wait(counts, NOW) == 0.0
        limiter.take(counts, NOW)
    assert limiter.wait(counts, NOW + 1) == 899.0
    assert limiter.wait(search, NOW + 1) == 0.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(NOW + 120)}, 120.0),
        ({"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "34"}, 34.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-03-01T12:01:30.000000Z"}, 90.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "5"}, 5.0),
        ({"x-rate-limit-remaining": "1", "x-rate-limit-reset": str(NOW + 120)}, 0.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(NOW - 1)}, 0.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1e300"}, LONGEST),
        ({"x-rate-limit-remaining": "nan", "x-rate-limit-reset": "soon"}, 0.0),
        ({"x-rate-limit-remaining": "-1", "x-rate-limit-reset": "-1"}, 0.0),
        ({}, 0.0),
    ],
)
def test_what_an_answer_says_is_left_is_believed_until_it_begins_anew(headers: dict[str, str], wait: float) -> None:
    limiter = Limiter()
    limiter.follow("host", 200, headers, NOW)
    assert limiter.wait("host", NOW) == pytest.approx(wait)
    assert limiter.wait("host", NOW + wait) == 0.0
    assert limiter.wait("another", NOW) == 0.0


def test_requests_under_way_are_taken_off_what_is_left() -> None:
    limiter = Limiter()
    limiter.follow("host", 200, {"x-rate-limit-remaining": "2", "x-rate-limit-reset": str(NOW + 60)}, NOW)
    for _ in range(2):
        assert limiter.wait("host", NOW) == 0.0
        limiter.take("host", NOW)
    assert limiter.wait("host", NOW) == 60.0
    # The answer to the first arrives after the second was sent: it knows of itself alone.
    limiter.follow("host", 200, {"x-rate-limit-remaining": "1", "x-rate-limit-reset": str(NOW + 60)}, NOW)
    assert limiter.wait("host", NOW) == 60.0
    limiter.take("host", NOW + 60)
    assert limiter.wait("host", NOW + 60) == 0.0


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"retry-after": "30"}, 30.0),
        (503, {"retry-after": "Sun, 01 Mar 2026 12:00:45 GMT"}, 45.0),
        (429, {"x-rate-limit-reset": str(NOW + 20)}, 20.0),
        (429, {}, REFUSED),
        (429, {"retry-after": "later"}, REFUSED),
        (429, {"retry-after": "9" * 400}, LONGEST),
        (503, {}, 0.0),
        (500, {"retry-after": "30"}, 0.0),
    ],
)
def test_a_refusal_keeps_everybody_away_for_as_long_as_it_says(
    status: int, headers: dict[str, str], wait: float
) -> None:
    limiter = Limiter()
    limiter.follow("host", status, headers, NOW)
    assert limiter.wait("host", NOW) == pytest.approx(wait)


def test_refusals_without_a_word_keep_away_longer_and_longer_until_one_is_answered() -> None:
    limiter, waits = Limiter(), []
    for _ in range(6):
        limiter.follow("host", 429, {}, NOW)
        waits.append(limiter.wait("host", NOW))
    assert waits == [60.0, 120.0, 240.0, 480.0, MOST_REFUSED, MOST_REFUSED]
    limiter.follow("host", 200, {}, NOW + 1000)
    limiter.follow("host", 429, {}, NOW + 1000)
    assert limiter.wait("host", NOW + 1000) == 60.0


def test_one_that_is_refused_keeps_the_others_from_asking() -> None:
    async def run(network: Network) -> None:
        async with Outbound(frozenset({network.host}), timeout=5) as out:
            limiter = Limiter()
            first, second = out.within(limiter), out.within(limiter)
            network.failures.append(Reply(429, headers={"Retry-After": "300"}))
            assert (await first.fetch("GET", network.url)).status == 429
            with pytest.raises(OutboundError, match="is used up for 300 seconds") as error:
                await second.fetch("GET", network.url)
            assert error.value.retry_after == pytest.approx(300, abs=5)
            assert error.value.unpaid
            assert (await out.fetch("GET", network.url)).status == 204

    with Network(lambda _: Reply(204)) as network:
        asyncio.run(run(network))
        assert len(network.asked) == 2


def test_a_short_wait_is_waited_for() -> None:
    async def run(network: Network) -> None:
        async with Outbound(frozenset({network.host}), timeout=5) as out:
            limited = out.within(Limiter(Limit(2, 0.3)))
            for _ in range(5):
                await limited.fetch("GET", network.url)

    began = time.monotonic()
    with Network(lambda _: Reply(204)) as network:
        asyncio.run(run(network))
    assert time.monotonic() - began >= 0.6
