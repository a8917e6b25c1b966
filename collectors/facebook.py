"""Facebook: what visitors write on a page and under its posts, and posts that tag it, by the Graph API.

https://developers.facebook.com/docs/graph-api/reference/page/feed. No client library is used: they send the token in
the address. Posts and comments have the ids of the Page webhook, so that what both tell counts once.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote, urlencode
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from collectors import newest_first
from collectors.collector import Batch, CollectorError, Declaration
from collectors.facebook_answer import (
    BROKEN,
    GONE,
    SOURCE,
    Refused,
    batch_of,
    data_of,
    object_of,
    read_comment,
    read_post,
    refusal,
    rest,
)
from collectors.mention import Kind, Mention
from collectors.newest_first import Item
from collectors.query import parse
from collectors.recheck import Recheck, due

if TYPE_CHECKING:
    from collectors.outbound import Answer, Outbound

BASE_URL = "https://graph.facebook.com/v25.0"
PAGE = 25
"""Posts a page; each brings its newest comments, and Facebook refuses what is too much at once."""
NESTED = 25
"""Comments that come with a post."""
COMMENTS = 100
"""Comments a page, the most that Facebook gives."""
FOLLOWED = 300
"""The newest posts of a page, which are read at each turn for new comments: 12 requests."""
MOST = 2_000
"""Comments read of one post in one turn: 20 requests."""
REACH = timedelta(days=7)
"""How far back the first reading goes, and how long a post is followed at least; older mentions are not counted."""
LAG = timedelta(minutes=2)
"""What a post or comment may take to be listed."""
CHECKED = 50
"""Mentions asked for again in one batch, the most that Facebook takes."""
RECHECK_EVERY = timedelta(minutes=15)
"""Each mention that is asked for again counts as a request of 200 an hour: 50 in 15 minutes are all of them."""

DECLARATION = Declaration(
    name=SOURCE,
    reads="visitors' posts and comments on one's own pages, and posts that tag them",
    needs_key=True,
    push=False,
    counts=False,
    backfill="7 days",
    price="free",
    poll_seconds=120.0,
)

COMMENT = "id,message,created_time,from,permalink_url,like_count,comment_count,parent{id}"
POST = "id,message,created_time,from,permalink_url,shares,reactions.limit(0).summary(total_count)"
NEWEST = {"filter": "stream", "order": "reverse_chronological", "summary": "total_count"}


class FacebookSettings(BaseModel):
    """A brand's source `{type: facebook, page: "1234567890"}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["facebook"] = "facebook"
    page: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,30}$")] = Field(description="the page's number, as text")
    comments: bool = Field(default=True, description="read the comments on its posts too")
    tagged: bool = Field(default=False, description="read posts elsewhere that tag the page too")
    own: bool = Field(default=False, description="the page is the brand's own: all there counts, named or not")


class FacebookCollector:
    """One request a poll: pages of posts with their newest comments, further comments, then mentions told before.

    The cursor holds `posts` (by id `at` and `place`), `tagged`, `begun` (of the last turn), `told`, `words` (by id the
    text's CRC-32 and the kind), `checked`, `rests` (until when no request goes out), and amid a turn `turn`: `at`,
    `left`, of the posts `token` and how many were `read`, and whether it is `whole`. Times are POSIX seconds.
    """

    declaration = DECLARATION

    def __init__(
        self,
        settings: FacebookSettings,
        brand: str,
        query: str,
        outbound: "Outbound",
        token: str,
        base_url: str = BASE_URL,
    ) -> None:
        self._settings = settings
        self._brand = brand
        self._mine = brand if settings.own else None
        self._outbound = outbound
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._recheck = Recheck(brand, parse(query))

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read one page of posts or comments, or ask again for what was told; nothing while a limit must recover.

        Raises:
            CollectorError: Facebook could not be read; nothing was taken, the cursor stays.
        """
        if cursor.get("rests", 0.0) > now.timestamp():
            return Batch(cursor=cursor)
        turn = dict(cursor.get("turn") or {"at": now.timestamp(), "left": self._steps(cursor, now), "whole": True})
        if not turn["left"]:
            return self._end(cursor, turn, [], 0)
        step = turn["left"][0]
        if step == "feed":
            return await self._feed(cursor, turn, now)
        if step == "check":
            return await self._check(cursor, turn, now)
        return await self._newest(cursor, turn, step, now)

    def _steps(self, cursor: Mapping[str, Any], now: datetime) -> list[str]:
        checked = now.timestamp() >= cursor.get("checked", 0.0) + RECHECK_EVERY.total_seconds()
        return [
            "feed",
            *(["tagged"] if self._settings.tagged else []),
            *(["check"] if cursor.get("told") and checked else []),
        ]

    def _end(self, cursor: Mapping[str, Any], turn: dict[str, Any], mentions: list[Mention], skipped: int) -> Batch:
        """Go on to what is left of the turn, or end it."""
        told = self._recheck.remember(cursor.get("told", {}), mentions)
        words = {**cursor.get("words", {}), **{m.id: [crc32(m.text.encode()), m.kind] for m in mentions}}
        after = {**cursor, "told": told, "words": {name: words[name] for name in told if name in words}, "turn": turn}
        if turn["left"]:
            more = after.get("rests", 0.0) <= turn["at"]
            return Batch(mentions=mentions, cursor=after, more=more, skipped=skipped)
        del after["turn"]
        until = datetime.fromtimestamp(turn["at"], UTC) - LAG if turn["whole"] else None
        return Batch(mentions=mentions, cursor=after, complete_until=until, skipped=skipped)

    async def _feed(self, cursor: Mapping[str, Any], turn: dict[str, Any], now: datetime) -> Batch:
        """Read a page of posts, all of them anew: whatever has new comments is among them."""
        nested = (
            f",comments.{'.'.join(f'{name}({value})' for name, value in NEWEST.items())}.limit({NESTED}){{{COMMENT}}}"
        )
        params = {"fields": POST + (nested if self._settings.comments else ""), "limit": str(PAGE)}
        token = turn.get("token")
        try:
            answer = await self._get(f"{self._settings.page}/feed", {**params, **({"after": token} if token else {})})
            data, token = data_of(object_of(answer, now))
        except Refused as refused:
            if not token or refused.code != 100:
                raise
            return self._end(cursor, _without(turn, "feed", whole=False), [], 0)  # the next turn has another cursor
        floor = turn["at"] - REACH.total_seconds()
        posts, left = dict(cursor.get("posts", {})), list(turn["left"])
        found: list[Mention] = []
        skipped, newest, oldest, missed = 0, 0.0, turn["at"], None
        for item in data:
            try:
                post = read_post(item, self._mine)
                at = post.published_at.timestamp()
            except BROKEN:
                skipped += 1
                continue
            newest, oldest = max(newest, at), min(oldest, at)
            if post.id not in posts and at > floor:
                found += self._said([post])
            place = posts.get(post.id, {}).get("place", {})
            posts[post.id] = {"at": at, "place": place}
            if not self._settings.comments or "comments" not in item or f"post:{post.id}" in left:
                continue
            try:
                listed, following = data_of(item["comments"])
            except CollectorError:
                skipped += 1
                continue
            items, broken = self._items(listed, post.id)
            step = newest_first.step(place, items, following, turn["at"], floor, MOST, MOST)
            posts[post.id]["place"] = step.place
            found += self._said(step.fresh)
            skipped += broken
            left += [] if step.done else [f"post:{post.id}"]
        read = turn.get("read", 0) + len(data)
        # A pinned post stands first however old it is, so that a whole page has to be old.
        done = token is None or read >= FOLLOWED or bool(data and newest <= floor)
        begun = cursor.get("begun")
        if done and token and begun is not None and oldest > begun:
            missed = datetime.fromtimestamp(begun, UTC), datetime.fromtimestamp(oldest, UTC)
        kept = sorted(posts, key=lambda name: -posts[name]["at"])[: FOLLOWED + PAGE]
        after = {**cursor, "posts": {name: posts[name] for name in kept}, **self._rests(answer, now)}
        then = {**turn, "token": token, "read": read, "left": left}
        if done:
            then = _without(then, "feed")
            after["begun"] = turn["at"]
        return replace(self._end(after, then, found, skipped), missed=missed)

    async def _newest(self, cursor: Mapping[str, Any], turn: dict[str, Any], name: str, now: datetime) -> Batch:
        """Read a page of the comments on a post, or of the posts that tag the page."""
        post = name.partition(":")[2]
        posts = cursor.get("posts", {})
        if post and post not in posts:
            return self._end(cursor, _without(turn, name), [], 0)
        place = posts[post]["place"] if post else cursor.get("tagged", {})
        token = newest_first.token_of(place)
        params = {"fields": COMMENT, "limit": str(COMMENTS), **NEWEST} if post else {"fields": POST, "limit": str(PAGE)}
        path = f"{post}/comments" if post else f"{self._settings.page}/tagged"
        try:
            answer = await self._get(path, {**params, **({"after": token} if token else {})})
            data, token = data_of(object_of(answer, now))
        except Refused as refused:
            if refused.code != 100 or not (post or token):
                raise
            # Gone, or the cursor is known no more: from the top at the next turn.
            anew = self._placed(cursor, post, newest_first.begun_anew(place))
            return self._end(anew, _without(turn, name, whole=(refused.code, refused.subcode) == GONE), [], 0)
        items, skipped = self._items(data, post)
        begun = turn["at"]
        step = newest_first.step(place, items, token, begun, begun - REACH.total_seconds(), MOST, MOST)
        after = {**self._placed(cursor, post, step.place), **self._rests(answer, now)}
        then = _without(turn, name) if step.done else turn
        return replace(self._end(after, then, self._said(step.fresh), skipped), missed=step.missed)

    def _placed(self, cursor: Mapping[str, Any], post: str, place: Mapping[str, Any]) -> dict[str, Any]:
        if not post:
            return {**cursor, "tagged": place}
        return {**cursor, "posts": {**cursor["posts"], post: {**cursor["posts"][post], "place": place}}}

    def _items(self, data: list[Any], post: str) -> tuple[list[Item], int]:
        """Return the comments on a post, or posts where it is "", and how many could not be read."""
        items: list[Item] = []
        for item in data:
            try:
                mention = read_comment(item, post, self._mine) if post else read_post(item, self._mine)
            except BROKEN:
                continue
            at = mention.published_at.timestamp()
            items.append(Item(mention.id, at, at, mention))
        return items, len(data) - len(items)

    def _said(self, mentions: list[Mention]) -> list[Mention]:
        """What the page itself says, and pictures without a word, are not what is said about it."""
        return [m for m in mentions if m.text and not (m.author and m.author.id == self._settings.page)]

    async def _check(self, cursor: Mapping[str, Any], turn: dict[str, Any], now: datetime) -> Batch:
        """Ask for mentions that were told before: one that is gone was deleted, one with other words edited."""
        ids, told = due(cursor.get("told", {}), now, CHECKED)
        cursor = {**cursor, "told": told, "checked": now.timestamp()}
        if not ids:
            return self._end(cursor, _without(turn, "check"), [], 0)
        words = cursor.get("words", {})
        kinds = [words.get(name, [0, "post"])[1] for name in ids]
        # One by one inside a batch: of `?ids=` all is refused where one is gone.
        asked = [
            {"method": "GET", "relative_url": f"{quote(name)}?fields={quote(COMMENT if kind == 'comment' else POST)}"}
            for name, kind in zip(ids, kinds, strict=True)
        ]
        answer = await self._outbound.fetch(
            "POST",
            f"{self._base_url}/",
            headers={**self._headers, "Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode({"batch": json.dumps(asked), "include_headers": "false"}).encode(),
        )
        mentions: list[Mention] = []
        skipped = 0
        answers = batch_of(object_of(answer, now), len(ids))
        for name, kind, (status, found) in zip(ids, kinds, answers, strict=True):
            if status == 200:
                try:
                    mention = self._again(name, kind, found)
                except BROKEN:
                    skipped += 1
                    continue
                if mention.text and crc32(mention.text.encode()) != words.get(name, [0])[0]:
                    mentions.append(mention.model_copy(update={"updated_at": now}))  # Facebook does not say when
                continue
            error = refusal(status, found) if status else None
            if isinstance(error, Refused) and (error.code, error.subcode) == GONE:
                mentions.append(self._gone(name, kind, told[name][0], now))
            elif error is not None and not isinstance(error, Refused):
                raise error
            else:
                skipped += 1
        return self._end({**cursor, **self._rests(answer, now)}, _without(turn, "check"), mentions, skipped)

    def _again(self, name: str, kind: str, found: Any) -> Mention:
        if kind == "post":
            return read_post(found, self._mine)
        return read_comment(found, f"{self._settings.page}_{name.partition('_')[0]}", self._mine)

    def _gone(self, name: str, kind: Kind, published: float, now: datetime) -> Mention:
        return Mention(
            id=name,
            source=SOURCE,
            text="",
            published_at=datetime.fromtimestamp(published, UTC),
            updated_at=now,
            kind=kind,
            deleted=True,
            brands=[self._brand],
        )

    def _rests(self, answer: "Answer", now: datetime) -> dict[str, float]:
        seconds = rest(answer.headers)
        return {"rests": now.timestamp() + seconds if seconds else 0.0}

    @property
    def _headers(self) -> dict[str, str]:
        # In a header: addresses are written down by whatever lies between.
        return {"Authorization": f"Bearer {self._token}"}

    async def _get(self, path: str, params: Mapping[str, str]) -> "Answer":
        return await self._outbound.fetch("GET", f"{self._base_url}/{path}", params=params, headers=self._headers)


def _without(turn: Mapping[str, Any], step: str, whole: bool = True) -> dict[str, Any]:
    """Return the turn without a step that is done; without being `whole`, nothing is said to be complete."""
    return {**turn, "left": [name for name in turn["left"] if name != step], "whole": turn["whole"] and whole}
