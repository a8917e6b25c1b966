"""How far a brand was read by X's stream, as ids of posts, which hold their time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from collectors.x_posts import first_id, posted_at
from collectors.x_settings import MARGIN, REACH

LAG = timedelta(seconds=30)
"""What a post takes to be delivered and indexed; most take a few seconds."""
WORTH = timedelta(minutes=1)
"""Of a span whose end cannot be found yet so much is searched for at once, if it is there; less waits for the rest."""


@dataclass
class Reached:
    """All up to `since` was told but the spans `behind` (first id, and the one before which it ends), oldest first."""

    since: int
    behind: list[list[int]] = field(default_factory=list)

    @classmethod
    def read(cls, told: object) -> "Reached | None":
        """Return what a cursor holds; None where it is broken, which begins anew."""
        if not isinstance(told, dict):
            return None
        since, behind = told.get("since"), told.get("behind", [])
        spans = behind if isinstance(behind, list) else []
        if not isinstance(since, int) or not all(isinstance(span, list) and len(span) == 2 for span in spans):
            return None
        return cls(since, [[int(first), int(end)] for first, end in spans])

    @classmethod
    def back(cls, at: datetime) -> "Reached":
        """Begin at an instant."""
        return cls(first_id(at))

    def as_json(self) -> Mapping[str, Any]:
        """Return what the cursor holds of it."""
        return {"since": self.since, "behind": self.behind} if self.behind else {"since": self.since}

    def heard(self, at: datetime) -> None:
        """All up to `at` was told."""
        self.since = max(self.since, first_id(at))

    def missed(self, at: datetime) -> None:
        """What came between the last word and `at` has to be searched for."""
        if (end := first_id(at)) > self.since:
            self.behind.append([self.since, end])
            self.since = end

    def due(self, at: datetime) -> tuple[int, int] | None:
        """Return ids (first, and before which) that can be searched for; the newest posts cannot be found yet."""
        newest, worth = first_id(at - LAG), first_id(at - LAG - WORTH)
        due = ((first, end) for first, end in self.behind[::-1] if end <= newest or first <= worth)
        return next(((first, min(end, newest)) for first, end in due), None)

    def searched(self, first: int, end: int, oldest: int | None) -> None:
        """All from `oldest` (None: from `first`) to `end` was told."""
        found = []
        for begin, until in self.behind:
            if begin != first:
                found.append([begin, until])
                continue
            found += [[begin, oldest]] if oldest is not None else []
            found += [[end, until]] if end < until else []
        self.behind = found

    def forget(self, now: datetime) -> tuple[datetime, datetime] | None:
        """Leave out, and return, what recent search no longer reaches."""
        oldest = first_id(now - REACH + MARGIN)
        lost = [span for span in self.behind if span[0] < oldest]
        if not lost:
            return None
        end = min(max(span[1] for span in lost), oldest)
        self.behind = [[max(first, oldest), until] for first, until in self.behind if until > oldest]
        return posted_at(lost[0][0]), posted_at(end)
