"""The conformance suite's `Case` of each collector, in `CASES` under its source's name."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from collectors import discourse, hackernews, stackexchange
from collectors.appstore import AppStoreCollector, AppStoreSettings
from collectors.bluesky import BlueskyCollector, BlueskySettings
from collectors.collector import Ask, Collector
from collectors.discourse import DiscourseSettings
from collectors.feeds import FeedCollector, FeedSettings
from collectors.files import FileCollector, FileSettings
from collectors.gdelt import GdeltCollector, GdeltSettings
from collectors.hackernews import HackerNewsSettings
from collectors.mastodon import MastodonCollector, MastodonSettings
from collectors.mastodon_search import MastodonSearchCollector, MastodonSearchSettings
from collectors.outbound import Outbound
from collectors.reddit import RedditCollector, RedditSettings
from collectors.stackexchange import StackExchangeSettings
from collectors.x import XCollector
from collectors.x_settings import XSettings
from collectors.x_stream import XStream
from collectors.youtube import YouTubeCollector
from collectors.youtube_settings import YouTubeSettings
from collectors.zendesk import Desk, ZendeskCollector, ZendeskSettings
from tests.collectors.appstore_network import AppStore, review
from tests.collectors.case import NOW, Case
from tests.collectors.facebook_cases import facebook_comments, facebook_posts, facebook_tagged
from tests.collectors.gdelt_network import GdeltNetwork
from tests.collectors.jetstream_network import DID, JetstreamNetwork, event
from tests.collectors.mastodon_network import MastodonNetwork, SearchNetwork
from tests.collectors.networks import FeedNetwork, Network, XNetwork
from tests.collectors.reddit_network import CLIENT, RedditNetwork
from tests.collectors.searched_networks import DiscourseNetwork, HackerNewsNetwork, Searched, StackExchangeNetwork
from tests.collectors.x_stream_network import XStreamNetwork
from tests.collectors.youtube_network import CHANNEL, KEY, YouTubeNetwork
from tests.collectors.zendesk_network import WHO, ZendeskNetwork


@contextmanager
def x_posts() -> Iterator[Case]:
    """X's recent search."""
    with XNetwork(NOW) as network:

        def build(out: Outbound) -> Collector:
            settings = XSettings(counts=False, posts_per_poll=10_000)
            return XCollector(settings, "acme", "acmeair", out, "let-me-in", network.url)

        def publish(n: int, at: datetime) -> list[str]:
            return [network.post(at - timedelta(milliseconds=100 * i), f"acmeair {i}") for i in range(n)]

        def disorder() -> None:
            network.repeat_on_next_page = 7

        yield Case(network, build, publish, disorder=disorder, clock=lambda now: setattr(network, "now", now))


@contextmanager
def x_counts() -> Iterator[Case]:
    """X's minute counts."""
    with XNetwork(NOW) as network:
        network.minutes_per_page = 4000

        def build(out: Outbound) -> Collector:
            return XCollector(XSettings(posts=False), "acme", "acmeair", out, "let-me-in", network.url)

        def publish(n: int, at: datetime) -> list[str]:
            minute = at.replace(second=0, microsecond=0)
            for _ in range(n):
                network.post(minute, "acmeair")
            return [f"{minute.isoformat()}={n}"]

        yield Case(network, build, publish, clock=lambda now: setattr(network, "now", now))


@contextmanager
def x_stream() -> Iterator[Case]:
    """X's filtered stream, which says nothing here: what came between two connections is searched for."""
    with XStreamNetwork(NOW) as network:

        def build(out: Outbound) -> Collector:
            stream = XStream(out, "let-me-in", network.url, stay=0.05)
            stream.asks = lambda: {"acme": Ask("acmeair", XSettings(counts=False, stream=True))}
            return stream

        def publish(n: int, at: datetime) -> list[str]:
            return [network.post(at - timedelta(milliseconds=100 * i), f"acmeair {i}") for i in range(n)]

        def disorder() -> None:
            network.repeat_on_next_page = 7

        yield Case(network, build, publish, disorder=disorder, clock=lambda now: setattr(network, "now", now))


@contextmanager
def feed() -> Iterator[Case]:
    """A feed that lists the newest first."""
    with FeedNetwork() as network:
        items: list[str] = []

        def publish(n: int, at: datetime) -> list[str]:
            found = []
            for i in range(n):
                identity, when = f"tag:example.org,2026:{len(items)}", at - timedelta(milliseconds=100 * i)
                items.insert(
                    0,
                    f"<item><title>acmeair {len(items)}</title><guid isPermaLink='false'>{identity}</guid>"
                    f"<pubDate>{format_datetime(when)}</pubDate></item>",
                )
                found.append(identity)
            network.body = f"<rss version='2.0'><channel>{''.join(items)}</channel></rss>".encode()
            network.etag = f'"{len(items)}"'
            return found

        def disorder() -> None:
            items[:] = [*items[::-1], *items[:7]]
            network.body = f"<rss version='2.0'><channel>{''.join(items)}</channel></rss>".encode()
            network.etag = '"disorder"'

        yield Case(network, lambda out: FeedCollector(FeedSettings(url=network.url), out), publish, disorder=disorder)


@contextmanager
def reddit_search() -> Iterator[Case]:
    """Reddit's search."""
    with RedditNetwork() as network:

        def publish(n: int, at: datetime) -> list[str]:
            return [network.submit(at - timedelta(milliseconds=100 * i), f"acmeair {i}") for i in range(n)]

        yield reddit(network, RedditSettings(), publish)


@contextmanager
def reddit_comments() -> Iterator[Case]:
    """Submissions and comments of subreddits."""
    with RedditNetwork() as network:

        def publish(n: int, at: datetime) -> list[str]:
            return [network.comment(at - timedelta(milliseconds=100 * i), f"acmeair {i}") for i in range(n)]

        yield reddit(network, RedditSettings(search=False, subreddits=("acme", "air")), publish)


def reddit(network: RedditNetwork, settings: RedditSettings, publish: Callable[[int, datetime], list[str]]) -> Case:
    def disorder() -> None:
        network.repeat_on_next_page, network.shuffled = 7, True

    def build(out: Outbound) -> Collector:
        return RedditCollector(settings, "acme", "acmeair", out, CLIENT, network.url)

    return Case(network, build, publish, disorder=disorder)


@contextmanager
def youtube_comments() -> Iterator[Case]:
    """The comments of a channel."""
    with YouTubeNetwork() as network:

        def build(out: Outbound) -> Collector:
            settings = YouTubeSettings(channels=(CHANNEL,), searches_per_day=0)
            return YouTubeCollector(settings, "acme", "acmeair", out, KEY, network.url)

        def publish(n: int, at: datetime) -> list[str]:
            return [network.comment(at - timedelta(milliseconds=100 * i), f"acmeair {i}") for i in range(n)]

        def disorder() -> None:
            network.repeat_on_next_page, network.shuffled = 7, True

        yield Case(network, build, publish, disorder=disorder)


@contextmanager
def hacker_news() -> Iterator[Case]:
    """Algolia's search by date, in pages of 100."""
    with HackerNewsNetwork() as network:
        network.size = 100

        def build(out: Outbound) -> Collector:
            return hackernews.collector(HackerNewsSettings(), "acmeair", out, network.url)

        yield _searched(network, build)


@contextmanager
def stack_exchange() -> Iterator[Case]:
    """Stack Exchange's search, with a key's quota."""
    with StackExchangeNetwork() as network:

        def build(out: Outbound) -> Collector:
            return stackexchange.collector(StackExchangeSettings(), "acmeair", out, None, network.url)

        yield _searched(network, build)


@contextmanager
def discourse_forum(old: bool = False) -> Iterator[Case]:
    """A forum's latest posts."""
    with DiscourseNetwork(old) as network:
        yield _searched(network, lambda out: discourse.collector(DiscourseSettings(url=network.url), out))


def _searched(network: Searched, build: Callable[[Outbound], Collector]) -> Case:
    def publish(n: int, at: datetime) -> list[str]:
        return [network.post(at - timedelta(milliseconds=100 * i), f"acmeair {i}") for i in reversed(range(n))]

    return Case(network, build, publish, disorder=lambda: setattr(network, "disorder", True))


@contextmanager
def zendesk_desk(counts: bool) -> Iterator[Case]:
    """A desk's counts of new tickets, or its tickets."""
    with ZendeskNetwork(NOW) as network:

        def build(out: Outbound) -> Collector:
            settings = ZendeskSettings(counts=counts, tickets=not counts)
            return ZendeskCollector(settings, "acme", out, Desk(network.url, *WHO))

        def publish(n: int, at: datetime) -> list[str]:
            minute = at.replace(second=0, microsecond=0)
            found = [network.ticket(minute + timedelta(seconds=i % 40)) for i in range(n)]
            return [f"{minute.isoformat()}={n}"] if counts else found

        yield Case(network, build, publish, clock=lambda now: setattr(network, "now", now))


@contextmanager
def gdelt_articles() -> Iterator[Case]:
    """GDELT's list of articles."""
    with GdeltNetwork(NOW) as network:

        def publish(n: int, at: datetime) -> list[str]:
            names = [f"{len(network.articles) + i}" for i in range(n)]
            network.articles += [
                (at.replace(microsecond=0) - timedelta(seconds=i), f"{name}") for i, name in enumerate(names)
            ]
            return [f"https://news.example/{name}" for name in names]

        def build(out: Outbound) -> Collector:
            return GdeltCollector(GdeltSettings(counts=False), "acme", "acmeair", out, network.url)

        def disorder() -> None:
            network.shuffled = True

        yield Case(network, build, publish, disorder=disorder, clock=lambda now: setattr(network, "read", now))


@contextmanager
def appstore_reviews() -> Iterator[Case]:
    """Reviews of an app."""
    with AppStore() as network:

        def publish(n: int, at: datetime) -> list[str]:
            first = len(network.reviews)
            times = [at.replace(microsecond=0) - timedelta(seconds=i % 60) for i in range(n)]
            network.reviews += [review(first + i, when) for i, when in enumerate(times)]
            return [f"de:{first + i}" for i in range(n)]

        def build(out: Outbound) -> Collector:
            return AppStoreCollector(AppStoreSettings(app=42, country="de"), "acme", out, network.url)

        def disorder() -> None:
            network.shuffled = True

        yield Case(network, build, publish, disorder=disorder)


@contextmanager
def bluesky_stream() -> Iterator[Case]:
    """Jetstream, which replays from a cursor and then stays silent."""
    with JetstreamNetwork() as network:

        def build(out: Outbound) -> Collector:
            return BlueskyCollector(BlueskySettings(servers=(network.url,)), out, stay=0.2, silence=0.2)

        def publish(n: int, at: datetime) -> list[str]:
            found = []
            for i in reversed(range(n)):
                key = f"3k{len(network.events)}"
                network.events.append(event(at - timedelta(milliseconds=100 * i), f"acmeair {i}", key=key))
                found.append(f"{DID}/{key}")
            return found

        def disorder() -> None:
            network.events[:] = [*network.events[::-1], *network.events[:7]]

        yield Case(network, build, publish, disorder=disorder)


@contextmanager
def mastodon_timeline(token: str | None = None) -> Iterator[Case]:
    """A server's public timeline, and with a token its stream beside it, which says nothing."""
    with MastodonNetwork() as network:
        network.token, network.ends = token, True

        def build(out: Outbound) -> Collector:
            return MastodonCollector(MastodonSettings(server=network.url), out, token, stay=0.2)

        def publish(n: int, at: datetime) -> list[str]:
            return [network.post(at - timedelta(milliseconds=100 * i), f"acmeair {i}")["uri"] for i in range(n)]

        yield Case(network, build, publish, disorder=lambda: setattr(network, "repeats", 7))


@contextmanager
def mastodon_search() -> Iterator[Case]:
    """A server's search."""
    with SearchNetwork() as network:

        def build(out: Outbound) -> Collector:
            return MastodonSearchCollector(MastodonSearchSettings(server=network.url), "acmeair", out, "let-me-in")

        def publish(n: int, at: datetime) -> list[str]:
            return [network.post(at - timedelta(milliseconds=100 * i), f"acmeair {i}")["uri"] for i in range(n)]

        yield Case(network, build, publish, disorder=lambda: setattr(network, "repeats", 7))


@contextmanager
def file_lines() -> Iterator[Case]:
    """A file that another program writes; no server is asked."""
    with TemporaryDirectory() as name, Network() as network:
        folder, lines = Path(name), list[str]()

        def build(_: Outbound) -> Collector:
            return FileCollector(FileSettings(path="said.jsonl"), "acme", folder)

        def publish(n: int, at: datetime) -> list[str]:
            found = [f"{len(lines) + i}" for i in range(n)]
            told = {"text": "acmeair", "published_at": at.isoformat()}
            lines.extend(json.dumps({"id": id_, **told}) + "\n" for id_ in found)
            (folder / "said.jsonl").write_text("".join(lines))
            return found

        def disorder() -> None:
            (folder / "said.jsonl").write_text("".join([*lines[::-1], *lines[:7]]))

        yield Case(network, build, publish, disorder=disorder, outbound=False, answers=False)


#: By source; one that reads in two ways has two cases, `name` and `name: what`.
CASES: dict[str, Callable[[], AbstractContextManager[Case]]] = {
    "appstore": appstore_reviews,
    "bluesky": bluesky_stream,
    "facebook": facebook_posts,
    "facebook: comments": facebook_comments,
    "facebook: tagged": facebook_tagged,
    "feed": feed,
    "file": file_lines,
    "mastodon": mastodon_timeline,
    "mastodon: stream": lambda: mastodon_timeline("let-me-in"),
    "mastodon_search": mastodon_search,
    "gdelt": gdelt_articles,
    "reddit": reddit_search,
    "reddit: subreddits": reddit_comments,
    "youtube": youtube_comments,
    "x": x_posts,
    "x: counts": x_counts,
    "x_stream": x_stream,
    "discourse": discourse_forum,
    "discourse: old release": lambda: discourse_forum(old=True),
    "hackernews": hacker_news,
    "stackexchange": stack_exchange,
    "zendesk": lambda: zendesk_desk(counts=False),
    "zendesk: counts": lambda: zendesk_desk(counts=True),
}
