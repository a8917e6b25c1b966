"""`GET /v1/brands/{brand}/accuracy`: how well a brand was warned, in the last 4 and 12 weeks."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from service.accuracy import HOUR, WEEK, Window, ends, told, window
from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.counts import coverage, read
from service.crisis import at
from service.episodes import Episodes

router = APIRouter(prefix="/v1", tags=["brands"])

WEEKS = (4, 12)
EPISODES = 1000
"""A brand's newest episodes that are looked at: ten a day for twelve weeks."""


class Accuracy(BaseModel):
    """How well a brand was warned; every figure is of crises, drills left out."""

    brand: str
    at: AwareDatetime
    windows: list[Window]


@router.get("/brands/{brand}/accuracy")
async def get_accuracy(
    brand: str,
    ctx: Ctx,
    _: Admin,
    weeks: Annotated[list[Annotated[int, Query(ge=1, le=52)]] | None, Query(max_length=4)] = None,
) -> Accuracy:
    """Say how many pages there were against the budget, what people said of them, and how soon they were told."""
    await ctx.registry.refresh()
    found = ctx.registry.brands.get(brand)
    if found is None:
        raise Problem(404, f"there is no brand {brand!r}")
    now = await ctx.clock.now()
    spans = sorted(set(weeks or WEEKS))
    crises = [e for e in (await Episodes(ctx.store).page(brand, None, EPISODES, None))[0] if e.kind == "crisis"]
    first = (await coverage(ctx.store, brand, now)).first
    watched = min(first.values(), default=now)
    whole = now - now % HOUR  # of the running hour nobody has told all
    table = await read(ctx.store, brand, max(now - spans[-1] * WEEK, watched), whole, HOUR, now)
    windows = []
    for span in spans:
        since = now - span * WEEK
        ended, complete = await ends(ctx.store, brand, since), told(table, first, since)
        windows.append(window(span, now, watched, found.budget, crises, ended, complete))
    return Accuracy(brand=brand, at=at(now), windows=windows)
