"""Mutes: what nobody is told of for a while, with an end."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collectors.mention import Instant
from service.brand import Brand, BrandName
from service.episode import Episode, Kind

OF_A_CAMPAIGN = ("volume", "advocates")
"""Detectors that a campaign is expected to set off; what is negative stays armed unless the mute names it."""


LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""What ends later has no end that anybody meant."""


class Mute(BaseModel):
    """Nobody is told of what fits until `end`, or until the `campaign` of that name ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: BrandName
    brands: list[BrandName] = Field(default_factory=list, max_length=10_000, description="all by default")
    campaign: str | None = Field(default=None, min_length=1, max_length=200)
    detectors: list[str] = Field(
        default_factory=list, max_length=20, description="all by default; a campaign's: volume"
    )
    kinds: list[Kind] = Field(default_factory=list, description="all by default")
    start: Instant | None = None
    end: Instant | None = None
    reason: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.end is None and self.campaign is None:
            raise ValueError("end: a mute needs an end, or the name of a campaign, with which it ends")
        if self.end is not None and self.end > LATEST:
            raise ValueError("end must be before the year 2100")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("end must be later than start")
        return self

    def end_of(self, episode: Episode, at: float) -> float | None:
        """Return when the mute that holds for an episode at `at` (POSIX seconds) ends; None where it does not hold.

        One of a campaign has no times of its own before `of_brand` gave it the campaign's: it holds for nothing.
        """
        if self.end is None or not self._fits(episode) or at >= self.end.timestamp():
            return None
        return None if self.start is not None and at < self.start.timestamp() else self.end.timestamp()

    def _fits(self, episode: Episode) -> bool:
        return (
            (not self.brands or episode.brand in self.brands)
            and (not self.detectors or episode.detector in self.detectors)
            and (not self.kinds or episode.kind in self.kinds)
        )


def of_brand(mutes: Sequence[Mute], brand: Brand) -> Iterator[Mute]:
    """Give the mutes of a brand; those of a campaign once for each of its times, between the mute's own bounds."""
    for mute in mutes:
        if mute.brands and brand.name not in mute.brands:
            continue
        if mute.campaign is None:
            yield mute
            continue
        wanted = mute.detectors or ([] if mute.kinds else list(OF_A_CAMPAIGN))
        for campaign in (c for c in brand.campaigns if c.name == mute.campaign):
            start = max(filter(None, (mute.start, campaign.start)))
            end = min(filter(None, (mute.end, campaign.end, LATEST)))
            if start < end:
                yield mute.model_copy(update={"brands": [brand.name], "detectors": wanted, "start": start, "end": end})
