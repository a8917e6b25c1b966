import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors import feed_document, feeds
from collectors.collector import Batch, CollectorError
from collectors.feed_document import parse_apart, plain_text, read_document
from collectors.feeds import Articles, FeedCollector, FeedSettings
from collectors.outbound import Outbound
from tests.collectors.networks import FeedNetwork, Network, Reply
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def rss(*items: str, before: str = "") -> bytes:
    channel = f"<channel><title>T</title>{''.join(items)}</channel>"
    return f"<?xml version='1.0'?>{before}<rss version='2.0'>{channel}</rss>".encode()


def item(guid: str, text: str = "Acme Air is late", date: str = "Sun, 08 Mar 2026 11:00:00 GMT", more: str = "") -> str:
    return f"<item><guid>{guid}</guid><title>{text}</title><pubDate>{date}</pubDate>{more}</item>"


def poll(
    network: Network, cursor: Mapping[str, Any] | None = None, now: datetime = NOW, path: str = "/feed.xml"
) -> Batch:
    async def run() -> Batch:
        async with Outbound(frozenset({network.host}), timeout=5) as out:
            collector = FeedCollector(FeedSettings(url=network.url + path), out)
            return await collector.poll(json.loads(json.dumps(cursor or {})), now)

    return asyncio.run(run())


def test_an_rss_item_becomes_an_article() -> None:
    more = "<link>/a?x=1</link><author>Ann</author><description>&lt;p>Two &lt;b>hours&lt;/b> late.&lt;/p></description>"
    with FeedNetwork(rss("<language>en-GB</language>", item("42", more=more))) as network:
        batch = poll(network)
    (mention,) = batch.mentions
    assert mention.text == "Acme Air is late\n\nTwo hours late."
    assert (mention.source, mention.kind, mention.language) == ("feed", "article", "en-GB")
    assert mention.url == f"{network.url}/a?x=1"
    assert mention.author is not None
    assert mention.author.name == "Ann"
    assert mention.published_at == datetime(2026, 3, 8, 11, tzinfo=UTC)
    assert mention.id.endswith(":42")
    assert (batch.complete_until, batch.skipped, batch.cost, batch.more) == (NOW, 0, 0, False)


def test_ids_that_are_small_numbers_do_not_meet_those_of_another_feed() -> None:
    with FeedNetwork(rss(item("42"), item("https://example.org/?p=42"))) as network:
        here, there = poll(network).mentions, poll(network, path="/other.xml").mentions
    assert here[0].id != there[0].id
    assert here[1].id == there[1].id == "https://example.org/?p=42"


def test_an_atom_entry_that_is_updated_is_given_again_with_its_new_time() -> None:
    def atom(updated: str) -> bytes:
        return f"""<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>urn:a</id>
            <title type='html'>A &amp;amp; B</title>
            <published>2026-03-08T09:00:00Z</published><updated>{updated}</updated></entry></feed>""".encode()

    with FeedNetwork(atom("2026-03-08T09:00:00Z"), "application/atom+xml") as network:
        first = poll(network)
        network.body, network.etag = atom("2026-03-08T10:00:00Z"), '"2"'
        second = poll(network, first.cursor)
        network.etag = '"3"'
        third = poll(network, second.cursor)
    assert [(mention.text, mention.updated_at) for mention in first.mentions] == [("A & B", None)]
    assert [mention.updated_at for mention in second.mentions] == [datetime(2026, 3, 8, 10, tzinfo=UTC)]
    assert second.mentions[0].id == first.mentions[0].id == "urn:a"
    assert third.mentions == []


@pytest.mark.parametrize("by", ["etag", "modified"])
def test_an_unchanged_feed_is_not_sent_again(by: str) -> None:
    with FeedNetwork(rss(item("a:1"))) as network:
        network.etag, network.modified = None, None
        setattr(network, by, '"abc"' if by == "etag" else "Sun, 08 Mar 2026 11:00:00 GMT")
        first = poll(network)
        second = poll(network, first.cursor, NOW + timedelta(minutes=5))
    header = "if-none-match" if by == "etag" else "if-modified-since"
    assert header not in network.asked[0].headers
    assert network.asked[1].headers[header] == getattr(network, by)
    assert second == Batch(cursor=first.cursor, complete_until=NOW + timedelta(minutes=5))


def test_a_server_without_conditions_gives_each_article_once_and_only_the_new_ones_later() -> None:
    with FeedNetwork(rss(item("a:1"), item("a:2"), item("a:2"))) as network:
        network.etag = None
        first = poll(network)
        same = poll(network, first.cursor)
        network.body = rss(item("a:3"), item("a:2"))
        later = poll(network, same.cursor)
        network.body = rss(item("a:1"), item("a:3"))
        reordered = poll(network, later.cursor)
    assert [mention.id for mention in first.mentions] == ["a:1", "a:2"]
    assert same.mentions == []
    assert [mention.id for mention in later.mentions] == ["a:3"]
    assert reordered.mentions == []


@pytest.mark.parametrize(
    "date",
    ["", "yesterday", "0000-00-00", "99999-01-01", "Sun, 08 Mar 2099 11:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
     "Sun, 08 Mar 2026 12:11:00 GMT"],
)  # fmt: skip
def test_a_missing_or_absurd_date_becomes_the_time_of_fetching_and_is_counted(date: str) -> None:
    with FeedNetwork(rss(item("a:1", date=date), item("a:2"))) as network:
        batch = poll(network)
    assert [mention.published_at for mention in batch.mentions] == [NOW, datetime(2026, 3, 8, 11, tzinfo=UTC)]
    assert batch.cursor["undated"] == 1


def test_a_json_feed_is_read_and_its_broken_items_counted() -> None:
    items = [
        {"id": 7, "title": "Acme", "content_html": "<p>late<script>x()</script></p>",
         "date_published": "2026-03-08T11:00:00+01:00"},
        {"id": "b", "content_text": "plain", "url": "https://e.org/b", "authors": [{"name": "Bo"}], "language": "de"},
        "no item", {}, {"id": ["x"]},
    ]  # fmt: skip
    with FeedNetwork(json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items}).encode()) as network:
        batch = poll(network)
    assert [mention.text for mention in batch.mentions] == ["Acme\n\nlate", "plain"]
    assert batch.mentions[0].published_at == datetime(2026, 3, 8, 10, tzinfo=UTC)
    assert batch.mentions[1].language == "de"
    assert batch.skipped == 3


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("a <b>bo</b>ld\n\n word", "a bold word"),
        ("a&nbsp;bold <script>bad()</script>word<style>p {}</style>", "a bold word"),
        ("<p>a</p><p>b</p>c<br>d", "a b c d"),
        ("a<br>bold<![x[y]]>word", "a bold word"),
        ("5 < 6 &amp; 7", "5 < 6 & 7"),
        ("", ""),
    ],
)
def test_html_is_read_as_its_words(html: str, words: str) -> None:
    assert plain_text(html) == words


def test_half_a_character_in_json_becomes_a_question_mark() -> None:
    with FeedNetwork(b'{"items": [{"id": "a:\\ud800", "title": "Acme \\ud83d"}]}') as network:
        (mention,) = poll(network).mentions
    assert (mention.id, mention.text) == ("a:?", "Acme ?")


def test_a_feed_may_be_a_source_of_another_name() -> None:
    collector = FeedCollector(FeedSettings(url="https://example.org/", source="press"), Outbound())
    assert collector.declaration.name == "press"


def test_broken_xml_is_read_as_far_as_it_goes() -> None:
    with FeedNetwork(rss(item("a:1"), item("a:2", "Acme & sons"))[:-30]) as network:
        batch = poll(network)
    assert [mention.text for mention in batch.mentions] == ["Acme Air is late", "Acme & sons"]


@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "no-such-charset"])
def test_a_wrong_charset_still_gives_an_article(declared: str) -> None:
    body = rss(item("a:1", "Verspätung bei Acme")).decode().encode("windows-1252")
    with FeedNetwork(body, f"text/xml; charset={declared}") as network:
        (mention,) = poll(network).mentions
    assert mention.text == "Verspätung bei Acme"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Not found</body></html>",
        b"{",
        b"{}",
        b'{"items": 1}',
        b"\x00\xff" * 100,
        b"[]",
        b"\x89PNG\r\n",
    ],
)
def test_what_is_no_feed_is_an_error_and_not_an_empty_feed(body: bytes) -> None:
    with FeedNetwork(body) as network, pytest.raises(CollectorError, match="not an RSS, Atom or JSON feed"):
        poll(network)


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "120"}, 120), ({}, None)])
@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
def test_a_refusal_is_an_error_with_the_wait_that_was_asked_for(
    status: int, headers: dict[str, str], wait: int | None
) -> None:
    with (
        Network(lambda _: Reply(status, headers=headers)) as network,
        pytest.raises(CollectorError, match=str(status)) as error,
    ):
        poll(network)
    assert error.value.retry_after == wait


def test_half_a_document_is_an_error_and_the_next_poll_reads_all() -> None:
    with FeedNetwork(rss(item("a:1"))) as network:
        network.failures.append(Reply(200, network.body[:90], length=len(network.body)))
        with pytest.raises(CollectorError, match="broke off"):
            poll(network)
        assert len(poll(network).mentions) == 1


LOL = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10 if n else 'lol'}'>" for n in range(10))


def test_entity_bombs_and_external_entities_give_nothing_away() -> None:
    bomb = rss(item("a:1", "&l9;"), before=f"<!DOCTYPE rss [{LOL}]>")
    spy = rss(item("a:2", "[&x;]"), before=f"<!DOCTYPE rss [<!ENTITY x SYSTEM '{Path(__file__).as_uri()}'>]>")
    honest = rss(item("a:3", "&brand; Air"), before="<!DOCTYPE rss [<!ENTITY brand 'Acme'>]>")
    with FeedNetwork() as network:
        for body, text in ((bomb, None), (spy, "["), (honest, "Acme Air")):
            network.body = body
            try:
                batch = poll(network)
            except CollectorError:
                assert text is None
                continue
            assert sum(len(mention.text) for mention in batch.mentions) < 100_000
            assert "import" not in "".join(mention.text for mention in batch.mentions)
            assert text is None or batch.mentions[0].text.startswith(text)


def test_a_body_over_the_limit_is_refused_and_a_million_items_with_it() -> None:
    with (
        FeedNetwork(rss("<item/>" * 1_200_000)) as network,
        pytest.raises(CollectorError, match="more than 8388608 bytes"),
    ):
        poll(network)


def test_items_over_the_limit_are_counted_as_skipped() -> None:
    document = read_document(rss(*(item(f"a:{n}") for n in range(feed_document.MAX_ENTRIES + 5))), "")
    assert (len(document.entries), document.skipped) == (feed_document.MAX_ENTRIES, 5)
    assert document.entries[0].id == "a:0"


def test_the_cursor_stays_bounded_over_many_documents() -> None:
    with FeedNetwork() as network:
        cursor: Mapping[str, Any] = {"seen": [f"{n:016x}" for n in range(feeds.MAX_SEEN)]}
        network.body = rss(*(item(f"a:{n}") for n in range(10)))
        batch = poll(network, cursor)
    assert len(batch.cursor["seen"]) == feeds.MAX_SEEN
    assert len(batch.mentions) == 10


def test_a_document_that_keeps_its_parser_busy_is_given_up() -> None:
    with pytest.raises(CollectorError, match="more than 1 seconds to parse"):
        asyncio.run(parse_apart(b"<?xml " + b"encoding='" * 20_000, "text/xml", seconds=1))


def test_too_long_a_text_is_skipped_rather_than_cut() -> None:
    with FeedNetwork(rss(item("a:1", "x" * 100_001), item("a:2", "x" * 100_000))) as network:
        batch = poll(network)
    assert ([mention.id for mention in batch.mentions], batch.skipped) == (["a:2"], 1)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//[", "file:///etc/passwd", "https://x/" + "y" * 5000])
def test_a_link_that_is_no_web_address_is_left_out(link: str) -> None:
    with FeedNetwork(rss(item("a:1", more=f"<link>{link}</link>"))) as network:
        assert poll(network).mentions[0].url is None


def test_the_users_password_for_a_feed_is_in_no_mention() -> None:
    with FeedNetwork(rss(item("7", more="<link>a/b</link>"))) as network:
        network.url = network.url.replace("//", "//me:hunter2@")
        batch = poll(network, path="/x/feed.xml?key=hunter3")
    assert batch.mentions[0].url == f"http://{network.host}/x/a/b"
    assert "hunter" not in repr(batch)
    assert "authorization" in network.asked[0].headers


def recorded() -> list[Path]:
    return sorted(path for path in shared("payloads/feeds/tests").rglob("*") if path.is_file())


def test_every_recorded_document_is_read_and_none_crashes() -> None:
    folder = shared("payloads/feeds/tests")
    articles = Articles(FeedSettings(url="https://example.org/feed"))
    mentions: Counter[str] = Counter()
    empty, refused = 0, []
    for path in recorded():
        try:
            document = read_document(path.read_bytes(), "")
        except ValueError:
            refused.append(path.name)
            continue
        batch = articles.batch(document, "https://example.org/feed", {}, NOW)
        mentions[path.relative_to(folder).parts[0]] += len(batch.mentions)
        empty += batch.skipped
    assert refused == ["rss_empty_document.xml"]
    # Entries of the others test one element each (an author, a link's type) and hold neither words nor an address.
    assert mentions == {"encoding": 10, "illformed": 9, "json": 2, "wellformed": 103}
    assert empty == 164


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("json/example.json", 2),
        ("illformed/rss_item_link_corrupted_ampersands.xml", 1),
        ("illformed/chardet/big5.xml", 0),
    ],
)
def test_recorded_documents_come_through_the_whole_way(name: str, found: int) -> None:
    with FeedNetwork((shared("payloads/feeds/tests") / name).read_bytes()) as network:
        batch = poll(network)
    assert len(batch.mentions) == batch.cursor["undated"] == found
    assert batch.complete_until == NOW
