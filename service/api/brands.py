"""`/v1/brands`: what is watched, how it stands, and its counts over time; webhooks and keys beside it."""

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, BaseModel, Field

from service.access import ApiKey, make_key
from service.annotations import annotations
from service.api.context import Admin, Ctx
from service.api.problems import Problem, places
from service.brand import Brand, BrandName, Webhook
from service.clock import iso
from service.completeness import report
from service.corrections import correction, one, told
from service.counts import FIELDS, csv_rows, read
from service.forecasting import forecasters
from service.labels import forget
from service.registry import states

router = APIRouter(prefix="/v1", tags=["brands"])

MOST_BUCKETS = 20_000
MOST_BRANDS = 10_000


class BrandBody(Brand):
    """A brand; its name stands in the address."""

    name: BrandName = Field(default="-", validate_default=False)


class WebhookBody(Webhook):
    """A webhook; its name stands in the address."""

    name: BrandName = Field(default="-", validate_default=False)


class NewKey(BaseModel):
    """A key that was just made; it is shown this once."""

    key: str


@router.get("/brands")
async def get_brands(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List brands with how they stand."""
    await ctx.registry.refresh()
    brands = ctx.registry.brands
    now = await states(ctx.store, list(brands))
    return {"items": [{**b.model_dump(mode="json"), "state": now[name]} for name, b in brands.items()], "next": None}


@router.get("/brands/{brand}")
async def get_brand(brand: str, ctx: Ctx, _: Admin) -> dict[str, Any]:
    """Return one brand with how it stands, what late data showed of its past, and how its forecasters compared."""
    await ctx.registry.refresh()
    found = _known(ctx, brand)
    late = await annotations(ctx.store, brand)
    return {
        **found.model_dump(mode="json"),
        "state": (await states(ctx.store, [brand]))[brand],
        "annotations": late,
        "forecasters": await forecasters(ctx.store, brand),
    }


@router.put("/brands")
async def put_brands(
    body: Annotated[list[Brand], Field(min_length=1, max_length=MOST_BRANDS)], ctx: Ctx, _: Admin
) -> dict[str, int]:
    """Watch many brands, or change how they are watched, in one step: all of them, or none where one is wrong."""
    await ctx.registry.refresh()
    return {"stored": len({brand.name for brand in body}), "created": await ctx.registry.put_brands(body)}


@router.put("/brands/{brand}")
async def put_brand(brand: BrandName, body: BrandBody, ctx: Ctx, _: Admin, response: Response) -> Brand:
    """Watch a brand, or change how it is watched."""
    found = Brand.model_validate({**body.model_dump(), "name": brand})
    await ctx.registry.refresh()
    response.status_code = 201 if await ctx.registry.put_brand(found) else 200
    return found


@router.delete("/brands/{brand}", status_code=204)
async def delete_brand(brand: str, ctx: Ctx, _: Admin) -> Response:
    """Stop watching a brand; what was counted expires by itself."""
    if not await ctx.registry.drop_brand(brand):
        raise Problem(404, f"there is no brand {brand!r}")
    await forget(ctx.store, brand)
    return Response(status_code=204)


@router.get("/brands/{brand}/series")
async def get_series(
    brand: str,
    ctx: Ctx,
    _: Admin,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
    step: Literal["60", "300", "3600"] = "300",
    source: Annotated[str | None, Query(max_length=64)] = None,
) -> dict[str, Any]:
    """Return a brand's buckets, by default of the last day; `complete: false` is unknown, not zero.

    `negative_share_corrected` is the share that the brand's labels say, null where they are too few (docs/labels.md).
    """
    await ctx.registry.refresh()
    _known(ctx, brand)
    width, now = int(step), await ctx.clock.now()
    first, last = _span(start, end, width, now)
    table = await read(ctx.store, brand, first, last, width, now, sources=[source] if source else None)
    totals, complete = {name: table.total(name) for name in FIELDS}, table.complete
    corrected = await correction(ctx.store, brand)
    rows = [
        {
            "start": iso(begin),
            **{name: _plain(total[i]) for name, total in totals.items()},
            "negative_share_corrected": told(corrected, *one(begin, totals["negative"][i], totals["scored"][i])),
            "complete": bool(complete[i]),
        }
        for i, begin in enumerate(table.times)
    ]
    return {"brand": brand, "step": width, "buckets": rows}


@router.get("/brands/{brand}/completeness")
async def get_completeness(
    brand: str,
    ctx: Ctx,
    _: Admin,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
    step: Literal["60", "300", "3600"] = "300",
) -> dict[str, Any]:
    """Return which buckets each source did not tell, by default of the last day, and why (docs/sources.md)."""
    await ctx.registry.refresh()
    listens = {source.type for source in _known(ctx, brand).sources}
    width, now = int(step), await ctx.clock.now()
    first, last = _span(start, end, width, now)
    return {"brand": brand, "step": width, "sources": await report(ctx.store, brand, first, last, width, now, listens)}


@router.get("/brands/{brand}/series.csv", response_class=PlainTextResponse)
async def get_series_csv(brand: str, ctx: Ctx, _: Admin, end: AwareDatetime | None = None) -> PlainTextResponse:
    """Return five weeks of 5-minute counts up to `end` as `foreshock backtest` reads them; what is unknown is empty."""
    await ctx.registry.refresh()
    _known(ctx, brand)
    now = await ctx.clock.now()
    last = math.ceil(_bound(end, now) / 300) * 300
    table = await read(ctx.store, brand, last - 35 * 86_400, last, 300, now)
    rows = csv_rows(table, await correction(ctx.store, brand))
    return PlainTextResponse("\n".join(rows) + "\n", media_type="text/csv")


@router.get("/webhooks")
async def get_webhooks(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List webhooks, without their secrets."""
    await ctx.registry.refresh()
    return {"items": [w.model_dump(exclude={"secret"}) for w in ctx.registry.webhooks.values()], "next": None}


@router.put("/webhooks/{name}")
async def put_webhook(name: BrandName, body: WebhookBody, ctx: Ctx, _: Admin, response: Response) -> dict[str, Any]:
    """Tell a receiver of every event, signed."""
    await ctx.registry.refresh()
    if name in ctx.registry.channels or name in ctx.registry.duties:
        raise Problem(409, f"there is a channel or duty {name!r}: channels, webhooks and duties need different names")
    webhook = Webhook.model_validate({**body.model_dump(), "name": name})
    response.status_code = 201 if await ctx.registry.put_webhook(webhook) else 200
    return webhook.model_dump(exclude={"secret"})


@router.delete("/webhooks/{name}", status_code=204)
async def delete_webhook(name: Annotated[str, Path(max_length=64)], ctx: Ctx, _: Admin) -> Response:
    """Tell a receiver no more."""
    if not await ctx.registry.drop_webhook(name):
        raise Problem(404, f"there is no webhook {name!r}")
    return Response(status_code=204)


@router.post("/keys", status_code=201)
async def post_key(key: ApiKey, ctx: Ctx, _: Admin) -> NewKey:
    """Make a key; it is shown this once."""
    if key.scope == "ingest" and not key.sources:
        raise Problem(422, "sources: an ingest key names the sources it may write", places([]))
    return NewKey(key=await make_key(ctx.store, key))


def _known(ctx: Ctx, name: str) -> Brand:
    brand = ctx.registry.brands.get(name)
    if brand is None:
        raise Problem(404, f"there is no brand {name!r}")
    return brand


def _span(start: datetime | None, end: datetime | None, width: int, now: float) -> tuple[float, float]:
    """Return from when to when buckets are asked for, POSIX seconds: the last day, where that is not said."""
    last = _bound(end, now)
    first = _bound(start, last - 86_400)
    if last <= first:
        raise Problem(422, "end: must be later than start")
    if (last - first) / width > MOST_BUCKETS:
        raise Problem(422, f"start: more than {MOST_BUCKETS} buckets; ask for less or for a longer step")
    return first, last


def _bound(given: datetime | None, otherwise: float) -> float:
    return given.timestamp() if given else otherwise


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else round(float(value), 3)
