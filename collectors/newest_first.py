"""A listing that shows the newest first, read page by page down to where the last reading began.

What comes into a listing late, or is edited, is found by reading some of what is known again: `OVERLAP`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from collectors.mention import Mention

OVERLAP = 600.0
"""Seconds of event time that are read again: what networks take to index a post, and what clocks differ."""
MAX_SEEN = 1_000
"""Keys kept of the overlap; where it holds more, some are told again, and count once by their identity."""


@dataclass(frozen=True)
class Item:
    """One line of a listing; `at` is what the listing is ordered by, both times are POSIX seconds."""

    key: str
    at: float
    changed: float
    mention: Mention


@dataclass(frozen=True)
class Step:
    """What a page gave: `place` is for the next page, `missed` is a span of which not all was shown."""

    fresh: list[Mention]
    place: dict[str, Any]
    done: bool
    missed: tuple[datetime, datetime] | None = None


def token_of(place: Mapping[str, Any]) -> str | None:
    """Return the token of the page to be read next; None for the first."""
    token = place.get("walk", {}).get("token")
    return str(token) if token else None


def begun_anew(place: Mapping[str, Any]) -> dict[str, Any]:
    """Return `place` as it was before the walk that is under way: the next page is the first."""
    return {name: value for name, value in place.items() if name != "walk"}


def step(
    place: Mapping[str, Any],
    items: Sequence[Item],
    token: str | None,
    begun: float,
    first: float,
    most: int,
    shown: int,
) -> Step:
    """Take one page in.

    Args:
        place: what the last step left of this listing ({} at first).
        items: the page's, in any order.
        token: of the page that follows, None at the end.
        begun: when this reading began, POSIX seconds; a post's clock that is ahead of it does not move the mark.
        first: how far down the first reading goes, POSIX seconds.
        most: items after which a reading ends.
        shown: a listing that ends after so many has more, which it does not show.
    """
    walk = place.get("walk", {})
    if walk and not items and token is None and not place.get("again"):
        # The post that the token stood for may have been deleted: once from the top, then this is the end.
        return Step([], {**begun_anew(place), "again": True}, False)
    mark = place.get("mark")
    floor = first if mark is None else mark - OVERLAP
    seen: dict[str, float] = {**place.get("seen", {}), **walk.get("seen", {})}
    fresh = {item.key: item for item in items if item.changed > floor and item.key not in seen}
    read = walk.get("read", 0) + len(items)
    newest = max([walk.get("newest", 0.0), *(min(item.at, begun) for item in items)])
    oldest = min([walk.get("oldest", begun), *(item.at for item in items)])
    done = oldest <= floor or token is None or read >= most
    told = {**{item.key: item.changed for item in fresh.values()}, **seen}
    mentions = [item.mention for item in _latest(fresh.values())]
    if not done:
        kept = _kept(told, newest)
        return Step(
            mentions,
            {**place, "walk": {"token": token, "newest": newest, "oldest": oldest, "read": read, "seen": kept}},
            False,
        )
    newest = max(newest, mark if mark is not None else first)
    missed = None
    if mark is not None and oldest > mark and read >= shown:
        missed = datetime.fromtimestamp(mark, UTC), datetime.fromtimestamp(oldest, UTC)
    return Step(mentions, {"mark": newest, "seen": _kept(told, newest)}, True, missed)


def _latest(items: Iterable[Item]) -> list[Item]:
    """Return one item an identity, the one that changed last."""
    found: dict[str, Item] = {}
    for item in items:
        other = found.get(item.mention.id)
        if other is None or item.changed > other.changed:
            found[item.mention.id] = item
    return list(found.values())


def _kept(seen: Mapping[str, float], newest: float) -> dict[str, float]:
    within = [(at, key) for key, at in seen.items() if at > newest - OVERLAP]
    return {key: at for at, key in sorted(within, reverse=True)[:MAX_SEEN]}
