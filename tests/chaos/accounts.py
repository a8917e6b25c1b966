"""What of plain loads is there: each request's new mentions have a minute of their own, so sums tell of requests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpx

from tests.chaos.comparison import series, start_of
from tests.chaos.load import BRANDS, Batch
from tests.chaos.oracle import milliseconds


@dataclass(frozen=True)
class Answered:
    """One request that was answered 202, at an instant (POSIX seconds)."""

    at: float
    batch: Batch


@dataclass(frozen=True)
class Account:
    """Mentions that are missing of what was answered, those that are too many, and when the lost were answered."""

    lost: int
    twice: int
    instants: tuple[float, ...]


def account(client: httpx.Client, answered: Sequence[Answered], begun: Sequence[Answered]) -> Account:
    """Compare what is shown with what was answered (all of which must be there) and begun (no more may be)."""
    found = _shown(client, len(begun))
    missing = _minutes(answered) - found
    instants = [one.at for one in answered if missing[_own_minute(one.batch)]]
    return Account(missing.total(), (found - _minutes(begun)).total(), tuple(sorted(instants)))


def _shown(client: httpx.Client, requests: int) -> Counter[int]:
    back, found = timedelta(minutes=requests + 30), Counter[int]()
    for brand in BRANDS:
        for row in series(client, brand, None, 60, back):
            found[start_of(row)] += row["mentions"]
    return found


def _minutes(requests: Sequence[Answered]) -> Counter[int]:
    once = {one.mention["id"]: one.mention["published_at"] for request in requests for one in request.batch.sent}
    return Counter(milliseconds(at) // 60_000 * 60 for at in once.values())


def _own_minute(batch: Batch) -> int:
    starts = Counter(milliseconds(one.mention["published_at"]) // 60_000 * 60 for one in batch.sent)
    return starts.most_common(1)[0][0]
