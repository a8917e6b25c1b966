"""One limit for all that ask a network with the same key: what is declared, and what the answers' headers say."""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite

from collectors.collector import Limit

REMAINING = ("x-rate-limit-remaining", "x-ratelimit-remaining", "ratelimit-remaining")
RESET = ("x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset")
AN_INSTANT = 1e9
"""A reset from here on is POSIX seconds, a smaller one seconds from now: networks write both."""
LONGEST = 86_400.0
"""Seconds that a header can make us wait: no network has a longer window, and a broken header must not end a source."""
REFUSED = 60.0
"""Seconds to wait after a 429 that does not say how long; doubles with each that follows, to `MOST_REFUSED`."""
MOST_REFUSED = 900.0


@dataclass
class _Route:
    """What is known of one route: requests of late, how many are left until `reset`, and until when it is closed."""

    taken: deque[float] = field(default_factory=deque)
    left: float | None = None
    reset: float = 0.0
    closed_until: float = 0.0
    refusals: int = 0


class Limiter:
    """Says how long to wait before a request; times are POSIX seconds. One for all collectors of a source and key."""

    def __init__(self, limit: Limit | None = None) -> None:
        self._limit = limit
        self._routes: dict[str, _Route] = {}

    def route(self, host: str, path: str) -> str:
        """Return the name under which requests to `host` and `path` are counted."""
        return host + path if self._limit is not None and self._limit.per == "path" else host

    def wait(self, route: str, now: float) -> float:
        """Return the seconds until a request may go to `route`; 0 where it may now."""
        known = self._routes.setdefault(route, _Route())
        until = known.closed_until
        if known.left is not None and known.left < 1.0:
            until = max(until, known.reset)
        if self._limit is not None:
            while known.taken and known.taken[0] <= now - self._limit.seconds:
                known.taken.popleft()
            if len(known.taken) >= self._limit.requests:
                until = max(until, known.taken[0] + self._limit.seconds)
        return max(until - now, 0.0)

    def take(self, route: str, now: float) -> None:
        """Note a request that goes out now."""
        known = self._routes.setdefault(route, _Route())
        if self._limit is not None:
            known.taken.append(now)
        if known.left is not None:
            known.left = known.left - 1.0 if now < known.reset else None

    def follow(self, route: str, status: int, headers: Mapping[str, str], now: float) -> None:
        """Take in what an answer says: what is left, when that begins anew, and how long to stay away."""
        known = self._routes.setdefault(route, _Route())
        left, reset = _number(headers, REMAINING), _instant(headers, now)
        if left is not None and reset is not None and reset > now:
            # Answers overtake one another: within one window what is left only falls.
            same = known.left is not None and abs(reset - known.reset) < 1.0
            known.left = min(left, known.left) if same and known.left is not None else left
            known.reset = reset
        if status not in (429, 503):
            known.refusals = 0
            return
        after = _seconds(headers.get("retry-after", ""), now)
        if after is None and status == 429:
            known.refusals += 1
            after = reset - now if reset is not None and reset > now else None
            after = after if after is not None else min(REFUSED * 2.0 ** (known.refusals - 1), MOST_REFUSED)
        if after is not None:
            known.closed_until = max(known.closed_until, now + min(after, LONGEST))


def _number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        with suppress(ValueError):
            value = float(headers.get(name, ""))
            if isfinite(value) and value >= 0.0:
                return value
    return None


def _instant(headers: Mapping[str, str], now: float) -> float | None:
    """Return when the window begins anew: given as POSIX seconds, as seconds from now, or in ISO 8601."""
    value = _number(headers, RESET)
    if value is not None:
        return min(value if value >= AN_INSTANT else now + value, now + LONGEST)
    for name in RESET:
        with suppress(ValueError):
            when = datetime.fromisoformat(headers.get(name, ""))
            return min((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp(), now + LONGEST)
    return None


def _seconds(value: str, now: float) -> float | None:
    """Return what `Retry-After` asks for: seconds, or a date (RFC 9110, section 10.2.3)."""
    from email.utils import parsedate_to_datetime

    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    with suppress(ValueError):
        when = parsedate_to_datetime(value)
        return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now)
    return None
