"""Mastodon: public and hashtag timelines of a server without a key, and its stream with one.

https://docs.joinmastodon.org/methods/timelines: pages go forward from an id (`min_id`), so that a poll goes on where
the last one ended. An id holds its post's own time, and posts of other servers arrive late: each poll reads the last
minute again, and what comes twice counts once. With a token the stream is heard between two readings of the timeline:
it tells of deletions, and what it misses the timeline has.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from collectors.collector import Batch, CollectorError, Declaration, Limit, Wanted
from collectors.mastodon_post import (
    SOURCE,
    Post,
    earlier,
    from_instant,
    newest,
    read_post,
    read_posts,
    refusal,
    said,
    version,
    written,
)
from collectors.mention import Mention
from collectors.server_sent import ServerSent, read_events

if TYPE_CHECKING:
    from collectors.outbound import Outbound

PAGE = 40
"""Posts a page, the most that a timeline gives."""
SHORT = PAGE // 2
"""A page with fewer is the last one: servers leave some out of a full page."""
BACKFILL = timedelta(minutes=30)
"""What is read on first contact: a large server's public timeline has some 500 posts a minute."""
PAGES = 25
"""Pages of one poll, over all timelines."""
OVERLAP, OVERLAP_STREAMED = 60.0, 15.0
"""Seconds that are read again, for posts that arrive late; the stream tells of most of those."""
LAG = timedelta(seconds=60)
"""What posts of other servers take to arrive."""
STAY = 20.0
"""Seconds that the stream is heard in a poll, and so the longest that a post waits here."""
SILENCE = 18.0
"""Seconds after which a stream is dead: servers send a keep-alive every 15."""
KEPT = 500
"""Mentions whose deletion is understood: the stream names a post by its number on the server alone."""

DECLARATION = Declaration(
    name=SOURCE,
    reads="public posts that a server knows, or those with hashtags",
    needs_key=False,
    push=False,
    counts=False,
    backfill="30 minutes",
    price="free",
    poll_seconds=60.0,
    limit=Limit(300, 300.0),
)

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$", max_length=300)]
Hashtag = Annotated[str, StringConstraints(pattern=r"^\w{1,100}$")]


class MastodonSettings(BaseModel):
    """A brand's source `{type: mastodon, server: https://...}`; brands with the same settings share it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["mastodon"] = "mastodon"
    server: Origin = "https://mastodon.social"
    hashtags: tuple[Hashtag, ...] = Field(default=(), max_length=20, description="read these alone, without #")
    local: bool = Field(default=False, description="only posts that were written on this server")
    stream: bool = Field(default=True, description="hear the stream too, where the operator has a token")
    streaming: Origin | None = Field(
        default=None, description="the stream's server, where it is a part of another name"
    )

    @model_validator(mode="after")
    def _token_stays_at_home(self) -> Self:
        host = urlsplit(self.server).hostname or ""
        other = urlsplit(self.streaming or self.server).hostname or ""
        if other != host and not other.endswith(f".{host}"):
            raise ValueError(f"streaming must be {host} or a name under it, since the token is sent there")
        return self


@dataclass
class _Read:
    """What a poll has read so far."""

    now: datetime
    since: dict[str, str]
    kept: dict[str, str]
    again: float
    tried: bool = False
    pages: int = 0
    rest: bool = False
    skipped: int = 0
    mentions: dict[str, Mention] = field(default_factory=dict)


class MastodonCollector:
    """The cursor holds the newest id of each timeline in `since`, and `kept` addresses of mentions by their ids.

    Where it is `behind`, nothing is read again before all is read once.
    """

    declaration = DECLARATION

    def __init__(
        self, settings: MastodonSettings, outbound: "Outbound", token: str | None = None, stay: float = STAY
    ) -> None:
        self.wanted: Wanted | None = None
        self._settings = settings
        self._outbound = outbound
        self._host = urlsplit(settings.server).netloc
        self._token = token
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._stay = stay

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read what the timelines have since the last poll, and hear the stream for a while.

        Raises:
            CollectorError: the timelines could not be read; nothing was taken, the cursor stays.
        """
        streamed = bool(self._token and self._settings.stream and not self._settings.hashtags)
        again = 0.0 if cursor.get("behind") else OVERLAP_STREAMED if streamed else OVERLAP
        read = _Read(now, _texts(cursor.get("since")), _texts(cursor.get("kept")), again)
        if not streamed:
            await self._catch_up(read)
            return self._batch(read, now, more=read.rest)
        clock = asyncio.get_running_loop().time
        start = heard = clock()
        url = f"{self._settings.streaming or self._settings.server}/api/v1/streaming/public"
        url += "/local" if self._settings.local else ""
        try:
            async with self._outbound.stream(url, headers=self._headers, silence=SILENCE) as (head, pieces):
                await self._catch_up(read)
                if head.status == 200 and not read.rest:
                    await self._hear(pieces, read, start)
                    heard = clock()
        except CollectorError:  # of the stream: what it would have told, the timeline tells later
            if not read.pages and read.tried:
                raise
            if not read.pages:
                await self._catch_up(read)
        return self._batch(read, now + timedelta(seconds=heard - start), more=read.rest or heard > start)

    def _batch(self, read: _Read, heard_until: datetime, more: bool) -> Batch:
        until: datetime | None = heard_until - LAG
        if read.rest:
            reached = [written(read.since.get(timeline, "")) for timeline in self._timelines()]
            until = min((at for at in reached if at), default=None)
        kept = dict(list(read.kept.items())[-KEPT:])
        return Batch(
            mentions=list(read.mentions.values()),
            cursor={"since": read.since, "kept": kept, "behind": read.rest},
            complete_until=until,
            more=more,
            skipped=read.skipped,
        )

    def _timelines(self) -> list[str]:
        return [f"tag/{quote(tag)}" for tag in self._settings.hashtags] or ["public"]

    async def _catch_up(self, read: _Read) -> None:
        """Read the timelines to their end; an error after the first page ends it early instead."""
        read.tried = True
        for timeline in self._timelines():
            known = read.since.get(timeline)
            after = earlier(known, read.again) if known else None
            while True:
                if read.pages >= PAGES:
                    read.rest = True
                    return
                try:
                    posts = await self._page(timeline, after, read.now)
                except CollectorError:
                    if not read.pages:
                        raise
                    read.rest = True
                    return
                read.pages += 1
                ids = [post.id for post in posts if post is not None]
                if after is None and len(posts) >= SHORT and (first := _first(ids, read.now)):
                    after = first  # more than a page is to be read: from its beginning, so that it can be gone on with
                    continue
                self._take(posts, read)
                if ids:
                    read.since[timeline] = newest([*ids, known or ids[0]])
                if after is None or len(posts) < SHORT or not ids or newest(ids) == after:
                    break
                after = newest(ids)

    async def _page(self, timeline: str, after: str | None, now: datetime) -> list[Post | None]:
        params = {"limit": str(PAGE)}
        params |= {"min_id": after} if after else {}
        params |= {"local": "true"} if self._settings.local else {}
        url = f"{self._settings.server}/api/v1/timelines/{timeline}"
        answer = await self._outbound.fetch("GET", url, headers=self._headers, params=params)
        if answer.status != 200:
            raise refusal(answer, self._host, bool(self._token), now)
        return read_posts(answer, self._host)

    def _take(self, posts: list[Post | None], read: _Read) -> None:
        read.skipped += sum(post is None for post in posts)
        found = [(post, said(post, self._host)) for post in posts if post is not None]
        wanted = self.wanted([fields for _, fields in found]) if self.wanted else [True] * len(found)
        for (post, fields), asked in zip(found, wanted, strict=True):
            if not asked and fields["updated_at"] is None:
                continue
            try:
                mention = Mention.model_validate(fields)
            except ValidationError:
                read.skipped += 1
                continue
            if asked and self._token:
                read.kept.pop(post.id, None)
                read.kept[post.id] = mention.id
            other = read.mentions.get(mention.id)
            if other is None or version(mention) >= version(other):
                read.mentions[mention.id] = mention

    async def _hear(self, pieces: AsyncIterator[bytes], read: _Read, start: float) -> None:
        """Listen to the stream until `stay` seconds are over.

        Raises:
            CollectorError: it ended before.
        """
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout_at(start + self._stay):
                async for event in read_events(pieces):
                    self._told(event, read, clock() - start)
        except TimeoutError:
            return
        raise CollectorError(f"{self._host} ended the stream")

    def _told(self, event: ServerSent, read: _Read, seconds: float) -> None:
        if event.kind in ("update", "status.update"):
            post = read_post(event.data)
            self._take([post], read)
            if post is not None and event.kind == "update":
                read.since["public"] = newest([post.id, read.since.get("public", post.id)])
        elif event.kind == "delete" and event.data in read.kept:
            at = read.now + timedelta(seconds=seconds)
            address = read.kept.pop(event.data)
            read.mentions[address] = Mention(
                id=address,
                source=SOURCE,
                text="",
                published_at=min(written(event.data) or at, at),
                updated_at=at,
                deleted=True,
            )


def _first(ids: list[str], now: datetime) -> str | None:
    """The id to begin at where the oldest of a first page is younger than `BACKFILL`."""
    at = written(min(ids, key=lambda identifier: (len(identifier), identifier), default=""))
    return from_instant(now - BACKFILL) if at is not None and at > now - BACKFILL else None


def _texts(told: object) -> dict[str, str]:
    """A mapping of texts, as far as it is one: a cursor that was lost or broken begins anew."""
    found = told if isinstance(told, dict) else {}
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, str)}
