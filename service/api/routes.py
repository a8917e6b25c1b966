"""`/v1/routes`: which events go to whom; `/v1/routes/test` says who would be told, when and why."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, Field

from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.brand import BrandName
from service.clock import iso
from service.episode import EventType, Kind
from service.notify.holes import imagined
from service.notify.references import unknown
from service.notify.route import Route
from service.notify.routing import all_routes, receivers, told

router = APIRouter(prefix="/v1", tags=["notifications"])

BY_KIND = {"crisis": "revolt", "opportunity": "advocates", "blind": "blind"}


class RouteBody(Route):
    """A route; its name stands in the address."""

    name: BrandName = Field(default="-", validate_default=False)


@router.get("/routes")
async def get_routes(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List routes as they hold: without any configured, the one that is there by default."""
    await ctx.registry.refresh()
    return {"items": [r.model_dump(mode="json") for r in all_routes(ctx.registry)], "next": None}


@router.get("/routes/test")
async def try_routes(
    ctx: Ctx,
    _: Admin,
    brand: BrandName,
    kind: Kind = "crisis",
    severity: Annotated[int, Query(ge=1, le=5)] = 3,
    detector: Annotated[str | None, Query(max_length=40)] = None,
    source: Annotated[list[str] | None, Query(max_length=10)] = None,
    event: EventType = "episode.opened",
    at: AwareDatetime | None = None,
) -> dict[str, Any]:
    """Say who would be told of such an event, when and why; nothing is sent. `source` are those that carry it."""
    await ctx.registry.refresh()
    found = ctx.registry.brands.get(brand)
    if found is None:
        raise Problem(404, f"there is no brand {brand!r}")
    if at is not None and not 2000 <= at.year < 2100:
        raise Problem(422, "at: a time between the years 2000 and 2100 is expected")
    when = at.astimezone(UTC) if at else datetime.fromtimestamp(await ctx.clock.now(), UTC)
    imagining = imagined(brand, kind, severity, detector or BY_KIND[kind], when, event, source or ())
    told_to, to = told(ctx.registry, imagining), receivers(ctx.registry)
    items = [
        {
            "channel": one.channel,
            "type": to[one.channel].type,
            "at": iso(when.timestamp() + one.after_seconds),
            "page": one.page,
            "why": one.why,
            "muted": one.muted,
            "unless": one.unless,
            "only_if_paged": one.only_if_paged,
        }
        for one in sorted(told_to, key=lambda one: one.after_seconds)
    ]
    fits = [r.name for r in all_routes(ctx.registry) if r.fits(imagining.episode, when.timestamp(), found.timezone)]
    return {"at": iso(when.timestamp()), "brand": brand, "event": event, "routes": fits, "told": items}


@router.put("/routes/{name}")
async def put_route(name: BrandName, body: RouteBody, ctx: Ctx, _: Admin, response: Response) -> Route:
    """Store a route, or change it."""
    await ctx.registry.refresh()
    route = Route.model_validate({**body.model_dump(), "name": name})
    known = {*receivers(ctx.registry), *ctx.registry.duties}
    for place, what in unknown(known, [], [route]):
        raise Problem(422, f"{'.'.join(map(str, place[2:]))}: {what}")
    response.status_code = 201 if await ctx.registry.put_route(route) else 200
    return route


@router.delete("/routes/{name}", status_code=204)
async def delete_route(name: Annotated[str, Path(max_length=64)], ctx: Ctx, _: Admin) -> Response:
    """Forget a route."""
    if not await ctx.registry.drop_route(name):
        raise Problem(404, f"there is no route {name!r}")
    return Response(status_code=204)
