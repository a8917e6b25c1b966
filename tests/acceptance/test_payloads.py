"""What X and feeds really answered, through their collectors into the running service, where it counts once."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from collectors.x_posts import posted_at
from tests.acceptance.running import Service, counted, running, total
from tests.collectors.networks import Asked, Network, Reply
from tests.shared_data import shared
from tests.until import until

CLOCK = datetime(2022, 10, 7, 23, 10, tzinfo=UTC)
"""Minutes after the recorded posts were written."""
UNTIL = CLOCK - timedelta(minutes=1)
"""Up to when X's counts are read at that time."""
MINUTE = timedelta(minutes=1)
TOKEN = "let-me-in"
SECONDS = 60.0
"""For what happens after a process died: its lease ends, and it imports all it needs anew."""
COUNTED, POSTED, READ = "counted-brand", "posted-brand", "read-brand"
COUNTED_QUERY = "tweepy"
BRANDS = """\
brands:
  - name: counted-brand
    query: tweepy
    sources: [{{type: x}}]
  - name: posted-brand
    query: '@twitter'
    sources: [{{type: x, counts: false}}]
  - name: read-brand
    query: example OR hello OR "second item" OR "item 1" OR test
    sources: [{feeds}]
"""
FEEDS = {
    "json/example.json": 2,
    "encoding/http_text_xml_charset_2.xml": 1,
    "wellformed/atom10/entry_title.xml": 1,
    "wellformed/atom10/entry_content_base64.xml": 1,
    "wellformed/atom10/qna.xml": 0,  # speaks of no brand
    "wellformed/rss/item_title.xml": 1,
    "wellformed/rss/item_content_encoded.xml": 1,
    "wellformed/rss/item_pubDate.xml": 0,  # of 2004
    "wellformed/rss/rss_version_missing.xml": 0,  # an empty feed
    "illformed/rss_empty_document.xml": 0,  # no feed
}
"""Recorded documents, and how many of their articles speak of the brand."""


class Networks(Network):
    """X and web sites in one server, which answers what was recorded, and once lets a page of posts wait for ever."""

    def __init__(self, posts: list[dict[str, Any]], counts: list[int], documents: dict[str, bytes]) -> None:
        super().__init__()
        self.posts, self.documents = posts, documents
        begin = UNTIL - len(counts) * MINUTE
        self.counts = {begin + index * MINUTE: count for index, count in enumerate(counts)}
        self.hanging = False
        self._hang_at = (COUNTED_QUERY, self._token(1))

    def _token(self, page: int) -> str:
        token: str = self.posts[page]["meta"]["next_token"]
        return token

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("/2/") and asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json({"title": "Unauthorized", "status": 401}, 401)
        if asked.path == "/2/tweets/counts/recent":
            return self._counts(asked.params)
        if asked.path == "/2/tweets/search/recent":
            return self._posts(asked.params)
        return self._document(asked)

    def _counts(self, params: dict[str, str]) -> Reply:
        start, end = (datetime.fromisoformat(params[name]) for name in ("start_time", "end_time"))
        minutes = [start + index * MINUTE for index in range(int((end - start) / MINUTE))]
        counts = [(at, self.counts.get(at, 0)) for at in minutes]
        data = [{"start": _z(at), "end": _z(at + MINUTE), "tweet_count": count} for at, count in counts]
        return _json({"data": data, "meta": {"total_tweet_count": sum(count for _, count in counts)}})

    def _posts(self, params: dict[str, str]) -> Reply:
        token = params.get("next_token")
        if (params["query"], token) == self._hang_at and not self.hanging:
            self.hanging = True
            return Reply(hang=True)
        page = [self._token(index) for index in range(len(self.posts))].index(token) + 1 if token else 0
        if "since_id" in params or page == len(self.posts):
            return _json({"meta": {"result_count": 0}})
        return _json(self.posts[page])

    def _document(self, asked: Asked) -> Reply:
        body = self.documents[asked.path.removeprefix("/")]
        etag = f'"{len(body)}"'
        if asked.headers.get("if-none-match") == etag:
            return Reply(304, headers={"ETag": etag})
        return Reply(200, body, {"ETag": etag})

    def searches(self, query: str) -> list[Asked]:
        """The pages of posts that were asked for."""
        return [a for a in self.asked if a.path == "/2/tweets/search/recent" and a.params["query"] == query]


@dataclass(frozen=True)
class Collected:
    """A service that has read it all, after its collecting process was killed."""

    service: Service
    client: httpx.Client
    networks: Networks


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    """Start, `kill -9` the collecting process while X keeps it waiting amid the pages, and wait until all is there."""
    folder = tmp_path_factory.mktemp("payloads")
    with Networks(*_recorded()) as networks:
        feeds = ", ".join(f"{{type: feed, url: '{networks.url}/{name}'}}" for name in FEEDS)
        (folder / "foreshock.yaml").write_text(BRANDS.format(feeds=feeds))
        env = {"X_BASE_URL": networks.url, "X_BEARER_TOKEN": TOKEN, "ALLOW_HOSTS": networks.host}
        arguments = ("--config", str(folder / "foreshock.yaml"), "--replay-clock", CLOCK.isoformat())
        environment = {f"FORESHOCK_{name}": value for name, value in env.items()}
        with running(folder / "data", *arguments, **environment) as service, service.client() as client:
            until(lambda: networks.hanging, SECONDS, "the page that hangs")
            service.kill("collect")
            until(lambda: len(_found(client, COUNTED)) == len(_distinct(networks)), SECONDS, "the rest of the posts")
            until(lambda: len(_found(client, POSTED)) == len(_distinct(networks)), SECONDS, "the other brand's posts")
            until(lambda: len(_found(client, READ)) == sum(FEEDS.values()), SECONDS, "the articles")
            yield Collected(service, client, networks)


def test_every_recorded_count_is_in_the_series_and_every_post_is_found(collected: Collected) -> None:
    first = min(collected.networks.counts)
    buckets = counted(collected.client, COUNTED, start=first.isoformat(), end=UNTIL.isoformat())
    assert [bucket["mentions"] for bucket in buckets] == list(collected.networks.counts.values())
    assert all(bucket["complete"] for bucket in buckets)
    hour = {"start": (CLOCK - timedelta(hours=2)).isoformat(), "end": CLOCK.isoformat()}
    # The counts are the volume; the posts are their sample.
    assert sum(bucket["scored"] for bucket in counted(collected.client, COUNTED, **hour)) > 0
    assert _texts(collected.client, COUNTED) == _distinct(collected.networks)


def test_without_counts_every_minute_counts_the_posts_of_that_minute(collected: Collected) -> None:
    wanted = Counter(posted_at(int(post)).replace(second=0, microsecond=0) for post in _distinct(collected.networks))
    hour = {"start": (CLOCK - timedelta(hours=2)).isoformat(), "end": CLOCK.isoformat()}
    buckets = counted(collected.client, POSTED, **hour)
    assert {datetime.fromisoformat(b["start"]): b["mentions"] for b in buckets if b["mentions"]} == wanted
    assert _texts(collected.client, POSTED) == _distinct(collected.networks)


def test_articles_that_speak_of_the_brand_are_found_and_the_others_are_refused_in_one_line_each(
    collected: Collected,
) -> None:
    told = _found(collected.client, READ)
    assert len(told) == _read_total(collected.client) == sum(FEEDS.values())
    assert all(re.search(r"example|hello|item|test", item["text"].lower()) for item in told)

    def printed(*words: str) -> bool:
        return any(all(word in line for word in words) for line in collected.service.output.read_text().splitlines())

    # The process that was killed may have read such a feed and not said so; the next one does.
    until(lambda: printed("the answer is not an RSS, Atom or JSON feed"), SECONDS, "the line on what is no feed")
    until(lambda: printed("1 rejected", "2004-01-01", "more than 8 days ago"), SECONDS, "the line on an old article")
    assert not printed("Traceback")
    assert not printed(TOKEN)


def test_killed_amid_the_pages_it_goes_on_with_the_page_that_was_not_told(collected: Collected) -> None:
    tokens = [asked.params.get("next_token") for asked in collected.networks.searches(COUNTED_QUERY)]
    assert tokens[:4] == [None, *[page["meta"]["next_token"] for page in collected.networks.posts[:2]], tokens[2]]
    assert "SIGKILL" in collected.service.output.read_text()


def test_killed_after_all_was_told_it_counts_nothing_again(collected: Collected) -> None:
    networks, client = collected.networks, collected.client
    before = [_sums(client, brand) for brand in (COUNTED, POSTED, READ)]
    asked = len(networks.asked)
    for name, body in networks.documents.items():
        networks.documents[name] = body + b"\n"  # changed: it is read again
    collected.service.kill("collect")

    def again() -> bool:
        since = networks.asked[asked:]
        read = {a.path.removeprefix("/") for a in since if a.path.removeprefix("/") in FEEDS}
        searched = {a.params["query"] for a in since if "since_id" in a.params}
        return read == FEEDS.keys() and len(searched) == 2

    until(again, SECONDS, "the next round of polls")
    until(lambda: "foreshock_ingest_waiting_entries 0.0" in collected.service.metrics(), what="counting all")
    assert [_sums(client, brand) for brand in (COUNTED, POSTED, READ)] == before


def _recorded() -> tuple[list[dict[str, Any]], list[int], dict[str, bytes]]:
    """Return X's pages of posts, its counts (recorded by the hour, told here by the minute), and the documents."""
    folder: Path = shared("payloads/x_api")
    answers = [(path.name, json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    for path in sorted(folder.glob("*.yaml")):
        for interaction in yaml.safe_load(path.read_text())["interactions"]:
            answers.append((path.name, json.loads(interaction["response"]["body"]["string"])))
    posts = [answer for name, answer in answers if "count" not in name]
    counts = [item["tweet_count"] for name, answer in answers if "count" in name for item in answer["data"]]
    assert (len(posts), len(counts)) == (5, 1077)
    documents = {name: (shared("payloads/feeds/tests") / name).read_bytes() for name in FEEDS}
    dated = "wellformed/rss/item_pubDate.xml"  # no recorded document has both a date and words: a title is added
    documents[dated] = documents[dated].replace(b"<item>", b"<item><title>Example title</title>")
    return posts, counts, documents


def _distinct(networks: Networks) -> dict[str, str]:
    """Text by id; one post stands in two of the pages."""
    return {post["id"]: post["text"] for page in networks.posts for post in page["data"]}


def _found(client: httpx.Client, brand: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/v1/mentions", params={"brand": brand, "limit": 500}).json()["items"]
    return items


def _texts(client: httpx.Client, brand: str) -> dict[str, str]:
    return {item["id"]: item["text"] for item in _found(client, brand)}


def _read_total(client: httpx.Client) -> int:
    return total(client, READ, start=(CLOCK - MINUTE).isoformat(), end=(CLOCK + MINUTE).isoformat())


def _sums(client: httpx.Client, brand: str) -> list[dict[str, Any]]:
    return counted(client, brand, start=(CLOCK - timedelta(days=1)).isoformat(), end=(CLOCK + MINUTE).isoformat())


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
