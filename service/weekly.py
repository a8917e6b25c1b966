"""The weekly note: what was watched and how completely, so that silence has proof."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from service.accuracy import HOUR, WEEK, ends, told
from service.brand import Brand
from service.counts import coverage, read
from service.episodes import Episodes
from service.lifecycle import PAGES
from service.notify.escape import plain
from service.notify.notice import Message
from service.notify.words import percent, plural
from service.store import Store

AT = time(9)
"""On Mondays, by the clock of most brands."""
NAMED = 20
"""Brands that have a line of their own; what is more is a number."""
WHOLE = 0.95
"""Part of its hours that a source must have told for quiet to be quiet."""
EPISODES = 200


@dataclass(frozen=True)
class Watched:
    """One brand's week: `completeness` is by source the part of the hours that it told, `lost` are deliveries."""

    brand: str
    mentions: int
    episodes: int
    pages: int
    budget: float
    lost: int
    completeness: dict[str, float]

    @property
    def gaps(self) -> dict[str, float]:
        """The sources that told too little."""
        return {source: part for source, part in self.completeness.items() if part < WHOLE}

    @property
    def seen(self) -> bool:
        """Whether every source told nearly all, and there is one."""
        return bool(self.completeness) and not self.gaps


def zone_of(brands: Iterable[Brand]) -> ZoneInfo:
    """Return the time zone of most brands; the first by name of those that as many have, UTC where there is none."""
    zones = Counter(sorted(brand.timezone for brand in brands))
    return ZoneInfo(zones.most_common(1)[0][0] if zones else "UTC")


def last_week(now: float, zone: ZoneInfo) -> date:
    """Return the Monday that begins the newest week whose note is due at `now` (POSIX seconds).

    >>> last_week(datetime(2026, 11, 30, 8, 59, tzinfo=UTC).timestamp(), ZoneInfo("UTC"))
    datetime.date(2026, 11, 16)
    >>> last_week(datetime(2026, 11, 30, 9, 0, tzinfo=UTC).timestamp(), ZoneInfo("UTC"))
    datetime.date(2026, 11, 23)
    """
    local = datetime.fromtimestamp(now, zone)
    monday = local.date() - timedelta(days=local.weekday())
    due = datetime.combine(monday, AT, zone) <= local
    return monday - timedelta(days=7 if due else 14)


def identity(monday: date) -> str:
    """Return the id of a week's note, the same whoever sends it.

    >>> identity(date(2026, 11, 23))
    'weekly:2026-W48'
    """
    year, week, _ = monday.isocalendar()
    return f"weekly:{year}-W{week:02d}"


async def watched(store: Store, brand: Brand, start: float, now: float) -> Watched:
    """Return what was so of a brand in the week from `start` (POSIX seconds), read at `now`; drills are left out."""
    end = start + WEEK
    table = await read(store, brand.name, start, end, HOUR, now)
    first = (await coverage(store, brand.name, now)).first
    found = [e for e in (await Episodes(store).page(brand.name, None, EPISODES, None))[0] if not e.drill]
    on = [e for e in found if e.opened_at.timestamp() < end and (e.ended is None or e.ended.timestamp() >= start)]
    crises = [e for e in found if e.kind == "crisis"]  # the budget is of no others
    pages = [entry for e in crises for entry in e.log if entry.type in PAGES and start <= entry.at.timestamp() < end]
    return Watched(
        brand.name,
        mentions=round(float(table.total("mentions").sum())),
        episodes=len(on),
        pages=len(pages),
        budget=brand.budget,
        lost=(await ends(store, brand.name, start))["lost"],
        completeness=told(table, first, start),
    )


def note(monday: date, brands: Sequence[Watched], url: str) -> Message:
    """Return the note of a week, of all brands; who had the most stands first."""
    order = sorted(brands, key=lambda w: (-w.episodes, -w.lost, w.seen, w.brand))
    lines = [plain(_line(one)) for one in order[:NAMED]]
    if rest := order[NAMED:]:
        calm = all(one.seen and not one.episodes for one in rest)
        lines.append(f"and {plural(len(rest), 'brand')} more{', all quiet' if calm else ''}")
    facts = {
        "Week": f"{monday:%d %B %Y} to {monday + timedelta(days=6):%d %B %Y}",
        "Brands": f"{len(brands):,}",
        "Mentions": f"{sum(one.mentions for one in brands):,}",
        "Episodes": str(sum(one.episodes for one in brands)),
        "Pages": f"{sum(one.pages for one in brands)}, {_number(sum(one.budget for one in brands))} false ones allowed",
        "Deliveries lost": str(sum(one.lost for one in brands)),
    }
    title = f"Foreshock: {_verdict(brands)}"
    summary = "This note comes every Monday: where it does not, nobody is watching."
    return Message(title, summary, lines=lines, facts=list(facts.items()), url=url)


def _verdict(brands: Sequence[Watched]) -> str:
    episodes = sum(one.episodes for one in brands)
    happened = plural(episodes, "episode") if episodes else "all quiet"
    blind = sum(not one.seen for one in brands)
    if blind == len(brands):
        return f"{happened} as far as was seen, and too little was" if brands else "no brand is watched"
    return f"watched last week, {happened}" + (f"; {plural(blind, 'brand')} not wholly seen" if blind else "")


def _line(one: Watched) -> str:
    happened = plural(one.episodes, "episode") if one.episodes else "quiet" if one.seen else "nothing found"
    parts = [f"{one.brand}: {happened}", plural(one.mentions, "mention")]
    if not one.completeness:
        parts.append("no source told anything")
    elif one.gaps:
        parts.append("not wholly seen: " + ", ".join(f"{s} told {percent(p)}" for s, p in one.gaps.items()))
    else:
        least = percent(min(one.completeness.values()))
        parts.append(f"{plural(len(one.completeness), 'source')} told {least} of it")
    parts.append(f"{plural(one.pages, 'page')}, budget {_number(one.budget)}")
    return ", ".join([*parts, f"{plural(one.lost, 'delivery', 'deliveries')} lost"] if one.lost else parts)


def _number(value: float) -> str:
    return f"{value:.6g}"


def begins(monday: date, zone: ZoneInfo) -> float:
    """Return when a week begins, POSIX seconds."""
    return datetime.combine(monday, time(), zone).astimezone(UTC).timestamp()
