"""What a brand says of YouTube: which places are read, and how much of the day's quota it may use."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Channel = Annotated[str, StringConstraints(pattern=r"^UC[A-Za-z0-9_-]{22}$")]
Video = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{11}$")]


class YouTubeSettings(BaseModel):
    """A brand's source `{type: youtube, channels: [UC...]}`; brands that share a key share its units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["youtube"] = "youtube"
    channels: tuple[Channel, ...] = Field(default=(), max_length=20, description="ids: UC and 22 characters")
    videos: tuple[Video, ...] = Field(default=(), max_length=50, description="ids: 11 characters")
    own: bool = Field(default=False, description="these are the brand's own: all comments there count, named or not")
    searches_per_day: int = Field(default=24, ge=0, le=100, description="for videos; 0 for none")
    follow: int = Field(default=20, ge=1, le=50, description="the newest found videos whose comments are read")
    units_per_search: int = Field(default=100, ge=1, le=100, description="1 where searches have a quota of their own")
    units_per_day: int = Field(default=10_000, ge=100, le=10**8, description="what this brand may use of the key's")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not (self.channels or self.videos or self.searches_per_day):
            raise ValueError("nothing to read; name channels or videos, or set searches_per_day")
        if self.searches_per_day * self.units_per_search > self.units_per_day:
            raise ValueError(
                f"searches_per_day: a search costs {self.units_per_search} of units_per_day; lower the one"
            )
        return self
