"""The load: request bodies that are made before the clock starts, and what the service must have counted of them.

Mentions are live (published within the last two minutes; one in 50 comes late, by up to 6 hours), from three sources,
each with an id of its own; one in 100 is sent again. Some brands are talked about more than others (Zipf, shifted by 10
ranks). One in ten that match no brand holds a brand's name inside another word. Where every mention matches, a request
is of one brand and source, as a collector that asks for a brand delivers it; else of all. The bodies are sent in
rounds: in each, every id, half of the authors and one word of every text are others.
"""

import math
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

import msgspec

from service.bench.texts import forms, frames, near_miss

SOURCES = ("x", "reddit", "review")
KINDS = {"x": "post", "reddit": "comment", "review": "review"}
MENTIONS = 1000
"""Mentions of one request."""
TARGETED = 400
"""Brands that have a request of their own, at the most."""
LIVE_SECONDS, LATE_SECONDS = 120.0, 6 * 3600.0
LATE_SHARE, REPEATED_SHARE, NEAR_MISS_SHARE = 0.02, 0.01, 0.1
REGULARS = 20_000
"""People who write about brands again and again; the other half of the mentions is of people who write once."""
WATCHED = 8
"""Mentions of a body whose way to the counts is timed."""
ROUND = b"~RND~"
"""Stands in a body for what differs from round to round; as long as what takes its place, which is quicker."""

Bucket = tuple[str, str, int]
"""Brand, source, minute (POSIX seconds)."""
Named = tuple[str, str, str]
"""Brand, source, id."""


@dataclass(frozen=True)
class Body:
    """One request, but for what differs from round to round; `buckets` is what it adds to the counts."""

    template: bytes
    kind: str
    buckets: Counter[Bucket]
    watched: list[Named]


@dataclass(frozen=True)
class Sending:
    """One request as it is sent."""

    data: bytes
    kind: str
    watched: list[Named]


class Load:
    """Gives bodies, one after the other, without end.

    `match` is the share that matches a brand, `now` when the mentions are published (POSIX seconds).
    """

    def __init__(self, brands: list[str], match: float, now: float, seed: int = 1) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a bench's mentions
        self._brands, self._match, self._now = brands, match, now
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(len(brands))))
        self._sent: list[bytes] = []
        # With every 20th mention matching, 25 brands a body: all brands have their turn in a round.
        some = min(len(brands), TARGETED) if match == 1 else len(brands) // 25
        self._bodies = [self._body(n) for n in range(max(40, some))]
        self.taken = 0

    def take(self) -> Sending:
        """Return the next request."""
        turn, n = divmod(self.taken, len(self._bodies))
        self.taken += 1
        body, word = self._bodies[n], _word(turn)
        watched = [(brand, source, identity.replace(ROUND.decode(), word)) for brand, source, identity in body.watched]
        return Sending(body.template.replace(ROUND, word.encode()), body.kind, watched)

    @property
    def posted(self) -> int:
        """Mentions in what was taken."""
        return MENTIONS * self.taken

    def expected(self) -> Counter[Bucket]:
        """Return what must be counted of what was taken, by brand, source and minute."""
        turns, rest = divmod(self.taken, len(self._bodies))
        found: Counter[Bucket] = Counter()
        for n, body in enumerate(self._bodies):
            for bucket, count in body.buckets.items():
                found[bucket] += count * (turns + (n < rest))
        return +found

    def _body(self, n: int) -> Body:
        buckets: Counter[Bucket] = Counter()
        matching: list[Named] = []
        of = (self._name(), self._rng.choice(SOURCES)) if self._match == 1 else None
        mentions = [self._mention(f"{n}-{i}", of, buckets, matching) for i in range(MENTIONS)]
        watched = self._rng.sample(matching, min(WATCHED, len(matching)))
        if n % 2:
            return Body(b"[" + b",".join(mentions) + b"]", "application/json", buckets, watched)
        return Body(b"\n".join(mentions), "application/x-ndjson", buckets, watched)

    def _name(self) -> str:
        return self._rng.choices(self._brands, cum_weights=self._weights)[0]

    def _mention(
        self, serial: str, of: tuple[str, str] | None, buckets: Counter[Bucket], matching: list[Named]
    ) -> bytes:
        chance = self._rng
        if self._sent and chance.random() < REPEATED_SHARE:
            return chance.choice(self._sent)
        name, source = of or (self._name(), chance.choice(SOURCES))
        identity = f"{ROUND.decode()}-{serial}"
        late = chance.random() * (LATE_SECONDS if chance.random() < LATE_SHARE else LIVE_SECONDS)
        at = math.floor(1000 * (self._now - late)) / 1000
        if chance.random() < self._match:
            said = chance.choice(forms(name))
            buckets[name, source, math.floor(at / 60) * 60] += 1
            matching.append((name, source, identity))
        else:
            said = near_miss(name) if chance.random() < NEAR_MISS_SHARE else "that airline"
        mention = msgspec.json.encode(record(chance, source, identity, at, said))
        self._sent.append(mention)
        return mention


def record(chance: random.Random, source: str, identity: str, at: float, said: str) -> dict[str, object]:
    """Return a mention as its sender writes it, naming a brand as `said`; `at` is in POSIX seconds."""
    before, after = chance.choice(frames())
    person = f"p{int(REGULARS * chance.random() ** 1.5)}"
    if chance.random() < 0.5:
        person = f"{person}-{identity}"
    return {
        "id": identity,
        "source": source,
        "url": f"https://example.com/{source}/{identity}",
        "text": f"{before}{said}{after} {ROUND.decode()}",
        "published_at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "author": {"id": person, "name": f"person {person}", "followers": int(180 * chance.lognormvariate(0, 1.3))},
        "kind": KINDS[source],
        **({"language": "en"} if source == "x" else {}),
    }


def _word(n: int) -> str:
    """Return a word of five letters for each round: of consonants, so that it is nobody's name."""
    letters = "qwrtpsdfghjklzxcvbnm"
    return "q" + "".join(letters[n // len(letters) ** power % len(letters)] for power in range(4))
