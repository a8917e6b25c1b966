"""Minute counts of a query from X's recent counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from collectors.collector import CollectorError
from collectors.mention import Count
from collectors.x_client import asked
from collectors.x_posts import SOURCE, data_of, meta_of

MAX_PAGES = 10
"""Requests for counts in one poll; seven days of minutes come in one, so that more means a broken answer."""


@dataclass(frozen=True)
class Counted:
    """The minutes of a span, each once, and what they took."""

    counts: list[Count]
    requests: int
    skipped: int


async def read_counts(
    client: Any, token: str, brand: str, query: str, start: datetime, until: datetime, now: datetime
) -> Counted:
    """Read the minutes from `start` to `until`, whole minutes both.

    Raises:
        CollectorError: X refused, or left minutes out; pages that came before it refused are billed.
    """
    found: dict[datetime, Count] = {}
    skipped = requests = 0
    end = until
    while start < end:
        request = partial(client.get_recent_tweets_count, query, granularity="minute", start_time=start, end_time=end)
        try:
            page = await asked(token, now, request)
        except CollectorError as error:
            error.unpaid &= requests == 0
            raise
        requests += 1
        counts, unread = _read(page, brand, start, until)
        skipped += unread
        found = {**counts, **found}
        if not meta_of(page).get("next_token"):
            break
        earliest = min(counts, default=end)
        if earliest >= end or requests == MAX_PAGES:
            raise CollectorError("X gives its counts in pages that lead nowhere")
        end = earliest  # pages go backwards, so that the rest lies before what came
    wanted = max(0, (until - start) // timedelta(minutes=1))
    if len(found) < wanted:  # X names the minutes without a post too: one that is missing is unknown, not zero
        raise CollectorError(f"X left out {wanted - len(found)} of {wanted} minutes")
    return Counted([found[at] for at in sorted(found)], requests, skipped)


def _read(page: Mapping[str, Any], brand: str, start: datetime, until: datetime) -> tuple[dict[datetime, Count], int]:
    counts: dict[datetime, Count] = {}
    skipped = 0
    for item in data_of(page):
        try:
            at, end = (datetime.fromisoformat(item[name]).astimezone(UTC) for name in ("start", "end"))
            if at != minute(at) or end - at != timedelta(minutes=1):
                skipped += 1  # part of a minute, cut by the query's own start or end
            elif start <= at and end <= until:
                counts[at] = Count(
                    brand=brand,
                    source=SOURCE,
                    start=at,
                    seconds=60,
                    count=item["tweet_count"],
                    complete_until=until,
                )
        except (KeyError, TypeError, ValueError):
            skipped += 1
    return counts, skipped


def minute(instant: datetime) -> datetime:
    """The whole minute that holds an instant, in UTC."""
    return instant.astimezone(UTC).replace(second=0, microsecond=0)
