"""What people say of an episode, and what a brand learns from it; how is told in `docs/feedback.md`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

import numpy as np

from detectors.feedback import Feedback, unsaid
from detectors.series import Bools, Series
from service.brand import Campaign
from service.episode import Episode
from service.policy import accepted

Said = Literal["real", "false alarm", "known campaign"]
SAID: tuple[Said, ...] = get_args(Said)
LEFT = {"real", "known campaign"}
"""What is no false page and no normal week either: the tail learns nothing from it."""
GOES_ON = timedelta(days=1)
"""A campaign of an episode that is still on is planned up to so long from now, where nobody says until when."""

Times = tuple[float, float]
"""Begin and end of a time, POSIX seconds."""


@dataclass(frozen=True)
class Strange:
    """What a brand's crises mean for its past, buckets (n,): `mask` teaches no baseline.

    `closed` are the times of crises that are over; `said` is what people said, by episode.
    """

    mask: Bools
    feedback: Feedback
    closed: list[Times] = field(default_factory=list)
    said: frozenset[tuple[str, str]] = frozenset()


def strange(series: Series, crises: Iterable[Episode], open_id: str | None, now: float) -> Strange:
    """Return what the past of `series` teaches at `now` (POSIX seconds); the crisis `open_id` goes on.

    A crisis that lasted until it was the new level is masked no more, and one that was a false alarm never was one.
    """
    masked, closed, said = list[Times](), list[Times](), set[tuple[str, str]]()
    left, false = list[Times](), list[Times]()
    for episode in crises:
        over, last = times(episode, open_id, now)
        every = [*over, last]
        held = [span for span in every if not accepted(*span, series.step)]
        ended = episode.calm_at is not None or (episode.id != open_id and episode.closed_at is not None)
        closed += [span for span in held if ended or span in over]
        masked += held if episode.feedback != "false alarm" else []
        left += every if episode.feedback in LEFT else []
        false += every if episode.feedback == "false alarm" else []
        if episode.feedback is not None and last[1] >= series.start:
            said.add((episode.id, episode.feedback))
    mine = Feedback(within(series, left), within(series, false)) if said else unsaid(len(series))
    return Strange(within(series, masked), mine, closed, frozenset(said))


def times(episode: Episode, open_id: str | None, now: float) -> tuple[list[Times], Times]:
    """Return when an episode was on before it was reopened, and the last time that it was, to `now` if it still is."""
    ended = episode.calm_at or (None if episode.id == open_id else episode.closed_at)
    over = [(span.start.timestamp(), span.end.timestamp()) for span in episode.earlier]
    return over, (episode.began.timestamp(), ended.timestamp() if ended else now)


def within(series: Series, spans: Iterable[Times]) -> Bools:
    """Which buckets overlap any of the times."""
    begins = series.start + series.step * np.arange(len(series))
    found = np.zeros(len(series), dtype=np.bool_)
    for start, end in spans:
        found |= (begins + series.step > start) & (begins < end)
    return found


def campaign_of(episode: Episode, now: datetime, name: str | None = None, end: datetime | None = None) -> Campaign:
    """Return the planned event that an episode was: from its first strange bucket to its end.

    Raises:
        ValueError: it would end before it begins.
    """
    begin = episode.earlier[0].start if episode.earlier else episode.started_at
    until = end or episode.ended or now + GOES_ON
    if until <= begin:
        raise ValueError(f"end: must be later than {begin.isoformat()}, when the episode began")
    return Campaign(name=name or f"known campaign of {begin:%Y-%m-%d}", start=begin, end=until)
