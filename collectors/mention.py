"""The two things a collector gives: a mention (one public post) and a count (how many, without the posts)."""

from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, cast, get_args, get_origin

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, with_config
from typing_extensions import TypedDict

Kind = Literal["post", "comment", "article", "review", "ticket"]

#: Lower-case name of a network or channel: `x`, `feed`, `reddit`, `zendesk`.
SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=512)]

MAX_TEXT = 100_000
"""Characters a text may have; longer ones are refused rather than cut, so that nothing is half-stored."""


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Author(_Record):
    """Who wrote it, as far as the network says."""

    id: Identifier
    name: str | None = Field(default=None, max_length=512)
    followers: int | None = Field(default=None, ge=0, le=10**10)


class Mention(_Record):
    """One public post, comment, article, review or ticket. Identity is (`source`, `id`)."""

    id: Identifier
    source: SourceName
    text: str = Field(max_length=MAX_TEXT)
    published_at: AwareDatetime
    url: str | None = Field(default=None, max_length=4096)
    author: Author | None = None
    language: str | None = Field(default=None, max_length=35, description="BCP 47 code, where the network says it")
    kind: Kind = "post"
    engagement: int | None = Field(default=None, ge=0, le=10**12, description="likes, replies and shares together")
    reply_to: Identifier | None = None
    brands: list[str] | None = Field(default=None, max_length=100, description="where the sender already knows")
    updated_at: AwareDatetime | None = Field(default=None, description="the highest wins")
    deleted: bool = False
    repost_of: Identifier | None = None


Fields = dict[str, Any]
"""A mention's fields by name, each as `Mention` has it; what was not said may be absent."""


def fields_of(model: type[BaseModel]) -> Any:
    """Return a model's fields as a TypedDict that pydantic checks alike, at half of the model's time and memory.

    A field that is another such model (or None) becomes a dict too.
    """
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind: Any = Annotated[_without_models(field.annotation), Field(description=field.description), *field.metadata]
        found[name] = kind if field.is_required() else NotRequired[kind]
    # Keys come again and again; a cache of values would only be searched in vain.
    config: ConfigDict = {**model.model_config, "cache_strings": "keys"}
    return with_config(config)(cast(Any, TypedDict)(model.__name__, found))


def _without_models(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return fields_of(kind)
    return Union[tuple(map(_without_models, get_args(kind)))] if get_origin(kind) is UnionType else kind  # noqa: UP007


class Count(_Record):
    """How often a brand was mentioned in `seconds` from `start`; a later one for the same bucket replaces."""

    brand: str = Field(min_length=1, max_length=200)
    source: SourceName
    start: Instant
    seconds: int = Field(ge=60, le=86_400, multiple_of=60)
    count: int = Field(ge=0, le=10**12)
    complete_until: Instant | None = Field(default=None, description="the source has told all it will up to here")

    @property
    def end(self) -> datetime:
        """First instant after the bucket."""
        return self.start + timedelta(seconds=self.seconds)
