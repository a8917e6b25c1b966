"""`POST /v1/brands/{brand}/preview`: what the last weeks would have raised, as JSON or as a picture."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf
from typing import Annotated, Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from detectors.watch import HISTORY_SECONDS
from service import voices
from service.apart import Crowded, TooLong, apart
from service.api.context import Admin, Context, Ctx
from service.api.problems import Problem
from service.brand import Brand
from service.clock import iso
from service.corrections import correction
from service.counts import read
from service.ingest import Busy
from service.preview import WEEK, Past, Preview, preview
from service.preview_chart import png
from service.watcher import FINE, within

router = APIRouter(prefix="/v1", tags=["brands"])

LEAST_HISTORY = 86_400.0
"""Seconds of history without which nothing could be told: the first six hours only teach."""
PATIENCE = 90.0
"""Seconds that a preview may take; at five budgets it takes some 12 on an idle core."""

P = ParamSpec("P")
T = TypeVar("T")
Budget = Annotated[float, Field(ge=0.01, le=50)]
Weeks = Annotated[int, Field(ge=1, le=5, description="how far back alerts count; what is before only teaches")]
Budgets = Annotated[list[Budget], Field(min_length=1, max_length=5, description="false pages a week")]
PICTURE = {"image/png": {"schema": {"type": "string", "format": "binary"}}}


class PreviewBody(BaseModel):
    """What to look back at."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    weeks: Weeks = 4
    budgets: Budgets = [0.1, 0.5, 2.0]


@router.post("/brands/{brand}/preview", response_model=Preview, responses={200: {"content": PICTURE}})
async def post_preview(
    brand: str, ctx: Ctx, _: Admin, body: PreviewBody | None = None, accept: Annotated[str, Header()] = ""
) -> Preview | Response:
    """Tell what a brand's last weeks would have raised at some budgets; `Accept: image/png` draws it.

    The brand's own history is played through the detectors and the policy that judge it live, strictly causally.
    """
    asked = body or PreviewBody()
    if accept.lower().startswith("image/png"):
        return await _picture(ctx, brand, asked.weeks, asked.budgets)
    _brand, past = await _past(ctx, brand, asked.weeks)
    return await _computed(preview, past, sorted(set(asked.budgets)))


@router.get("/brands/{brand}/preview.png", response_class=Response, responses={200: {"content": PICTURE}})
async def get_preview(
    brand: str,
    ctx: Ctx,
    _: Admin,
    weeks: Annotated[int, Query(ge=1, le=5)] = 4,
    budget: Annotated[list[Budget] | None, Query(min_length=1, max_length=5)] = None,
) -> Response:
    """Draw the same, by address: `?weeks=4&budget=0.1&budget=0.5`."""
    return await _picture(ctx, brand, weeks, budget or PreviewBody().budgets)


async def _picture(ctx: Context, name: str, weeks: int, budgets: Sequence[float]) -> Response:
    brand, past = await _past(ctx, name, weeks)
    picture = await _computed(png, past, sorted(set(budgets)), brand.timezone)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


async def _computed(
    work: Callable[Concatenate[Past, P], T],
    past: Past,
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    try:
        return await apart(PATIENCE, work, past, *args, **kw)
    except Crowded:
        raise Busy("previews are being computed already: ask again in some seconds") from None
    except TooLong:
        raise Problem(503, f"it took over {PATIENCE:.0f} s; ask for fewer budgets, or when less is to do") from None


async def _past(ctx: Context, name: str, weeks: int) -> tuple[Brand, Past]:
    """Read a brand's history as the live detectors learn from it.

    Raises:
        Problem: there is no such brand, or too little is known of it.
    """
    await ctx.registry.refresh()
    brand = ctx.registry.brands.get(name)
    if brand is None:
        raise Problem(404, f"there is no brand {name!r}")
    now = await ctx.clock.now()
    end = now - now % FINE
    table = await read(ctx.store, name, end - HISTORY_SECONDS, end, int(FINE), now)
    first = table.start if table.sources else inf
    if end - first < LEAST_HISTORY:
        raise Problem(409, _needed(name, first, end))
    sources = table.series(await correction(ctx.store, name))
    series = next(iter(sources.values()))
    campaign = within(series, [(c.start.timestamp(), c.end.timestamp()) for c in brand.campaigns])
    offset = datetime.fromtimestamp(end, ZoneInfo(brand.timezone)).utcoffset()
    seconds = offset.total_seconds() if offset else 0.0
    heard = await voices.read(ctx.store, name, first, end)
    return brand, Past(name, sources, campaign, seconds, end - weeks * WEEK, heard)


def _needed(name: str, first: float, end: float) -> str:
    least = f"a preview needs {LEAST_HISTORY / 3600:.0f} hours of counted mentions"
    if first == inf:
        return f"nothing was ever counted of {name}: {least}; collect some, or post them with their published_at"
    since = f"{name} is known since {iso(first)}, {(end - first) / 3600:.1f} hours"
    return f"{since}: {least}; ask from {iso(first + LEAST_HISTORY)} on"
