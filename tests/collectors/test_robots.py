import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from collectors import discourse, robots
from collectors.collector import Batch, Collector, CollectorError
from collectors.discourse import DiscourseSettings
from collectors.feeds import FeedCollector, FeedSettings
from collectors.outbound import USER_AGENT, Outbound, OutboundError, OutboundRefused
from collectors.robots import Robots
from tests.collectors.networks import Asked, Network, Reply

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
DAY = 86_400.0
FEED = b"<rss version='2.0'><channel><item><guid>urn:1</guid><title>Acme is late</title></item></channel></rss>"

T = TypeVar("T")


class Site(Network):
    """All websites of the world, behind the operator's proxy: no host of theirs is excepted from anything."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self.robots = Reply(200, "\n".join(lines).encode())
        self.page = Reply(200, b"a page")
        self.at = NOW.timestamp()

    def answer(self, asked: Asked) -> Reply:
        return self.robots if asked.path == "/robots.txt" else self.page

    @property
    def targets(self) -> list[str]:
        return [f"{asked.headers['host']}{asked.target.partition('93.184.216.34')[2]}" for asked in self.asked]


async def outside(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.216.34"]


def visit(site: Site, body: Callable[[Outbound], Awaitable[T]], timeout: float = 5.0) -> T:
    """Run `body` with a way out that heeds robots.txt, at the site's clock."""

    async def run() -> T:
        async with Outbound(proxy=site.url, resolve=outside, timeout=timeout) as out:
            return await body(out.heeding(Robots(out, lambda: site.at)))

    return asyncio.run(run())


async def read(out: Outbound, path: str = "/feed", host: str = "news.example") -> str:
    """Fetch a page; return what it says, or why it may not be read."""
    try:
        return (await out.fetch("GET", f"http://{host}{path}")).body.decode()
    except OutboundError as error:
        return error.reason


REFUSED = "http://news.example asks robots not to read this address (robots.txt)"


@pytest.mark.parametrize(
    ("lines", "path", "allowed"),
    [
        ((), "/feed", True),
        (("User-agent: *", "Disallow:"), "/feed", True),
        (("User-agent: *", "Disallow: /"), "/feed", False),
        (("User-agent: *", "Disallow: /"), "/robots.txt", True),
        (("User-agent: *", "Disallow: /a", "Allow: /a/b"), "/a/b/c", True),
        (("User-agent: *", "Allow: /a/b", "Disallow: /a/b/c"), "/a/b/c", False),
        (("User-agent: *", "Disallow: /a", "Allow: /a"), "/a", True),
        (("User-agent: *", "Disallow: /*.xml$"), "/news/feed.xml", False),
        (("User-agent: *", "Disallow: /*.xml$"), "/news/feed.xml?page=2", True),
        (("User-agent: *", "Disallow: /*?page="), "/feed?page=2", False),
        (("User-agent: *", "Disallow: /news/*/feed"), "/news/2026/03/feed", False),
        (("User-agent: *", "Disallow: /Feed"), "/feed", True),
        (("User-agent: *", "Disallow: /caf%C3%A9"), "/café", False),
        (("User-agent: *", "Disallow: /", "User-agent: foreshock", "Disallow: /private"), "/feed", True),
        (("User-agent: Foreshock/1.0 # us", "Disallow: /", "User-agent: *", "Allow: /"), "/feed", False),
        (("User-agent: other", "User-agent: FORESHOCK", "Disallow: /"), "/feed", False),
        (("User-agent: foreshock", "Allow: /", "", "user-agent:foreshock", "disallow:/feed"), "/feed", False),
        (("User-agent: fore", "Disallow: /"), "/feed", True),
        (("User-agent: *bot", "Disallow: /"), "/feed", True),
        (("User-agent: googlebot", "Disallow: /", "Sitemap: http://news.example/s.xml"), "/feed", True),
        (("\ufeffUser-agent: *", "Disallow: /"), "/feed", False),
        (("<html>", "Disallow: /", "\x00\udcff", "User-agent"), "/feed", True),
    ],
)
def test_rules_are_read_as_rfc_9309_says(lines: tuple[str, ...], path: str, allowed: bool) -> None:
    body = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    assert robots.rules(body).can_fetch(f"https://news.example{path}", robots.PRODUCT) is allowed


def test_we_say_who_we_are_by_the_name_that_rules_are_looked_up_by() -> None:
    assert USER_AGENT.split()[0] == robots.PRODUCT


def test_what_is_allowed_is_fetched_and_the_site_is_asked_once_in_a_day() -> None:
    async def body(out: Outbound) -> list[str]:
        found = [await read(out), await read(out, "/private/feed?token=secret")]
        site.at += DAY - 1
        found.append(await read(out))
        site.robots = Reply(200, b"User-agent: *\nDisallow: /feed")
        site.at += 1
        return [*found, await read(out), await read(out, "/private/feed?token=secret")]

    with Site("User-agent: *", "Disallow: /private") as site:
        assert visit(site, body) == ["a page", REFUSED, "a page", REFUSED, "a page"]
    asked = ["/robots.txt", "/feed", "/feed", "/robots.txt", "/private/feed?token=secret"]
    assert site.targets == [f"news.example{path}" for path in asked]


def test_each_origin_has_rules_of_its_own_and_only_the_last_that_were_read_are_kept() -> None:
    async def run() -> None:
        async with Outbound(proxy=site.url, resolve=outside, timeout=5) as out:
            polite = out.heeding(Robots(out, lambda: site.at, most=2))
            for host in ("a.example", "b.example", "a.example", "a.example:8080", "a.example", "b.example"):
                assert await read(polite, host=host) == "a page"

    with Site() as site:
        asyncio.run(run())
    asked = [asked.headers["host"] for asked in site.asked if asked.path == "/robots.txt"]
    assert asked == ["a.example", "b.example", "a.example:8080", "b.example"]


@pytest.mark.parametrize("status", [404, 403, 410, 401, 429])
def test_a_site_without_the_file_allows_everything(status: int) -> None:
    with Site() as site:
        site.robots = Reply(status, b"User-agent: *\nDisallow: /")
        assert visit(site, read) == "a page"


BROKEN = (Reply(500), Reply(503), Reply(hang=True), Reply(200, b"User", length=100))


@pytest.mark.parametrize("broken", BROKEN, ids=["500", "503", "time-out", "broken off"])
def test_nothing_is_read_of_a_site_that_does_not_say_until_it_does(broken: Reply) -> None:
    async def body(out: Outbound) -> None:
        for _ in range(2):
            told = await read(out)
            assert told.startswith("http://news.example/robots.txt could not be read, so that nothing of the site may")
        assert site.targets == ["news.example/robots.txt"], "it is not asked at each poll"
        site.robots = Reply(404)
        site.at += robots.AGAIN
        assert await read(out) == "a page"

    with Site() as site:
        site.robots = broken
        visit(site, body, timeout=0.3 if broken.hang else 5.0)


def test_rules_that_were_known_stand_while_the_site_fails() -> None:
    async def body(out: Outbound) -> None:
        await read(out)
        site.robots = Reply(500)
        for _ in range(3):
            site.at += DAY
            assert (await read(out), await read(out, "/private")) == ("a page", REFUSED)
        site.robots = Reply(200, b"")
        site.at += robots.AGAIN
        assert await read(out, "/private") == "a page"

    with Site("User-agent: *", "Disallow: /private") as site:
        visit(site, body)


def test_of_a_file_that_is_too_large_the_first_whole_lines_are_read() -> None:
    fill = b"#" * (robots.MAX_BYTES - 40) + b"\n"
    early = robots.rules(b"User-agent: *\nDisallow: /early\n" + fill + b"Allow: /early/but/late\nDisallow: /\n")
    assert not early.can_fetch("/early/but/late", robots.PRODUCT)
    assert early.can_fetch("/other", robots.PRODUCT)
    cut = b"User-agent: *\n" + b"#" * (robots.MAX_BYTES - 26) + b"\nDisallow: /private\n"
    assert cut[: robots.MAX_BYTES].endswith(b"Disallow: /")
    assert robots.rules(cut).can_fetch("/feed", robots.PRODUCT), "half a rule is none"


def test_a_file_that_is_made_to_fill_the_memory_is_read_at_once() -> None:
    agents = "".join(f"user agent a{n:x}\n" for n in range(13_000))
    began = time.process_time()
    found = robots.rules((agents + "Allow:/\n" * 31_000).encode())
    assert found.can_fetch("/feed", robots.PRODUCT)
    assert time.process_time() - began < 5.0, "pairs of names and rules are 400 million"


def test_a_pause_that_a_site_asks_for_is_kept() -> None:
    async def body(out: Outbound) -> None:
        assert await read(out) == "a page"
        site.at += 100
        with pytest.raises(OutboundError, match="asks robots to pause 300 seconds") as error:
            await out.fetch("GET", "http://news.example/feed")
        assert error.value.retry_after == 200
        assert await read(out, host="other.example") == "a page"
        site.at += 200
        assert await read(out) == "a page"

    with Site("User-agent: *", "Crawl-delay: 300") as site:
        visit(site, body)


def test_a_short_pause_is_waited_out() -> None:
    async def run() -> float:
        async with Outbound(proxy=site.url, resolve=outside, timeout=5) as out:
            polite = out.heeding(Robots(out))
            await read(polite)
            began = time.time()
            await asyncio.gather(read(polite), read(polite))
            return time.time() - began

    with Site("User-agent: foreshock", "Crawl-delay: 0.2", "Disallow: /x") as site:
        assert asyncio.run(run()) > 0.3
    assert len(site.targets) == 4


def test_a_host_that_the_operator_excepted_is_not_asked() -> None:
    async def run() -> str:
        async with Outbound(frozenset({site.host}), timeout=5) as out:
            return await read(out.heeding(Robots(out)), host=site.host)

    with Site("User-agent: *", "Disallow: /") as site:
        assert asyncio.run(run()) == "a page"
    assert [asked.path for asked in site.asked] == ["/feed"]


def test_an_internal_address_is_refused_as_such_before_it_is_asked_for_rules() -> None:
    async def run() -> None:
        async with Outbound(timeout=5) as out:
            await out.heeding(Robots(out)).fetch("GET", f"{site.url}/feed")

    with Site() as site, pytest.raises(OutboundRefused, match="FORESHOCK_ALLOW_HOSTS"):
        asyncio.run(run())
    assert site.asked == []


def test_where_a_page_redirects_to_is_not_asked_again() -> None:
    with Site("User-agent: *", "Disallow: /b") as site:
        site.failures.append(site.robots)
        site.failures.append(Reply(302, headers={"Location": "/b"}))
        assert visit(site, read) == "a page"
    assert site.targets == ["news.example/robots.txt", "news.example/feed", "news.example/b"]


FORUM = b'{"latest_posts": []}'


@pytest.mark.parametrize(
    ("build", "page", "rule"),
    [
        (lambda out: FeedCollector(FeedSettings(url="http://news.example/feed"), out), FEED, "/feed$"),
        (lambda out: discourse.collector(DiscourseSettings(url="http://news.example"), out), FORUM, "/posts"),
    ],
    ids=["feed", "discourse"],
)
def test_a_source_that_is_not_allowed_says_so_and_is_read_once_it_is(
    build: Callable[[Outbound], Collector], page: bytes, rule: str
) -> None:
    async def body(out: Outbound) -> Batch:
        collector = build(out)
        with pytest.raises(CollectorError) as error:
            await collector.poll({}, NOW)
        assert (error.value.reason, error.value.retry_after) == (REFUSED, None)
        assert site.targets == ["news.example/robots.txt"]
        site.robots = Reply(200, b"User-agent: *\nDisallow: /admin")
        site.at += DAY
        return await collector.poll({}, NOW)

    with Site("User-agent: *", f"Disallow: {rule}") as site:
        site.page = Reply(200, page)
        assert visit(site, body).complete_until is not None
