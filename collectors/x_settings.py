"""How a brand's source X is set up, and what it declares."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collectors.collector import Declaration, Limit

BASE_URL = "https://api.x.com"
REACH = timedelta(days=7)
"""How far back recent search and recent counts go."""
MARGIN = timedelta(minutes=2)
"""Kept from the far end of `REACH`, which moves while the request is on its way."""
PAGE = 100
"""Posts a page, the most that recent search gives."""

DECLARATION = Declaration(
    name="x",
    reads="minute counts of a query, and a sample of its posts",
    needs_key=True,
    push=False,
    counts=True,
    backfill="7 days of minute counts",
    price="$0.005 per request of counts, $0.005 per post",
    poll_seconds=300.0,
    limit=Limit(300, 900.0, per="path"),
)

STREAM = Declaration(
    name="x_stream",
    reads="posts as they are written (`stream: true` of `x`)",
    needs_key=True,
    push=True,
    counts=False,
    backfill="15 minutes, after a break up to 7 days",
    price="$0.005 per post",
    poll_seconds=20.0,
    limit=Limit(300, 900.0, per="path"),
)


class XSettings(BaseModel):
    """A brand's source `{type: x}`. Prices are in dollars, since the network changes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["x"] = "x"
    counts: bool = Field(default=True, description="read minute counts")
    posts: bool = Field(default=True, description="read posts as a sample")
    stream: bool = Field(default=False, description="read all posts by the filtered stream instead of a sample")
    posts_per_poll: int = Field(default=PAGE, ge=PAGE, le=10_000, description="the sample's size, in whole pages")
    lag_seconds: int = Field(default=30, ge=10, le=600, description="how long X takes to index a post")
    price_per_count: float = Field(default=0.005, ge=0, allow_inf_nan=False)
    price_per_post: float = Field(default=0.005, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _streams_posts(self) -> Self:
        if self.stream and not self.posts:
            raise ValueError("the stream gives posts; set posts: true, or leave stream out")
        return self


class XStreamSettings(BaseModel):
    """The filtered stream, one for all brands that set `stream: true`: an app has one connection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["x_stream"] = "x_stream"
