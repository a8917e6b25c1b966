"""Which mentions were told of a brand lately, so that the network can be asked whether they still stand as they did."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property

from collectors.match import Matcher
from collectors.mention import Mention
from collectors.query import Query

KEPT = timedelta(days=7).total_seconds()
"""Seconds after its publishing that a mention is asked for again."""
MAX_TOLD = 2_000
"""Mentions remembered, the newest; a cursor with so many has about 80 kB."""

Told = dict[str, list[float]]
"""By id: when it was published and when it last changed, POSIX seconds; what was asked for last stands last."""


class Recheck:
    """Remembers what matches the brand's query; the rest of what a collector reads is stored by no one."""

    def __init__(self, brand: str, query: Query) -> None:
        self._brand = brand
        self._query = query

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher({self._brand: self._query})

    def remember(self, told: Mapping[str, list[float]], mentions: Iterable[Mention]) -> Told:
        """Return `told` with those of `mentions` that are the brand's, and without those that are deleted."""
        after = dict(told)
        for mention in mentions:
            if mention.deleted:
                after.pop(mention.id, None)
            elif mention.brands or self._matcher.match(mention.text, mention.model_dump()):
                changed = mention.updated_at or mention.published_at
                after[mention.id] = [mention.published_at.timestamp(), changed.timestamp()]
        if len(after) > MAX_TOLD:
            newest = set(sorted(after, key=lambda name: after[name][0])[-MAX_TOLD:])
            after = {name: times for name, times in after.items() if name in newest}
        return after


def due(told: Mapping[str, list[float]], now: datetime, most: int) -> tuple[list[str], Told]:
    """Return the ids to be asked for now, and what is told, in the order for the next time."""
    young = {name: times for name, times in told.items() if times[0] > now.timestamp() - KEPT}
    names = list(young)[:most]
    return names, {name: young[name] for name in [*list(young)[most:], *names]}
