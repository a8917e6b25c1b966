"""`/v1/episodes/{id}/chart.png` and `/report`: an episode as a picture, and what is read after it is over."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from service.api.context import Admin, Context, Ctx
from service.api.problems import Problem
from service.brand import Brand
from service.episode import Episode
from service.episodes import Episodes
from service.frozen import Frozen, frozen
from service.notify import delivery_log
from service.notify.chart import DARK, LIGHT, Colours, png
from service.report import Format, render

router = APIRouter(prefix="/v1/episodes", tags=["episodes"])

MOST_DELIVERIES = 1000
"""Lines of the delivery log in a report."""
TYPES = {"html": "text/html; charset=utf-8", "md": "text/markdown; charset=utf-8"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
PICTURE = {"image/png": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/{identity}/chart.png", response_class=Response, responses={200: {"content": PICTURE}})
async def get_chart(identity: str, ctx: Ctx, _: Admin, theme: Literal["light", "dark"] = "light") -> Response:
    """Draw an episode: what was counted and what is normal, from a day before it began."""
    episode, brand, kept = await _episode(ctx, identity)
    picture = await _drawn(episode, brand, kept, DARK if theme == "dark" else LIGHT)
    if picture is None:
        raise Problem(404, f"no counts are kept of the episode {identity!r}")
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get(
    "/{identity}/report", response_class=Response, responses={200: {"content": {t: {} for t in TYPES.values()}}}
)
async def get_report(
    identity: str, ctx: Ctx, _: Admin, how: Annotated[Format, Query(alias="format")] = "html"
) -> Response:
    """Tell all of an episode: what happened, who did what when, what was said, and who was told."""
    episode, brand, kept = await _episode(ctx, identity)
    deliveries, _more = await delivery_log.page(ctx.store, episode=identity, limit=MOST_DELIVERIES)
    picture = await _drawn(episode, brand, kept, LIGHT)
    text = render(how, episode, brand, kept, deliveries, picture, ctx.settings.public_url)
    return Response(text, media_type=TYPES[how], headers=HEADERS)


async def _episode(ctx: Context, identity: str) -> tuple[Episode, Brand | None, Frozen | None]:
    episode = await Episodes(ctx.store).get(identity)
    if episode is None:
        raise Problem(404, f"there is no episode {identity!r}")
    await ctx.registry.refresh()
    return episode, ctx.registry.brands.get(episode.brand), await frozen(ctx.store, identity)


async def _drawn(episode: Episode, brand: Brand | None, kept: Frozen | None, colours: Colours) -> bytes | None:
    """Draw what is kept of an episode, in a thread; None where nothing is."""
    if kept is None or kept.curve is None:
        return None
    return await asyncio.to_thread(png, episode, kept.curve, brand.timezone if brand else "UTC", colours)
