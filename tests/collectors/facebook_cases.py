"""Facebook's part in the conformance suite: visitors' posts, comments, and posts that tag the page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from collectors.collector import Collector
from collectors.facebook import FacebookCollector, FacebookSettings
from collectors.outbound import Outbound
from tests.collectors.case import NOW, Case
from tests.collectors.facebook_network import PAGE, TOKEN, FacebookNetwork


@contextmanager
def facebook_posts() -> Iterator[Case]:
    """What visitors post on a page."""
    with FacebookNetwork() as network:
        yield facebook(network, network.post)


@contextmanager
def facebook_comments() -> Iterator[Case]:
    """Comments on one of the page's own posts."""
    with FacebookNetwork() as network:
        post = network.post(NOW - timedelta(days=3), "acmeair flies", writer=PAGE)
        yield facebook(network, lambda at, text: network.comment(post, at, text))


@contextmanager
def facebook_tagged() -> Iterator[Case]:
    """Posts elsewhere that tag the page."""
    with FacebookNetwork() as network:
        yield facebook(network, lambda at, text: network.post(at, text, tagged=True))


def facebook(network: FacebookNetwork, write: Callable[[datetime, str], str]) -> Case:
    def build(out: Outbound) -> Collector:
        return FacebookCollector(FacebookSettings(page=PAGE, tagged=True), "acme", "acmeair", out, TOKEN, network.url)

    def publish(n: int, at: datetime) -> list[str]:
        return [write(at - timedelta(milliseconds=100 * i), f"acmeair {i}") for i in range(n)]

    def disorder() -> None:
        network.repeat_on_next_page, network.shuffled = 7, True

    return Case(network, build, publish, disorder=disorder)
