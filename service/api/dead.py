"""`/v1/dead-letters`: mentions that were accepted and could not be counted; put in again, or dropped."""

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from service import exhume
from service.api.context import Admin, Ctx
from service.api.problems import Problem

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])

MOST_IDS = 10_000


class DeadLetter(BaseModel):
    """A mention that could not be counted, or (`entry`, base64) several that could not be read."""

    id: str
    buried_at: str
    kind: str = Field(description="where it went wrong: annotate, count, kill (its worker ended), read")
    reason: str
    brand: str
    source: str | None
    mention_id: str | None
    mention: dict[str, Any] | None
    entry: str | None


class Page(BaseModel):
    """A page of dead letters, newest first."""

    items: list[DeadLetter]
    next: str | None


class Choice(BaseModel):
    """Which ones: those with these ids, or all, of one brand where it is named."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] | None = Field(default=None, min_length=1, max_length=MOST_IDS)
    all: bool = False
    brand: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Choice":
        if (self.ids is None) == (not self.all):
            raise ValueError('either "ids" or "all": true says which dead letters are meant')
        return self


class Done(BaseModel):
    """How many letters were put in again or dropped, how many stay, and why the first of those do."""

    done: int
    failed: int
    errors: list[dict[str, str]]


@router.get("")
async def get_dead_letters(
    ctx: Ctx,
    _: Admin,
    brand: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> Page:
    """List dead letters, newest first."""
    try:
        letters, more = await exhume.page(ctx.store, brand, limit, cursor)
    except ValueError as error:
        raise Problem(422, str(error)) from None
    items = [{k: v for k, v in dataclasses.asdict(letter).items() if k != "key"} for letter in letters]
    return Page(items=[DeadLetter.model_validate(item) for item in items], next=more)


@router.post("/replay")
async def replay_dead_letters(choice: Choice, ctx: Ctx, _: Admin) -> Done:
    """Put them in again by the ordinary way; what was accepted is a dead letter no more, and counts once."""
    return _done(await exhume.replay(ctx.store, ctx.ingest, choice.ids, choice.brand))


@router.delete("")
async def drop_dead_letters(choice: Choice, ctx: Ctx, _: Admin) -> Done:
    """Forget them."""
    return _done(await exhume.drop(ctx.store, choice.ids, choice.brand))


def _done(outcome: exhume.Outcome) -> Done:
    return Done(done=outcome.done, failed=outcome.failed, errors=outcome.errors)
