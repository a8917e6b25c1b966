import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.collector import Batch, CollectorError
from collectors.mention import Author, Mention
from collectors.outbound import Outbound
from collectors.registry import build
from collectors.youtube import YouTubeCollector, said
from collectors.youtube_answer import comments_of, items_of, read_comment, read_video
from collectors.youtube_settings import YouTubeSettings
from tests.collectors.networks import Asked, Network, Reply
from tests.collectors.youtube_network import CHANNEL, KEY, YouTubeNetwork, refusal
from tests.shared_data import shared

NOW = datetime(2026, 1, 8, 20, 0, 40, tzinfo=UTC)
"""Noon in California, where the quota's day is half over."""
LAG = timedelta(minutes=2)
OF_CHANNEL = YouTubeSettings(channels=(CHANNEL,), searches_per_day=0)
SEARCHING = YouTubeSettings()
VIDEO, OTHER = "v" * 11, "w" * 11


class Reader:
    """A collector as the runtime keeps it, with a cursor that goes through JSON."""

    def __init__(self, network: Network, settings: YouTubeSettings, query: str = "acmeair") -> None:
        self.network = network
        self.settings = settings
        self.query = query
        self.cursor: Mapping[str, Any] = {}

    def turn(self, now: datetime = NOW, key: str = KEY) -> tuple[list[Mention], Batch]:
        """Poll until there is no more."""
        ((mentions, last),) = self.turns([now], key)
        return mentions, last

    def turns(self, times: Iterable[datetime], key: str = KEY) -> list[tuple[list[Mention], Batch]]:
        async def run() -> list[tuple[list[Mention], Batch]]:
            async with Outbound(frozenset({self.network.host}), timeout=1) as out:
                collector = YouTubeCollector(self.settings, "acme", self.query, out, key, self.network.url)
                return [await self._turn(collector, now) for now in times]

        return asyncio.run(run())

    async def _turn(self, collector: YouTubeCollector, now: datetime) -> tuple[list[Mention], Batch]:
        mentions: list[Mention] = []
        while True:
            batch = await collector.poll(json.loads(json.dumps(self.cursor)), now)
            mentions += batch.mentions
            self.cursor = batch.cursor
            if not batch.more:
                return mentions, batch


def ids(mentions: list[Mention]) -> list[str]:
    return [mention.id for mention in mentions]


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_channels_comments_are_read_in_pages_and_the_key_goes_in_a_header() -> None:
    with YouTubeNetwork() as network:
        written = [network.comment(ago(n), f"acmeair {n}") for n in range(250)]
        mentions, last = Reader(network, OF_CHANNEL).turn()
    assert set(ids(mentions)) == set(written)
    assert [asked.path for asked in network.asked][:3] == ["/commentThreads"] * 3
    assert not any(KEY in asked.target for asked in network.asked)
    assert network.asked[0].params["allThreadsRelatedToChannelId"] == CHANNEL
    assert last.complete_until == NOW - LAG
    assert last.cost == 0  # units are a limit, and no dollars


def test_a_comment_becomes_a_mention_with_author_likes_and_video() -> None:
    with YouTubeNetwork() as network:
        top = network.comment(ago(9), "acmeair!", likeCount=12)
        reply = network.reply(top, ago(8), "they did it to me too")
        first, second = Reader(network, OF_CHANNEL).turn()[0]
    assert (first.id, first.kind, first.source, first.brands) == (top, "comment", "youtube", None)
    assert (first.engagement, first.reply_to) == (12 + 1, VIDEO)
    assert (first.author, first.published_at) == (Author(id="UCann", name="@ann"), ago(9))
    assert first.url == f"https://www.youtube.com/watch?v={VIDEO}&lc={top}"
    assert (second.id, second.reply_to, second.engagement) == (reply, top, 3)


def test_what_is_known_is_not_told_again_but_new_replies_and_edits_are() -> None:
    with YouTubeNetwork() as network:
        reader = Reader(network, OF_CHANNEL)
        old = network.comment(ago(600), "acmeair")
        edited = network.comment(ago(90), "acmeair")
        reader.turn()
        assert reader.turn(NOW + timedelta(minutes=2))[0] == []
        reply = network.reply(old, NOW + timedelta(minutes=3), "me too")
        network.edit(edited, NOW + timedelta(minutes=3), "acmeair is the worst")
        found = {mention.id: mention for mention in reader.turn(NOW + timedelta(minutes=4))[0]}
        assert set(found) == {reply, edited}
        assert found[edited].updated_at == NOW + timedelta(minutes=3)
        assert reader.turn(NOW + timedelta(minutes=6))[0] == []


def test_of_a_brands_own_channel_everything_counts() -> None:
    with YouTubeNetwork() as network:
        network.comment(ago(5), "the app is broken again")
        settings = YouTubeSettings(channels=(CHANNEL,), own=True, searches_per_day=0)
        (mention,) = Reader(network, settings).turn()[0]
    assert mention.brands == ["acme"]


def test_found_videos_are_told_and_their_comments_are_read_for_a_week() -> None:
    with YouTubeNetwork() as network:
        network.upload(ago(60), "Why I left Acme &amp; Co", VIDEO, "acmeair &#39;story&#39;")
        comment = network.comment(ago(30), "acmeair lost my bag")
        reader = Reader(network, SEARCHING)
        video, said_there = reader.turn()[0]
        assert (video.id, video.kind, video.brands) == (VIDEO, "post", None)
        assert video.text == "Why I left Acme & Co\n\nacmeair 'story'"
        assert (video.url, video.author) == (f"https://www.youtube.com/watch?v={VIDEO}", Author(id="UC1", name="Ann"))
        assert said_there.id == comment
        assert network.asked[0].params["q"] == "acmeair"
        later = NOW + timedelta(minutes=30)
        new = network.comment(later, "acmeair again")
        mentions, _ = reader.turn(later)
        assert ids(mentions) == [new]
        assert [asked.path for asked in network.asked].count("/search") == 1
        reader.turn(NOW + timedelta(days=8))
        assert reader.cursor["found"] == {}


def test_the_query_is_said_to_the_search_by_the_longest_word_of_each_alternative() -> None:
    assert said([["acme", "refunds"], ["acme air"], ["refunds", "x"]]) == 'refunds|"acme air"'


def test_searches_are_spread_over_the_day() -> None:
    with YouTubeNetwork() as network:
        reader = Reader(network, YouTubeSettings(searches_per_day=4))
        midnight = datetime(2026, 1, 8, 8, 0, tzinfo=UTC)
        reader.turns(midnight + timedelta(minutes=minutes) for minutes in range(0, 24 * 60, 20))
        assert [asked.path for asked in network.asked] == ["/search"] * 4
        assert reader.cursor["quota"] == {"day": "2026-01-08", "units": 400, "searches": 4}
        reader.turn(midnight + timedelta(days=1))
        assert reader.cursor["quota"] == {"day": "2026-01-09", "units": 100, "searches": 1}


def test_the_units_of_the_day_last_to_its_end_and_are_never_exceeded() -> None:
    with YouTubeNetwork() as network:
        settings = YouTubeSettings(videos=(VIDEO, OTHER), searches_per_day=0, units_per_day=240)
        reader = Reader(network, settings)
        midnight = datetime(2026, 1, 8, 8, 0, tzinfo=UTC)
        told = reader.turns(midnight + timedelta(minutes=minutes) for minutes in range(0, 24 * 60, 2))
    assert 230 <= network.units <= 240
    # A turn that was put off says nothing of completeness.
    read = [hour / 30 for hour, (_, batch) in enumerate(told) if batch.complete_until is not None]
    assert len(read) == network.units / 2
    assert read[-1] > 22
    assert max(after - at for at, after in pairwise(read)) < 0.5


def test_a_place_with_too_much_stops_at_the_days_units_and_goes_on_the_next_day() -> None:
    with YouTubeNetwork() as network:
        written = {network.comment(ago(n / 10), "acmeair") for n in range(1_500)}
        reader = Reader(network, YouTubeSettings(channels=(CHANNEL,), searches_per_day=0, units_per_day=100))
        reader.cursor = {"quota": {"day": "2026-01-08", "units": 95, "searches": 0}}
        late = datetime(2026, 1, 9, 7, 30, tzinfo=UTC)
        with pytest.raises(CollectorError, match="100 units of the day") as error:
            reader.turn(late)
        assert error.value.retry_after == 30 * 60
        assert reader.cursor["quota"]["units"] == 100
        mentions, _ = reader.turn(late + timedelta(minutes=31))
        assert len(mentions) == 1_000  # after five pages of a hundred
        assert set(ids(mentions)) < written


def test_when_searches_are_used_up_comments_are_read_on() -> None:
    with YouTubeNetwork() as network:
        network.searches_left = 0
        comment = network.comment(ago(5), "acmeair")
        reader = Reader(network, YouTubeSettings(channels=(CHANNEL,), units_per_search=1))
        mentions, last = reader.turn()
        assert (ids(mentions), last.complete_until) == ([comment], NOW - LAG)
        reader.turn(NOW + timedelta(hours=2))
    assert [asked.path for asked in network.asked].count("/search") == 1
    assert reader.cursor["quota"]["units"] == network.units - 99


def test_a_quota_that_others_used_up_waits_for_midnight_in_california() -> None:
    with YouTubeNetwork() as network:
        network.quota = 0
        with pytest.raises(CollectorError, match="quota of the day") as error:
            Reader(network, OF_CHANNEL).turn()
    assert error.value.retry_after == 12 * 3600 - 40


def test_places_without_comments_are_left_alone_for_a_while_and_the_others_read() -> None:
    with YouTubeNetwork() as network:
        network.closed = {VIDEO: "commentsDisabled"}
        comment = network.comment(ago(5), "acmeair", video=OTHER)
        reader = Reader(network, YouTubeSettings(videos=(VIDEO, OTHER), searches_per_day=0))
        mentions, last = reader.turn()
        assert (ids(mentions), last.skipped, last.complete_until) == ([comment], 0, NOW - LAG)
        network.asked.clear()
        reader.turn(NOW + timedelta(minutes=2))
        assert [asked.params.get("videoId") for asked in network.asked] == [OTHER, None]  # and what was told
        network.closed = {}
        opened = network.comment(NOW, "acmeair, at last", video=VIDEO)
        assert ids(reader.turn(NOW + timedelta(hours=7))[0]) == [opened]


def test_a_video_that_is_not_there_is_counted_and_one_that_was_found_is_taken_back() -> None:
    with YouTubeNetwork() as network:
        network.upload(ago(60), "acmeair", OTHER)
        reader = Reader(network, YouTubeSettings(videos=(VIDEO,)))
        reader.turn()
        network.closed = {VIDEO: "videoNotFound", OTHER: "videoNotFound"}

        async def skips(now: datetime) -> tuple[list[Mention], int]:
            async with Outbound(frozenset({network.host})) as out:
                collector = YouTubeCollector(reader.settings, "acme", "acmeair", out, KEY, network.url)
                cursor, mentions, skipped = reader.cursor, list[Mention](), 0
                while True:
                    batch = await collector.poll(cursor, now)
                    cursor, mentions, skipped = batch.cursor, mentions + batch.mentions, skipped + batch.skipped
                    if not batch.more:
                        return mentions, skipped

        mentions, skipped = asyncio.run(skips(NOW + timedelta(minutes=2)))
    assert skipped == 1
    assert [(m.id, m.kind, m.deleted, m.brands) for m in mentions] == [(OTHER, "post", True, ["acme"])]


def test_a_deletion_of_what_was_told_is_told_and_of_what_was_not_is_not() -> None:
    with YouTubeNetwork() as network:
        ours, other = network.comment(ago(90), "acmeair"), network.comment(ago(80), "nothing of the brand")
        reader = Reader(network, OF_CHANNEL)
        reader.turns([ago(2), NOW])
        network.delete(ours)
        network.delete(other)
        assert reader.turn(NOW + timedelta(minutes=20))[0] == []
        (gone,) = reader.turn(NOW + timedelta(minutes=40))[0]
        assert (gone.id, gone.kind, gone.deleted, gone.text, gone.brands) == (ours, "comment", True, "", ["acme"])
        assert gone.published_at == ago(90)
        assert reader.turn(NOW + timedelta(minutes=80))[0] == []


def test_pages_whose_token_ended_are_begun_anew() -> None:
    with YouTubeNetwork() as network:
        written = {network.comment(ago(n / 10), "acmeair") for n in range(250)}
        reader = Reader(network, OF_CHANNEL)
        sound = network.answer

        def answer(asked: Asked) -> Reply:
            ended = asked.params.get("pageToken") == "200" and not any(a.params == {"x": "1"} for a in network.asked)
            if ended:
                network.asked.append(Asked("GET", "", "", {"x": "1"}, {}, b""))
            return refusal(400, "processingFailure") if ended else sound(asked)

        network.answer = answer  # type: ignore[method-assign]
        mentions, _ = reader.turn()
    assert set(ids(mentions)) == written


def test_more_new_videos_than_a_page_has_are_said_to_be_missed() -> None:
    with YouTubeNetwork() as network:
        reader = Reader(network, SEARCHING)
        reader.turn()
        later = NOW + timedelta(minutes=61)
        for n in range(60):
            network.upload(later - timedelta(minutes=n / 10), "acmeair", f"video{n:06d}")
        reader.settings = YouTubeSettings(follow=3)

        async def first() -> Batch:
            async with Outbound(frozenset({network.host})) as out:
                collector = YouTubeCollector(reader.settings, "acme", "acmeair", out, KEY, network.url)
                return await collector.poll(reader.cursor, later)

        batch = asyncio.run(first())
    assert len(batch.mentions) == 50
    assert batch.missed == (NOW - timedelta(hours=1), min(mention.published_at for mention in batch.mentions))
    assert batch.cursor["turn"]["left"] == [f"video:video{n:06d}" for n in range(3)]


def test_broken_items_are_skipped_and_counted_and_the_others_kept() -> None:
    good = {"id": "Ug", "snippet": {"publishedAt": "2026-01-08T00:00:00Z", "textDisplay": "acmeair"}}
    broken: list[Any] = [None, 7, {}, {"id": "x"}, {"id": "x", "snippet": None}]
    for field in ({"publishedAt": "noon"}, {"textDisplay": 5}, {"authorChannelId": "x"}, {"likeCount": "many"}):
        broken.append({"id": "x", "snippet": {**good["snippet"], **field}})  # type: ignore[dict-item]
    found, skipped = items_of({"items": [*broken, good]}, read_comment)
    assert (ids(found), skipped) == (["Ug"], len(broken))
    threads = [{"snippet": {"topLevelComment": item}} for item in [*broken, good]]
    items, skipped = comments_of({"items": [*threads, {"snippet": 5}]}, None)
    assert ([item.mention.id for item in items], skipped) == (["Ug"], len(broken) + 1)
    assert items_of({"items": [{"id": {"videoId": "../../etc"}, "snippet": {"title": "x"}}]}, read_video)[1] == 1


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "30"}, 30.0), ({}, None)])
@pytest.mark.parametrize("reply", [Reply(429, b"{}"), refusal(403, "rateLimitExceeded")])
def test_too_many_requests_says_how_long_to_wait(reply: Reply, headers: dict[str, str], wait: float | None) -> None:
    network = Network(lambda _: Reply(reply.status, reply.body, headers))
    with network, pytest.raises(CollectorError, match="too many requests") as error:
        Reader(network, OF_CHANNEL).turn()
    assert error.value.retry_after == wait


def test_a_wrong_key_is_refused_by_name_and_never_shown() -> None:
    with YouTubeNetwork() as network, pytest.raises(CollectorError, match="FORESHOCK_YOUTUBE_API_KEY") as error:
        Reader(network, OF_CHANNEL).turn(key="AIza-wrong")
    assert "AIza" not in error.value.reason


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b"{}", b'{"items": 5}', b'{"error": {"errors": [{"reason": "<b>"}, 1, null]}}',
     b'{"error": {"errors": 5, "details": [[]]}}', b"[" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 503])
def test_whatever_youtube_answers_is_one_clear_line(status: int, body: bytes) -> None:
    with Network(lambda _: Reply(status, body)) as network, pytest.raises(CollectorError) as error:
        Reader(network, OF_CHANNEL).turn()
    assert "\n" not in error.value.reason
    assert "<" not in error.value.reason
    assert error.value.reason.startswith("YouTube ")


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": ["@acme"]},
        {"videos": ["https://youtu.be/vvvvvvvvvvv"]},
        {"searches_per_day": 0},
        {"searches_per_day": 101},
        {"searches_per_day": 2, "units_per_day": 199},
        {"api_key": "x"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        YouTubeSettings.model_validate(wrong)


def serving(page: dict[str, Any]) -> Network:
    return Network(lambda _: Reply(200, json.dumps(page).encode()))


def test_recorded_threads_are_all_read_by_pages() -> None:
    folder = shared("payloads/youtube")
    pages = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    assert len(pages) == 4
    for name, page in pages.items():
        items, skipped = comments_of(page, None)
        tops = [thread["snippet"]["topLevelComment"]["snippet"] for thread in page["items"]]
        assert skipped == 0, name
        told = {(item.mention.text, item.mention.published_at.isoformat()[:19]) for item in items}
        assert {(top["textOriginal"], top["publishedAt"][:19]) for top in tops} <= told, name
        assert all(item.mention.author and item.mention.engagement is not None for item in items)
    for name, page in pages.items():
        page.pop("nextPageToken", None)
        items, _ = comments_of(page, None)
        moment = datetime.fromtimestamp(max(item.changed for item in items), UTC) + timedelta(seconds=1)
        with serving(page) as network:
            mentions, _ = Reader(network, YouTubeSettings(channels=(CHANNEL,), searches_per_day=0)).turn(moment)
        young = {item.mention.id for item in items if item.changed > (moment - timedelta(days=7)).timestamp()}
        assert set(ids(mentions)) == young != set(), name


def test_without_a_key_it_says_what_to_set() -> None:
    with pytest.raises(CollectorError, match="FORESHOCK_YOUTUBE_API_KEY"):
        build(SEARCHING, "acme", "acme", Outbound(), {})
    assert isinstance(build(SEARCHING, "acme", "acme", Outbound(), {"youtube_api_key": "k"}), YouTubeCollector)
