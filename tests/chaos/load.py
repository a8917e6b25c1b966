"""What is sent: mentions, new, repeated, edited, moved, deleted and late, shuffled; and counts that replace."""

import heapq
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.chaos.oracle import Oracle

BRANDS = tuple(f"brand-{n}" for n in range(4))
CONFIG = "brands:\n" + "".join(f"  - {{name: brand-{n}, query: brand{n}}}\n" for n in range(len(BRANDS)))
SOURCES = ("forum", "news", "x")
"""`x` has many authors, `forum` few, so that distinct ones are counted both ways; `news` names none. All write tickets,
of which an author's many count all."""
TICKETS = "tickets"
"""The source that gives counts instead of posts."""
DAYS = 7 * 86_400
HOUR = 3600
WORDS = ("awful", "great", "late", "here", "refund", "love", "never", "broken", "thanks", "worst", "fine", "waiting")
SYLLABLES = ("ba", "ke", "lo", "mi", "nu", "ra", "se", "ti", "vo", "zu")
DELAY = 20_000
"""Events within which what belongs to one mention is sent: repeats and edits overtake each other and their original."""


@dataclass(frozen=True)
class Sent:
    """One mention as it is sent (JSON), the brands it is about, and those it is not about any more."""

    mention: dict[str, Any]
    brands: tuple[str, ...]
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """One request: where to, its body, how many items it holds, and its mentions."""

    path: str
    body: bytes
    items: int
    sent: tuple[Sent, ...] = ()


class Load:
    """An endless, seeded stream of requests; everything that is handed out is told to the oracle.

    `plain` sends new mentions and repeats alone, each about one brand, and the new ones of one request all in one
    minute of their own, so that the sums tell what was counted of which request.
    """

    def __init__(self, seed: int, oracle: Oracle, *, plain: bool = False, batch: int = 500) -> None:
        self.oracle = oracle
        self.sent = 0
        self._chance = random.Random(seed)
        self.plain = plain
        self._batch = batch
        self._now = datetime.now(UTC).timestamp() // 60 * 60
        self._made = 0
        self._requests = 0
        self._waiting: list[tuple[float, int, Sent]] = []
        self._moves: dict[str, Sent] = {}
        self._tie = itertools.count()

    def mentions(self) -> Batch:
        """Return the next request of mentions."""
        self._requests += 1
        sent = [self._next() for _ in range(self._batch)]
        for one in sent:
            self.oracle.mention(one.mention, one.brands, one.gone)
        lines = [json.dumps(one.mention) for one in sent]
        if self._chance.random() < 0.2:  # what a request says twice counts once
            lines += self._chance.sample(lines, 5)
        self.sent += len(lines)
        return Batch("/v1/mentions", "\n".join(lines).encode(), len(lines), tuple(sent))

    def answered(self, batch: Batch) -> None:
        """Learn that a request has its 202: what moves to another brand is sent after that, never before."""
        for one in batch.sent:
            if move := self._moves.pop(one.mention["id"], None):
                heapq.heappush(self._waiting, (self._made, next(self._tie), move))

    def counts(self) -> Batch:
        """Return the next request of counts: often for minutes of which something else was said before."""
        items = []
        for _ in range(20):
            seconds = self._chance.choice((60, 300, 3600))
            start = (self._now - self._chance.randrange(6) * HOUR) // seconds * seconds
            item = {
                "brand": self._chance.choice(BRANDS),
                "source": TICKETS,
                "start": iso(start - seconds),
                "seconds": seconds,
                "count": self._chance.randrange(5000),
            }
            self.oracle.count(item)
            items.append(item)
        return Batch("/v1/counts", json.dumps(items).encode(), len(items))

    def _next(self) -> Sent:
        while not self._waiting or self._waiting[0][0] > self._made:
            self._made += 1
            for n, sent in enumerate(self._story()):
                delayed = n > 0 or (not self.plain and self._chance.random() < 0.3)
                due = self._made + delayed * self._chance.random() * DELAY
                heapq.heappush(self._waiting, (due, next(self._tie), sent))
        return heapq.heappop(self._waiting)[2]

    def _story(self) -> Iterator[Sent]:
        """Yield all that is ever sent of one mention: itself, its repeats, edits and deletion."""
        chance = self._chance
        numbers = chance.sample(range(len(BRANDS)), 1 if self.plain or chance.random() < 0.95 else 2)
        brands = tuple(BRANDS[n] for n in numbers)
        source = chance.choice(SOURCES)
        at = self._published()
        mention: dict[str, Any] = {"id": f"m{self._made}", "source": source, "text": self._text(numbers)}
        mention |= {"published_at": iso(at), "kind": "ticket"}
        if source != "news":
            pool = 40 if source == "forum" else 30_000
            mention["author"] = {"id": f"p{chance.randrange(pool)}", "followers": chance.randrange(1000)}
        yield Sent(mention, brands)
        if chance.random() < 0.08:
            yield Sent(mention, brands)
        if self.plain:
            return
        edits = chance.choice((1, 1, 2)) if chance.random() < 0.10 else 0
        for updated in sorted(at + 1 + chance.random() * (self._now - at) for _ in range(edits)):
            mention = {**mention, "updated_at": iso(updated)}
            if chance.random() < 0.7:
                mention["text"] = self._text(numbers)
            if chance.random() < 0.5:
                mention["published_at"] = iso(at + chance.random() * min(2 * HOUR, self._now - at))
            yield Sent(mention, brands)
        end = chance.random()
        if end < 0.04:
            yield from self._deletion(Sent(mention, brands))
        elif end < 0.06:
            self._moves[mention["id"]] = self._move(mention, numbers)

    def _deletion(self, last: Sent) -> Iterator[Sent]:
        deletion = {**last.mention, "deleted": True, "updated_at": iso(self._now + 10)}
        if self._chance.random() < 0.5:
            deletion |= {"text": "", "brands": list(last.brands)}
        if self._chance.random() < 0.3:
            del deletion["updated_at"]
        yield Sent(deletion, last.brands)
        yield last  # a repeat of what was deleted does not bring it back
        if self._chance.random() < 0.3:
            yield Sent(deletion, last.brands)

    def _move(self, mention: dict[str, Any], numbers: list[int]) -> Sent:
        """Return an edit to a text of another brand, or a deletion that says neither text nor brands."""
        before = tuple(BRANDS[n] for n in numbers)
        moved = {**mention, "updated_at": iso(self._now + 5)}
        if self._chance.random() < 0.5:
            return Sent({**moved, "text": "", "deleted": True}, (), before)
        to = self._chance.choice([n for n in range(len(BRANDS)) if n not in numbers])
        return Sent({**moved, "text": self._text([to])}, (BRANDS[to],), before)

    def _published(self) -> float:
        """Return when a new mention was published: mostly within two hours, else up to seven days back."""
        some = self._chance.random()
        if self.plain:
            return self.minute(self._requests) + 60 * some
        return self._now - 60 - (some * 2 * HOUR if self._chance.random() < 0.7 else some * (DAYS - HOUR))

    def minute(self, request: int) -> int:
        """Return the minute (POSIX seconds) of what a plain load's `request`-th request says for the first time."""
        return int(self._now) - 60 * (request % (DAYS // 60) + 1)

    def _text(self, numbers: list[int]) -> str:
        """Return a short text (copies of which mean nothing), or a long one that nobody else writes."""
        chance = self._chance
        words = [f"brand{n}" for n in numbers] + chance.choices(WORDS, k=4 - len(numbers))
        if chance.random() < 0.1:
            words += ["".join(chance.choices(SYLLABLES, k=4)) for _ in range(4)]
        return " ".join(words)


def iso(at: float) -> str:
    """Return POSIX seconds as ISO 8601 to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
