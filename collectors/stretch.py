"""Reads the newest stretch of a network again at each turn, so that late, edited and deleted posts are found.

A turn asks every question of a listing, newest posts first, one page a poll; then it asks what became of the posts that
it gave before and did not meet again: they are gone, or an edit took out the words that were searched. Only what is new
or has another text is given.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from collectors.collector import Batch, CollectorError, Declaration
from collectors.mention import Mention
from collectors.outbound import Answer

MAX_SEEN = 5_000
"""Posts remembered, some 40 bytes each; older ones are given again, and counted once all the same."""
MAX_BLANK = 5
"""Pages without a post, one after the other, that may lie before older posts."""
LOOKED_UP = 20
"""Posts that are looked up after a turn; the rest waits for the next."""

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError)
"""What reading a post raises that lacks what a mention needs."""


@dataclass(frozen=True)
class Page:
    """One answer. `rest` bounds the next page, which lies below it; None where no older post is wanted.

    `wait`: seconds until the network wants to be asked again; `pace`: seconds that should pass until the next turn.
    """

    mentions: list[Mention] = field(default_factory=list)
    rest: int | None = None
    skipped: int = 0
    wait: float = 0.0
    pace: float = 0.0


class Listing(Protocol):
    """A network's list of posts."""

    questions: int

    async def page(self, question: int, since: datetime, bound: int | None, now: datetime) -> Page:
        """Read a page of posts from `since` on, newest first: the first page, or the one at and below `bound`."""
        ...

    async def look_up(self, ids: Sequence[str], now: datetime) -> Mapping[str, Mention | None]:
        """Say what became of `ids`: None for one that nobody can read any more, or how it reads now.

        One that is still there may be left out, where the listing shows every post whatever its text.
        """
        ...


class Stretch:
    """A collector of a listing.

    The cursor holds `until` (POSIX seconds), `seen` (of a post: published, digest of its text, turn), `not_before`,
    and amid a turn `turn`: its start (`to`), `since`, and the place (`question`, `bound`, `blank`).
    """

    def __init__(
        self,
        declaration: Declaration,
        listing: Listing,
        reach: timedelta,
        again: timedelta,
        lag: timedelta,
    ) -> None:
        """Read `reach` back at first and `again` later; what is younger than `lag` is not complete."""
        self.declaration = declaration
        self._listing = listing
        self._reach = reach
        self._again = again
        self._lag = lag

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read one page.

        Raises:
            CollectorError: the network could not be read; nothing was taken, the cursor stays.
        """
        turn: dict[str, Any] | None = cursor.get("turn")
        wait = cursor.get("not_before", 0.0) - now.timestamp()
        if wait > 0:
            if turn is not None:
                raise CollectorError(f"{self.declaration.name} asked to wait", wait)
            return Batch(cursor=cursor)
        turn = turn or self._begin(cursor, now)
        since = datetime.fromtimestamp(turn["since"], UTC)
        page = await self._listing.page(turn["question"], since, turn["bound"], now)
        seen = dict(cursor.get("seen", {}))
        mentions = _fresh([mention for mention in page.mentions if mention.published_at >= since], seen, turn["to"])
        turn = _onward(turn, page)
        after = {"until": cursor.get("until"), "seen": _newest(seen), "not_before": now.timestamp() + page.wait}
        if turn["question"] < self._listing.questions:
            return Batch(mentions=mentions, cursor=after | {"turn": turn}, more=True, skipped=page.skipped)
        mentions += await self._unmet(seen, turn, now)
        after |= {"until": turn["to"], "not_before": now.timestamp() + max(page.wait, page.pace)}
        oldest = turn["to"] - self._again.total_seconds()
        after["seen"] = _newest({id_: entry for id_, entry in seen.items() if entry[0] >= oldest})
        until = datetime.fromtimestamp(turn["to"], UTC) - self._lag
        return Batch(mentions=mentions, cursor=after, complete_until=until, skipped=page.skipped)

    def _begin(self, cursor: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        to = int(now.timestamp())
        until = cursor.get("until")
        since = to - self._reach.total_seconds() if until is None else min(until, to) - self._again.total_seconds()
        return {"to": to, "since": since, "question": 0, "bound": None, "blank": 0}

    async def _unmet(self, seen: dict[str, list[Any]], turn: Mapping[str, Any], now: datetime) -> list[Mention]:
        """Return the posts that the turn should have met again and did not, if they are gone or read otherwise now.

        Those that were asked for are forgotten: each is looked up once.
        """
        missing = [id_ for id_, (at, _, met) in seen.items() if met != turn["to"] and at >= turn["since"]][:LOOKED_UP]
        try:
            told = await self._listing.look_up(missing, now) if missing else {}
        except CollectorError:
            return []  # it is asked again after the next turn; what was read must not be lost for it
        found = []
        for id_ in missing:
            at, digest, _ = seen.pop(id_)
            if id_ not in told:
                continue
            known, when = told[id_], dict[str, Any](published_at=datetime.fromtimestamp(at, UTC), updated_at=now)
            if known is None:
                found.append(Mention(id=id_, source=self.declaration.name, text="", deleted=True, **when))
            elif _digest(known) != digest:
                found.append(known.model_copy(update=when))
        return found


def _digest(mention: Mention) -> str:
    return hashlib.sha256(mention.text.encode("utf-8", "replace")).hexdigest()[:12]


def _newest(seen: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return dict(sorted(seen.items(), key=lambda entry: -entry[1][0])[:MAX_SEEN])


def _fresh(mentions: Sequence[Mention], seen: dict[str, list[Any]], turn: int) -> list[Mention]:
    """Return the posts that are new or have another text, each once, and note all of them in `seen`."""
    found: dict[str, Mention] = {}
    for mention in mentions:
        digest = _digest(mention)
        if seen.get(mention.id, [0, ""])[1] != digest:
            found[mention.id] = mention
        seen[mention.id] = [mention.published_at.timestamp(), digest, turn]
    return list(found.values())


def _onward(turn: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """Return the place of the next page.

    Raises:
        CollectorError: it is no further than the last one.
    """
    blank = 0 if page.mentions else turn["blank"] + 1
    if page.rest is None or blank > MAX_BLANK:
        return {**turn, "question": turn["question"] + 1, "bound": None, "blank": 0}
    if turn["bound"] is not None and page.rest >= turn["bound"]:
        raise CollectorError("the network answers with pages that lead nowhere")
    return {**turn, "bound": page.rest, "blank": blank}


def read_json(answer: Answer, what: str, now: datetime) -> Any:
    """Return the answer's JSON.

    Raises:
        CollectorError: it is a refusal, or no JSON, or was cut off.
    """
    if answer.status != 200:
        raise CollectorError(f"{what} answered {answer.status}", answer.retry_after(now))
    try:
        return json.loads(answer.body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        raise CollectorError(f"{what} answered with something that is not JSON") from None


def read_list(value: Any, name: str, what: str) -> list[Any]:
    """Return the list `name` of an answer.

    Raises:
        CollectorError: there is none.
    """
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise CollectorError(f"{what} answered without the list {name}")
    return found
