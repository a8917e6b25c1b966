"""What is watched: a brand, composed of the collectors' part (query, sources), the detectors' (budget) and ours."""

from base64 import b64decode
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from collectors.mention import Instant
from collectors.query import QueryError, parse
from collectors.registry import SourceConfig
from service import holidays_of

MOST_CAMPAIGNS = 1000
"""Planned events of a brand."""

BrandName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _query(text: str) -> str:
    try:
        parse(text)
    except QueryError as error:
        raise ValueError(str(error)) from None
    return text


def time_zone(name: str) -> str:
    """Return the name of a time zone if there is one, else raise ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone {name!r}; a name like Europe/Berlin or UTC is expected") from None
    return name


def signing_secret(text: str) -> str:
    """Return a secret of Standard Webhooks if it is one, else raise ValueError."""
    wanted = "whsec_ and 24 to 64 random bytes in base64"
    try:
        size = len(b64decode(text.removeprefix("whsec_"), validate=True))
    except ValueError:
        raise ValueError(f"{wanted} are expected") from None
    if not text.startswith("whsec_") or not 24 <= size <= 64:
        raise ValueError(f"{wanted} are expected")
    return text


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Campaign(_Config):
    """A planned event that raises the expected volume; negativity stays armed."""

    name: str = Field(min_length=1, max_length=200)
    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end must be later than start")
        return self


class Brand(_Config):
    """One watched brand."""

    name: BrandName
    query: Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_query)]
    timezone: Annotated[str, AfterValidator(time_zone)] = "UTC"
    budget: float = Field(default=0.5, ge=0.01, le=50, description="false pages a week, at the most")
    sources: list[SourceConfig] = Field(default_factory=list, max_length=100)
    campaigns: list[Campaign] = Field(default_factory=list, max_length=MOST_CAMPAIGNS)
    country: Annotated[str, AfterValidator(holidays_of.country)] | None = Field(
        default=None, description="ISO 3166-1 alpha-2: its public holidays are expected to be like Sundays"
    )
    subdivision: str | None = Field(default=None, description="ISO 3166-2 without the country, for its own holidays")

    @field_validator("subdivision")
    @classmethod
    def _of_the_country(cls, code: str | None, info: ValidationInfo) -> str | None:
        if code is None or "country" not in info.data:
            return code
        return holidays_of.subdivision(info.data["country"], code)


class Webhook(_Config):
    """A receiver of every event, signed by Standard Webhooks."""

    name: BrandName
    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2048)]
    secret: Annotated[str, AfterValidator(signing_secret)] = Field(
        description="whsec_ and at least 24 random bytes in base64", repr=False
    )
