"""A simulated recording of what is said about an invented airline, with events whose true times are known.

Everything in it is made up: people are called `sim-...`, links lead to example.com, and the airline does not exist.
Its shape follows measured talk (`collectors.simulated_shape`). In order of time, well apart:

- a benign campaign, announced beforehand: three times the usual talk on top of it, glad or matter-of-fact, for 5 hours
- a bot flood: one text with other links, digits and handles from hundreds of new accounts within 70 minutes
- an outage: the main source delivers nothing for 3 hours
- a flash revolt: one angry post, then one a minute, doubling every 10 to 13 minutes on every source up to some thirty
  times the usual rate; the recording ends 2 hours after its first post

The same seed, start and days give the same recording to the byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from collectors.mention import Author, Kind, Mention
from collectors.simulated_shape import DOUBLING_MINUTES, Drift, growth, poisson, rhythm
from collectors.simulated_text import BRAND, FIRST_POST, Mood, Words

TIMEZONE = "America/New_York"
"""Where the airline's customers live, and where the measured rhythm comes from."""

RATES = {"x": 0.65, "reddit": 0.20, "review": 0.09, "feed": 0.04}
"""Mean ordinary mentions a minute on each source: a brand that is talked about every minute."""

MAIN_SOURCE = "x"
NEGATIVE = {"x": 0.16, "reddit": 0.20, "review": 0.30, "feed": 0.0}
"""Share of negative ordinary mentions, 0.17 over all sources; quiet stretches of measured talk had 0.09 to 0.19."""

POSITIVE_OF_REST = 0.35
FOREIGN = 0.06
KINDS: dict[str, Kind] = {"x": "post", "reddit": "comment", "review": "review", "feed": "article"}

BURSTS_A_DAY = 10.0
BURST_DELAY_MINUTES = 12.0
BURST_LARGEST: dict[Mood, int] = {"negative": 10, "neutral": 40, "positive": 40}
"""Most reposts of one ordinary post; one customer's complaint travels less far than a joke."""

CAMPAIGN_HOURS, CAMPAIGN_TIMES, CAMPAIGN_RAMP_MINUTES = 5, 3.0, 10
CAMPAIGN_NAME = "Launch of the summer routes"
FLOOD_MINUTES, FLOOD_A_MINUTE = 70, 6.5
OUTAGE_HOURS = 3

REVOLT_HOURS = 2
REVOLT_FIRST = 1.0  # posts a minute
REVOLT_CEILING = 40.0  # posts a minute
REVOLT_SOURCES = {"x": 0.70, "reddit": 0.20, "review": 0.08, "feed": 0.02}
REVOLT_NOISE_SD = 0.15
REVOLT_REPOSTS = 0.4

SHORTEST_DAYS = 4.0
"""Days below which the events would not lie well apart."""

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Span:
    """From `start` to before `end`."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True)
class Truth:
    """What really happens in a recording, and when. The outage silences `collectors.simulate.MAIN_SOURCE`."""

    brand: str
    seed: int
    start: datetime
    end: datetime
    campaign: Span
    flood: Span
    outage: Span
    revolt: Span
    doubling_minutes: float


@dataclass(frozen=True)
class Recording:
    """Simulated mentions, rising in time, and the truth about them."""

    mentions: list[Mention]
    truth: Truth

    def lines(self) -> Iterator[str]:
        """The mentions as JSON Lines, each with its line feed."""
        for mention in self.mentions:
            yield mention.model_dump_json(exclude_none=True, exclude_defaults=True) + "\n"


def recording(seed: int, start: datetime, days: float = 10.0) -> Recording:
    """Simulate `days` of mentions of Northvane Air from `start` (aware) on.

    Raises:
        ValueError: `start` has no time zone, or `days` is below `SHORTEST_DAYS`.
    """
    if start.tzinfo is None:
        raise ValueError("start has no time zone; give an aware datetime, such as one with tzinfo=UTC")
    if days < SHORTEST_DAYS:
        raise ValueError(f"days is {days:g}; the events need at least {SHORTEST_DAYS:g} days to lie apart")
    rng = Random(seed)  # noqa: S311 - a simulation, nothing secret
    truth = _truth(rng, seed, start.astimezone(UTC), timedelta(days=days))
    play = _Play(rng, truth)
    play.ordinary()
    play.campaign()
    play.flood()
    play.revolt()
    return Recording(play.heard(), truth)


def _truth(rng: Random, seed: int, start: datetime, length: timedelta) -> Truth:
    end = start + length
    revolt = end - timedelta(hours=REVOLT_HOURS)

    def span(share: float, **duration: float) -> Span:
        begin = (start + length * share).replace(second=0, microsecond=0)
        return Span(begin, begin + timedelta(**duration))

    return Truth(
        brand=BRAND,
        seed=seed,
        start=start,
        end=end,
        campaign=span(0.40, hours=CAMPAIGN_HOURS),
        flood=span(0.63, minutes=FLOOD_MINUTES),
        outage=span(0.80, hours=OUTAGE_HOURS),
        revolt=Span(revolt, end),
        doubling_minutes=round(rng.uniform(*DOUBLING_MINUTES), 2),
    )


def _pick(rng: Random, weights: dict[str, float]) -> str:
    return rng.choices(tuple(weights), tuple(weights.values()))[0]


class _Play:
    """Collects what is said; every random draw comes from one generator, in a fixed order."""

    def __init__(self, rng: Random, truth: Truth) -> None:
        self._rng = rng
        self._truth = truth
        self._words = Words(rng)
        self._said: list[Mention] = []
        self._serial = count(1)
        self._zone = ZoneInfo(TIMEZONE)

    def heard(self) -> list[Mention]:
        """What was delivered, in order of time: not what the main source said during its outage."""
        t = self._truth
        kept = (m for m in self._said if t.start <= m.published_at < t.end)
        delivered = (m for m in kept if not (m.source == MAIN_SOURCE and m.published_at in t.outage))
        return sorted(delivered, key=lambda m: m.published_at)

    def _somebody(self, followers: float = 180.0) -> Author:
        """One of some thousand people, a few of whom write often; `followers` is the median."""
        number = int(12_000 * self._rng.random() ** 1.5)
        reach = int(self._rng.lognormvariate(0, 1.3) * followers)
        return Author(id=f"sim-{number}", name=f"sim-person-{number}", followers=reach)

    def _add(
        self, source: str, at: datetime, text: str, author: Author, language: str = "en", repost_of: str | None = None
    ) -> Mention:
        serial = next(self._serial)
        mention = Mention(
            id=f"sim-{serial}",
            source=source,
            url=f"https://example.com/sim/{source}/{serial}",
            text=text,
            published_at=at.replace(microsecond=at.microsecond // 1000 * 1000),
            author=author,
            language=language if source == "x" else None,
            kind=KINDS[source],
            repost_of=repost_of,
        )
        self._said.append(mention)
        return mention

    def _repost(self, original: Mention, at: datetime) -> None:
        name = original.author.name if original.author else "sim-nobody"
        text = f"RT @{name}: {original.text}"
        at = max(at, original.published_at + timedelta(seconds=1))
        self._add(original.source, at, text, self._somebody(), original.language or "en", original.id)

    def _minutes(self, span: Span) -> Iterator[tuple[int, datetime]]:
        at, minute = span.start, 0
        while at < span.end:
            yield minute, at
            at, minute = at + _MINUTE, minute + 1

    def _within(self, minute: datetime) -> datetime:
        return minute + timedelta(seconds=60 * self._rng.random())

    def ordinary(self) -> None:
        """Everyday talk: the measured rhythm, a slow drift, and posts that are passed on."""
        drift = Drift(self._rng)
        for _, at in self._minutes(Span(self._truth.start, self._truth.end)):
            level = rhythm(at.astimezone(self._zone)) * drift.step()
            for source, rate in RATES.items():
                for _ in range(poisson(self._rng, rate * level)):
                    self._everyday(source, self._within(at))
            if self._rng.random() < level * BURSTS_A_DAY / 1440:
                self._burst(self._within(at))

    def _mood(self, source: str) -> Mood:
        if self._rng.random() < NEGATIVE[source]:
            return "negative"
        return "positive" if self._rng.random() < POSITIVE_OF_REST else "neutral"

    def _everyday(self, source: str, at: datetime) -> None:
        mood, author = self._mood(source), self._somebody()
        if source == "feed":
            paper = f"sim-gazette-{self._rng.randrange(12)}"
            self._add(source, at, self._words.headline(), Author(id=paper, name=paper))
        elif source == "review":
            self._add(source, at, self._words.review(mood), author)
        elif self._rng.random() < FOREIGN:
            language, text = self._words.foreign()
            self._add(source, at, text, author, language)
        else:
            self._add(source, at, self._words.ordinary(mood), author)

    def _burst(self, at: datetime) -> None:
        mood = self._mood(MAIN_SOURCE)
        original = self._add(MAIN_SOURCE, at, self._words.ordinary(mood), self._somebody(followers=8000))
        reposts = min(BURST_LARGEST[mood], int(3 * self._rng.paretovariate(1.2)))
        for _ in range(reposts):
            self._repost(original, at + self._rng.expovariate(1 / BURST_DELAY_MINUTES) * _MINUTE)

    def campaign(self) -> None:
        """The announced launch: mostly new words about the routes, some reposts of the airline's own post."""
        span = self._truth.campaign
        airline = Author(id="sim-airline", name="sim-NorthvaneAir", followers=120_000)
        news = self._add(MAIN_SOURCE, span.start, self._words.launch(), airline)
        usual = sum(RATES.values())
        for minute, at in self._minutes(span):
            ramp = min(1.0, (minute + 1) / CAMPAIGN_RAMP_MINUTES, (CAMPAIGN_HOURS * 60 - minute) / 60)
            more = CAMPAIGN_TIMES * usual * ramp * rhythm(at.astimezone(self._zone))
            for _ in range(poisson(self._rng, more)):
                if self._rng.random() < 0.15:
                    self._repost(news, self._within(at))
                else:
                    source = _pick(self._rng, {"x": 0.85, "reddit": 0.15})
                    self._add(source, self._within(at), self._words.launch(), self._somebody())

    def flood(self) -> None:
        """The bots: new accounts that hardly anyone follows, no repost among them."""
        for _, at in self._minutes(self._truth.flood):
            for _ in range(poisson(self._rng, FLOOD_A_MINUTE)):
                number = self._rng.randrange(10**8)
                bot = Author(id=f"sim-bot-{number}", name=f"sim-bot-{number}", followers=self._rng.randrange(21))
                self._add(MAIN_SOURCE, self._within(at), self._words.flood(), bot)

    def revolt(self) -> None:
        """The flash revolt: its first minute holds its first post alone, from somebody with few followers."""
        span, doubling = self._truth.revolt, self._truth.doubling_minutes
        author = Author(id="sim-passenger", name="sim-passenger", followers=310)
        posts = [self._add(MAIN_SOURCE, span.start, FIRST_POST, author)]
        noise = Drift(self._rng, sd=REVOLT_NOISE_SD)
        for minute, at in self._minutes(span):
            rate = growth(minute, doubling, REVOLT_FIRST, REVOLT_CEILING) * noise.step()
            for _ in range(poisson(self._rng, rate) if minute else 0):
                source = _pick(self._rng, REVOLT_SOURCES)
                if source == MAIN_SOURCE and self._rng.random() < REVOLT_REPOSTS:
                    # the early ones are passed on most
                    self._repost(posts[int(len(posts) * self._rng.random() ** 2)], self._within(at))
                    continue
                said = self._add(source, self._within(at), self._words.revolt(), self._somebody())
                if source == MAIN_SOURCE:
                    posts.append(said)
