"""YouTube: the comments of channels, of videos, and of videos that a search finds, within the day's quota.

https://developers.google.com/youtube/v3/docs: reading a page of comments costs 1 unit and a search 100, and a key has
10,000 units a day, from midnight Pacific Time; newer keys have 100 searches a day of their own instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from collectors import newest_first, youtube_quota
from collectors.collector import Batch, CollectorError, Declaration
from collectors.mention import Mention
from collectors.query import parse
from collectors.recheck import Recheck, due
from collectors.search_words import search_words
from collectors.youtube_answer import (
    SOURCE,
    QuotaUsedUp,
    Refused,
    comments_of,
    items_of,
    object_of,
    read_comment,
    read_video,
    token_of,
)
from collectors.youtube_settings import YouTubeSettings

if TYPE_CHECKING:
    from collectors.outbound import Outbound

BASE_URL = "https://www.googleapis.com/youtube/v3"
PAGE = 100
"""Threads a page, the most that YouTube gives."""
MOST = 2_000
"""Threads read of one place in one turn: 20 units; a place where more is written in minutes is beyond the quota."""
FOUND_PAGE = 50
"""Videos of a search, the most that one page has; a second page would cost as much again."""
CHECKED = 50
"""Comments asked for again in one request."""
RECHECK_EVERY = timedelta(minutes=30)
REACH = timedelta(days=7)
"""How far back the first reading goes, and how long a found video is followed; older mentions are not counted."""
INDEXED = timedelta(hours=1)
"""What a video may take to be found by a search."""
CLOSED = timedelta(hours=6)
"""How long a place is left alone that has no comments, or is not there."""
LAG = timedelta(minutes=2)
"""What a comment may take to be listed."""
VIDEO_ID = 11
"""Characters; ids of comments have more."""

NOTHING_THERE = frozenset({"commentsDisabled", "videoNotFound", "channelNotFound", "forbidden"})
"""YouTube's reasons why a place has no comments for us; the others go on."""

DECLARATION = Declaration(
    name=SOURCE,
    reads="comments of channels and videos, with up to 5 replies each; videos found by search, and their comments",
    needs_key=True,
    push=False,
    counts=False,
    backfill="7 days",
    price="free within 10,000 units a day",
    poll_seconds=120.0,
)


def said(alternatives: Sequence[Sequence[str]]) -> str:
    """Say alternatives (an OR of ANDs) to YouTube's search, which knows no parentheses: the longest word of each."""
    longest = dict.fromkeys(max(words, key=len) for words in alternatives)
    return "|".join(word if word.isalnum() else '"' + word.replace('"', " ") + '"' for word in longest)


class YouTubeCollector:
    """One request a poll: a search where one is due, then a page of each place, then comments told before.

    The cursor holds `quota`, `searched`, `found` and `closed` (times by id), `places`, `told`, `checked`, and amid a
    turn `turn` (`at`, `left`).
    """

    declaration = DECLARATION

    def __init__(
        self,
        settings: YouTubeSettings,
        brand: str,
        query: str,
        outbound: "Outbound",
        key: str,
        base_url: str = BASE_URL,
    ) -> None:
        self._settings = settings
        self._brand = brand
        self._outbound = outbound
        self._key = key
        self._base_url = base_url.rstrip("/")
        parsed = parse(query)
        self._recheck = Recheck(brand, parsed)
        self._search = ""
        if settings.searches_per_day:
            alternatives = search_words(parsed, SOURCE, frozenset({"post", "comment"}), "YouTube")
            self._search = said(alternatives)
        self._named = [f"channel:{name}" for name in settings.channels] + [f"video:{name}" for name in settings.videos]

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Search, read one page of one place, or ask again for what was told; nothing while the quota must last.

        Raises:
            CollectorError: YouTube could not be read, or the day's units are used up; the cursor stays.
        """
        quota = youtube_quota.today(cursor.get("quota", {}), now)
        cursor = {**cursor, "quota": quota}
        turn = cursor.get("turn")
        if turn is None:
            steps = self._steps(cursor, now)
            costs = sum(self._units(step) for step in steps)
            if quota["units"] + costs > youtube_quota.allowed(self._settings.units_per_day, now):
                return Batch(cursor=cursor)
            turn = {"at": now.timestamp(), "left": steps}
        if not turn["left"]:
            return self._end(cursor, turn, [], 0)
        name = turn["left"][0]
        units = self._units(name)
        if quota["units"] + units > self._settings.units_per_day:
            raise CollectorError(
                f"YouTube's {self._settings.units_per_day} units of the day are used up", youtube_quota.until(now)
            )
        searches = quota["searches"] + (name == "search")
        cursor = {**cursor, "quota": {**quota, "units": quota["units"] + units, "searches": searches}}
        if name == "search":
            return await self._find(cursor, turn, now)
        if name == "check":
            return await self._check(cursor, turn, now)
        return await self._read(cursor, turn, name, now)

    def _units(self, step: str) -> int:
        return self._settings.units_per_search if step == "search" else 1

    def _steps(self, cursor: Mapping[str, Any], now: datetime) -> list[str]:
        """What a turn that begins now has to do."""
        steps = self._open(self._places(cursor.get("found", {})), cursor, now)
        if self._search and youtube_quota.search_due(
            cursor["quota"], cursor.get("searched"), self._settings.searches_per_day, now
        ):
            steps.insert(0, "search")
        checked = cursor.get("checked", 0.0)
        if cursor.get("told") and now.timestamp() >= checked + RECHECK_EVERY.total_seconds():
            steps.append("check")
        return steps

    def _end(self, cursor: Mapping[str, Any], turn: Mapping[str, Any], mentions: list[Mention], skipped: int) -> Batch:
        """Go on to what is left of the turn, or end it."""
        told = self._recheck.remember(cursor.get("told", {}), mentions)
        after = {**cursor, "told": told, "turn": turn}
        if turn["left"]:
            return Batch(mentions=mentions, cursor=after, more=True, skipped=skipped)
        del after["turn"]
        until = datetime.fromtimestamp(turn["at"], UTC) - LAG
        return Batch(mentions=mentions, cursor=after, complete_until=until, skipped=skipped)

    async def _find(self, cursor: Mapping[str, Any], turn: Mapping[str, Any], now: datetime) -> Batch:
        """Search for new videos; those that were found are followed, the newest first."""
        last = cursor.get("searched")
        since = now - REACH if last is None else datetime.fromtimestamp(last, UTC) - INDEXED
        params = {
            "part": "snippet",
            "type": "video",
            "order": "date",
            "q": self._search,
            "maxResults": str(FOUND_PAGE),
            "publishedAfter": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        try:
            page = await self._get("search", params, now)
        except QuotaUsedUp:  # searches have a quota of their own: no more of them today, and comments are read on
            quota = {**cursor["quota"], "searches": self._settings.searches_per_day}
            return self._end({**cursor, "quota": quota}, {**turn, "left": turn["left"][1:]}, [], 0)
        videos, skipped = items_of(page, read_video)
        before = cursor.get("found", {})
        mentions = list({video.id: video for video in videos if video.id not in before}.values())
        times = {**before, **{video.id: video.published_at.timestamp() for video in videos}}
        young = [name for name in sorted(times, key=lambda n: -times[n]) if times[name] > (now - REACH).timestamp()]
        found = {name: times[name] for name in young[: self._settings.follow]}
        places = {name: at for name, at in cursor.get("places", {}).items() if name in self._places(found)}
        missed = None
        if last is not None and token_of(page):  # the next search begins later
            missed = since, min((video.published_at for video in videos), default=now)
        after = {**cursor, "searched": now.timestamp(), "found": found, "places": places}
        asked = [*self._places(found), *(["check"] if "check" in turn["left"] else [])]
        return replace(
            self._end(after, {**turn, "left": self._open(asked, cursor, now)}, mentions, skipped), missed=missed
        )

    def _places(self, found: Mapping[str, float]) -> list[str]:
        return list(dict.fromkeys([*self._named, *(f"video:{name}" for name in found)]))

    def _open(self, places: Sequence[str], cursor: Mapping[str, Any], now: datetime) -> list[str]:
        """Return the places that are not left alone for now."""
        closed = cursor.get("closed", {})
        return [name for name in places if closed.get(name, 0.0) <= now.timestamp()]

    async def _read(self, cursor: Mapping[str, Any], turn: Mapping[str, Any], name: str, now: datetime) -> Batch:
        """Read a page of a channel's or a video's comments."""
        kind, _, identity = name.partition(":")
        place = cursor.get("places", {}).get(name, {})
        token = newest_first.token_of(place)
        params = {
            "part": "snippet,replies",
            "order": "time",
            "textFormat": "plainText",
            "maxResults": str(PAGE),
            "allThreadsRelatedToChannelId" if kind == "channel" else "videoId": identity,
        }
        left = turn["left"][1:]
        try:
            page = await self._get("commentThreads", {**params, **({"pageToken": token} if token else {})}, now)
        except Refused as refused:
            if token and refused.code in ("invalidPageToken", "processingFailure"):
                places = {**cursor["places"], name: newest_first.begun_anew(place)}
                return self._end({**cursor, "places": places}, turn, [], 0)
            if refused.code not in NOTHING_THERE:
                raise
            return self._close({**cursor}, {**turn, "left": left}, name, refused.code, now)
        mine = self._brand if self._settings.own and name in self._named else None
        items, skipped = comments_of(page, mine)
        begun = turn["at"]
        step = newest_first.step(place, items, token_of(page), begun, begun - REACH.total_seconds(), MOST, MOST)
        after = {**cursor, "places": {**cursor.get("places", {}), name: step.place}}
        then = {**turn, "left": left if step.done else turn["left"]}
        return replace(self._end(after, then, step.fresh, skipped), missed=step.missed)

    def _close(self, cursor: dict[str, Any], turn: Mapping[str, Any], name: str, code: str, now: datetime) -> Batch:
        """Leave a place alone for a while; a found video that is gone was deleted."""
        until = {**cursor.get("closed", {}), name: (now + CLOSED).timestamp()}
        cursor["closed"] = {place: at for place, at in until.items() if at > now.timestamp()}
        identity = name.partition(":")[2]
        times = cursor.get("told", {}).get(identity)
        gone = [self._gone(identity, times[0], now)] if times and code == "videoNotFound" else []
        return self._end(cursor, turn, gone, int(name in self._named and code != "commentsDisabled"))

    async def _check(self, cursor: Mapping[str, Any], turn: Mapping[str, Any], now: datetime) -> Batch:
        """Ask for comments that were told before: one that is not there any more was deleted."""
        told = cursor.get("told", {})
        videos = {name: times for name, times in told.items() if len(name) == VIDEO_ID}
        ids, comments = due({name: times for name, times in told.items() if name not in videos}, now, CHECKED)
        cursor = {**cursor, "told": {**videos, **comments}, "checked": now.timestamp()}
        turn = {**turn, "left": turn["left"][1:]}
        if not ids:
            return self._end(cursor, turn, [], 0)
        page = await self._get("comments", {"part": "snippet", "textFormat": "plainText", "id": ",".join(ids)}, now)
        mine = self._brand if self._settings.own else None
        found, skipped = items_of(page, lambda item: read_comment(item, mine))
        there = {item.get("id") for item in page["items"] if isinstance(item, dict)}
        edited = [m for m in found if m.id in told and m.updated_at and m.updated_at.timestamp() > told[m.id][1]]
        gone = [self._gone(name, told[name][0], now) for name in ids if name not in there]
        return self._end(cursor, turn, [*edited, *gone], skipped)

    def _gone(self, identity: str, published: float, now: datetime) -> Mention:
        return Mention(
            id=identity,
            source=SOURCE,
            text="",
            published_at=datetime.fromtimestamp(published, UTC),
            updated_at=now,
            kind="comment" if len(identity) > VIDEO_ID else "post",
            deleted=True,
            brands=[self._brand],
        )

    async def _get(self, path: str, params: Mapping[str, str], now: datetime) -> dict[str, Any]:
        # The key goes in a header: addresses are written down by whatever lies between.
        answer = await self._outbound.fetch(
            "GET", f"{self._base_url}/{path}", params=params, headers={"X-Goog-Api-Key": self._key}
        )
        return object_of(answer, now)
