"""`/v1/mutes`: what nobody is told of for a while."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.brand import BrandName
from service.notify.mute import Mute

router = APIRouter(prefix="/v1", tags=["notifications"])


class MuteBody(Mute):
    """A mute; its name stands in the address."""

    name: BrandName = Field(default="-", validate_default=False)


@router.get("/mutes")
async def get_mutes(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List mutes, those included whose time is over."""
    await ctx.registry.refresh()
    return {"items": [m.model_dump(mode="json") for m in ctx.registry.mutes], "next": None}


@router.put("/mutes/{name}")
async def put_mute(name: BrandName, body: MuteBody, ctx: Ctx, _: Admin, response: Response) -> Mute:
    """Tell nobody of what fits, until its end; pages that it holds back are told then, if it still goes on."""
    await ctx.registry.refresh()
    mute = Mute.model_validate({**body.model_dump(), "name": name})
    if mute.end is not None and mute.end.timestamp() <= await ctx.clock.now():
        raise Problem(422, "end: must be later than now")
    response.status_code = 201 if await ctx.registry.put_mute(mute) else 200
    return mute


@router.delete("/mutes/{name}", status_code=204)
async def delete_mute(name: Annotated[str, Path(max_length=64)], ctx: Ctx, _: Admin) -> Response:
    """Take a mute back; what it held back is told at its end all the same, if it still goes on."""
    if not await ctx.registry.drop_mute(name):
        raise Problem(404, f"there is no mute {name!r}")
    return Response(status_code=204)
