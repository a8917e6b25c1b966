"""`POST /v1/mentions/{id}/label`, `GET /v1/brands/{brand}/labels`: what people say of mentions, and what follows."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from collectors.mention import SourceName
from collectors.sentiment import Label as Said
from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.clock import iso
from service.corrections import standing
from service.labels import MOST, Enough, NotKept, draw, page, put, read

router = APIRouter(prefix="/v1", tags=["labels"])


class LabelBody(BaseModel):
    """What a person says of a mention of a brand; null takes it back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: SourceName
    brand: str
    label: Said | None


@router.post("/mentions/{mention:path}/label")
async def post_label(
    mention: Annotated[str, Path(min_length=1, max_length=512)], body: LabelBody, ctx: Ctx, key: Admin
) -> dict[str, Any]:
    """Say of a kept mention how it speaks of the brand; an id's slashes may stand as they are."""
    await ctx.registry.refresh()
    if body.brand not in ctx.registry.brands:
        raise Problem(404, f"there is no brand {body.brand!r}")
    at = iso(await ctx.clock.now())
    try:
        labels = await put(ctx.store, body.brand, body.source, mention, body.label, key.name, at)
    except NotKept:
        what = f"no mention {mention!r} of source {body.source!r} is kept for {body.brand}"
        raise Problem(404, f"{what}: texts are kept 7 days, and 20,000 of a brand") from None
    except Enough:
        raise Problem(409, f"{body.brand} has {MOST} labels; more change nothing") from None
    return {**body.model_dump(), "id": mention, "labels": labels}


@router.get("/brands/{brand}/labels/next")
async def get_next(brand: str, ctx: Ctx, _: Admin, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> dict[str, Any]:
    """Draw kept mentions without a label by chance: labels of such mentions correct best (docs/labels.md)."""
    await ctx.registry.refresh()
    if brand not in ctx.registry.brands:
        raise Problem(404, f"there is no brand {brand!r}")
    return {"brand": brand, "items": await draw(ctx.store, brand, limit)}


@router.get("/brands/{brand}/labels")
async def get_labels(
    brand: str,
    ctx: Ctx,
    _: Admin,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Return a brand's labels, the newest first, and what they led to: shares before and after, its own model."""
    await ctx.registry.refresh()
    if brand not in ctx.registry.brands:
        raise Problem(404, f"there is no brand {brand!r}")
    try:
        found = page(await read(ctx.store, brand), limit, cursor)
    except ValueError as error:
        raise Problem(422, str(error)) from None
    now = await standing(ctx.store, brand)
    return {"brand": brand, **found, "correction": now.shown() if now else None}
