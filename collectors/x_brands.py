"""The brands of X's stream: who may be read, what stands as a rule, how far each was read, and what each cost."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from collectors.collector import Ask, CollectorError, Price, Purse, Told
from collectors.query import parse
from collectors.query_tokens import QueryError
from collectors.x_client import asked, plain
from collectors.x_posts import posted_at
from collectors.x_reach import LAG, Reached
from collectors.x_rule import Rule, rule
from collectors.x_rules import Rules
from collectors.x_settings import PAGE

LEAST, MOST = 20, PAGE
"""Posts that are put aside for a brand: few while it is quiet, since they stay charged where a process dies."""
BACKFILL = timedelta(minutes=15)
"""Read back of a brand that is new; more would be paid before anything is known of it."""
SEARCH_EVERY = timedelta(minutes=5)
"""Between searches for a brand of which X takes no rule."""
PACED = "posts wait until the month's money allows more of them; the counts go on"
TAKES_EFFECT = timedelta(seconds=5)
"""From when a rule that was added is surely delivered."""


@dataclass(frozen=True)
class Said:
    """A brand's query as X is asked for it; `counted` where minute counts are its volume."""

    ask: Ask
    rule: Rule | None
    error: str | None = None

    @classmethod
    def of(cls, ask: Ask) -> "Said":
        """Say a query to X, or why that cannot be."""
        try:
            return cls(ask, rule(parse(ask.query)))
        except (CollectorError, QueryError) as error:
            return cls(ask, None, str(error))

    @property
    def counted(self) -> bool:
        """Whether posts are a sample."""
        return bool(self.ask.settings.counts and self.rule and self.rule.exact)

    def price(self, posts: int) -> Price:
        """What a batch may cost: posts get, spread over the month, what the counts leave them."""
        return Price(posts * self.ask.settings.price_per_post, paced=self.counted)


class Brands:
    """What one stream knows of its brands; `at` says what time it is."""

    def __init__(
        self,
        asks: Callable[[], Mapping[str, Ask]],
        purse: Purse | None,
        rules: Rules,
        token: str,
        cursor: object,
        at: Callable[[], datetime],
    ) -> None:
        self.said: dict[str, Said] = {}
        self._asks = asks
        self._purse = purse
        self._rules = rules
        self._token = token
        self._at = at
        told = cursor if isinstance(cursor, dict) else {}
        read = ((brand, Reached.read(value)) for brand, value in told.items())
        self._reached = {brand: reached for brand, reached in read if reached is not None}
        self._live: frozenset[str] = frozenset()
        self._over: Mapping[str, str] = {}
        self._failed: dict[str, str] = {}
        self._lost: dict[str, tuple[datetime, datetime]] = {}
        self._spent: dict[str, float] = {}
        self._used: dict[str, int] = {}
        self._allowed: dict[str, int] = {}

    async def agree(self) -> None:
        """Pay what was read, put money aside for what comes, and have X's rules name who may be read.

        Raises:
            CollectorError: X did not take the rules.
        """
        asks = self._asks()
        self.said = {
            brand: known if (known := self.said.get(brand)) and known.ask == ask else Said.of(ask)
            for brand, ask in asks.items()
        }
        for brand in self._reached.keys() - self.said.keys():
            del self._reached[brand]
        await self._pay()
        for brand in self._over:
            if self.said[brand].counted:
                self._reached.pop(brand, None)  # a sample does not buy later what it had no money for
        on = {brand: said.rule.text for brand in self._open() if (said := self.said[brand]).rule}
        await asked(self._token, self._at(), lambda: self._rules.keep(on[brand] for brand in sorted(on)))
        self._live &= {brand for brand, text in on.items() if self._rules.stands(text)}

    async def _pay(self) -> None:
        """Pay what was read, and put twice as much aside for who used half of it, or as little as there is."""
        for brand, posts in self._used.items():
            if posts >= self.allowed(brand) // 2:
                self._allowed[brand] = min(2 * self.allowed(brand), MOST)
        prices = {brand: said.price(self.allowed(brand)) for brand, said in self.said.items() if said.rule}
        spent, self._spent, self._used = self._spent, {}, {}
        if self._purse is None:
            return
        self._over = await self._purse.fill(prices, spent)
        if dear := [brand for brand in self._over if self._allowed.pop(brand, LEAST) > LEAST]:
            less = {brand: self.said[brand].price(LEAST) for brand in dear}
            self._over = await self._purse.fill({**prices, **less}, {})

    def allowed(self, brand: str) -> int:
        """Posts that were put aside for a brand: half for the stream, half for a page of search."""
        return self._allowed.get(brand, LEAST)

    @property
    def ruled(self) -> bool:
        """Whether X has something to deliver."""
        return any(self._stands(brand) for brand in self._open())

    def join(self, connected: bool) -> None:
        """Begin, or go on, with brands that are not yet heard; what came in between has to be searched for."""
        at = self._at()
        for brand in self._open() - self._live:
            reached = self._reached.setdefault(brand, Reached.back(at - BACKFILL))
            if self._stands(brand):
                if connected:
                    reached.missed(at + TAKES_EFFECT)
            elif at - posted_at(reached.since) >= SEARCH_EVERY:
                reached.missed(at - LAG)
            if lost := reached.forget(at):
                self._lost[brand] = lost
        if connected:
            self._live = frozenset(brand for brand in self._open() if self._stands(brand))

    def left(self) -> None:
        """Nobody is heard any more."""
        self._live = frozenset()

    def _open(self) -> set[str]:
        return {brand for brand, said in self.said.items() if said.rule and brand not in self._over}

    def _stands(self, brand: str) -> bool:
        said = self.said[brand].rule
        return said is not None and self._rules.stands(said.text)

    def of(self, rules: Collection[str]) -> list[str]:
        """Brands whose rule is among those with these ids."""
        values = {self._rules.values.get(identity) for identity in rules}
        return sorted(brand for brand, said in self.said.items() if said.rule and said.rule.text in values)

    def exact(self, brand: str) -> bool:
        """Whether what X finds is of the brand for sure."""
        said = self.said[brand].rule
        return said is not None and said.exact

    def pay(self, brand: str, posts: int) -> float:
        """Note posts that are billed; return what they cost."""
        cost = posts * float(self.said[brand].ask.settings.price_per_post)
        self._spent[brand] = self._spent.get(brand, 0.0) + cost
        self._used[brand] = self._used.get(brand, 0) + posts
        return cost

    @property
    def full(self) -> bool:
        """Whether a brand has used the stream's half of what was put aside."""
        return any(posts >= self.allowed(brand) // 2 for brand, posts in self._used.items())

    def due(self) -> str | None:
        """The next brand of which something has to be searched for, None where there is none."""
        at = self._at()
        return next((b for b in sorted(self._open()) if (r := self._reached.get(b)) and r.due(at)), None)

    def reached(self, brand: str) -> Reached:
        """How far a brand was read."""
        return self._reached[brand]

    def fail(self, brand: str, why: str) -> None:
        """X refuses to search for a brand: what lies behind is missed."""
        behind = self._reached[brand].behind
        self._lost[brand] = posted_at(behind[0][0]), posted_at(behind[-1][1])
        self._failed[brand] = plain(why, self._token)
        behind.clear()

    def found(self, brand: str) -> None:
        """X searches for a brand."""
        self._failed.pop(brand, None)

    def told(self) -> dict[str, Told]:
        """What is to be said of each brand, heard up to now."""
        at = self._at()
        for brand in self._live:
            self._reached[brand].heard(at - LAG)
        return {brand: self._told(brand, at) for brand in self.said}

    def _told(self, brand: str, at: datetime) -> Told:
        said, reached = self.said[brand], self._reached.get(brand)
        if said.rule is None:
            return Told(why="error", said=said.error)
        if brand in self._over:
            return Told(said=PACED) if said.counted else Told(why="cap", said=self._over[brand])
        failed, why_not = self._failed.get(brand), self._rules.why_not(said.rule.text)
        searched = f"{why_not}; posts are searched for instead" if why_not else None
        told = Told(why="error" if failed else None, said=failed or searched)
        lost = self._lost.pop(brand, None)
        if said.counted or reached is None:
            return told
        until = at - LAG if brand in self._live else posted_at(reached.since)
        until = min((posted_at(first) for first, _ in reached.behind), default=until)
        return replace(told, missed=lost, complete_until=min(until, at))

    def cursor(self) -> dict[str, Any]:
        """What the cursor holds."""
        return {"brands": {brand: reached.as_json() for brand, reached in self._reached.items()}}

    async def close(self) -> None:
        """Pay what was read, and give back what was put aside."""
        if self._purse:
            await self._purse.fill({}, self._spent)
        self._spent = {}
