"""`/v1/channels` and `/v1/duties`: the ways out, and who is on call; secrets are never shown again."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.brand import BrandName
from service.notify.channel import (
    CHANNEL,
    AlertmanagerChannel,
    AppriseChannel,
    SlackChannel,
    WebhookChannel,
    masked,
)
from service.notify.on_call import Duty
from service.notify.references import unknown, uses
from service.notify.routing import receivers

router = APIRouter(prefix="/v1", tags=["notifications"])

InAddress = Field(default="-", validate_default=False)
"""A name that stands in the address."""
Name = Annotated[str, Path(max_length=64)]


class AppriseBody(AppriseChannel):
    """An Apprise channel; its name stands in the address."""

    name: BrandName = InAddress


class SlackBody(SlackChannel):
    """A Slack channel; its name stands in the address."""

    name: BrandName = InAddress


class WebhookChannelBody(WebhookChannel):
    """A system's receiver; its name stands in the address."""

    name: BrandName = InAddress


class AlertmanagerBody(AlertmanagerChannel):
    """An Alertmanager; its name stands in the address."""

    name: BrandName = InAddress


class DutyBody(Duty):
    """A duty; its name stands in the address."""

    name: BrandName = InAddress


ChannelBody = Annotated[AppriseBody | SlackBody | WebhookChannelBody | AlertmanagerBody, Field(discriminator="type")]


@router.get("/channels")
async def get_channels(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List channels; what is secret in them is shown as ***."""
    await ctx.registry.refresh()
    return {"items": [masked(channel) for _, channel in sorted(ctx.registry.channels.items())], "next": None}


@router.put("/channels/{name}")
async def put_channel(name: BrandName, body: ChannelBody, ctx: Ctx, _: Admin, response: Response) -> dict[str, Any]:
    """Store a channel, or change it: the whole of it, secrets included."""
    await ctx.registry.refresh()
    _is_free(name, {"webhook": ctx.registry.webhooks, "duty": ctx.registry.duties})
    channel = CHANNEL.validate_python({**body.model_dump(), "name": name})
    response.status_code = 201 if await ctx.registry.put_channel(channel) else 200
    return masked(channel)


@router.delete("/channels/{name}", status_code=204)
async def delete_channel(name: Name, ctx: Ctx, _: Admin) -> Response:
    """Forget a channel that no route and no duty names."""
    await ctx.registry.refresh()
    _is_unused(name, ctx)
    if not await ctx.registry.drop_channel(name):
        raise Problem(404, f"there is no channel {name!r}")
    return Response(status_code=204)


@router.get("/duties")
async def get_duties(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List duties with who has them now."""
    await ctx.registry.refresh()
    now = await ctx.clock.now()
    duties = [duty for _, duty in sorted(ctx.registry.duties.items())]
    return {"items": [{**d.model_dump(mode="json"), "now": d.who(now).model_dump()} for d in duties], "next": None}


@router.put("/duties/{name}")
async def put_duty(name: BrandName, body: DutyBody, ctx: Ctx, _: Admin, response: Response) -> Duty:
    """Store a duty, or change it."""
    await ctx.registry.refresh()
    _is_free(name, {"webhook": ctx.registry.webhooks, "channel": ctx.registry.channels})
    duty = Duty.model_validate({**body.model_dump(), "name": name})
    for place, what in unknown(receivers(ctx.registry), [duty], []):
        raise Problem(422, f"{'.'.join(map(str, place[2:]))}: {what}")
    response.status_code = 201 if await ctx.registry.put_duty(duty) else 200
    return duty


@router.delete("/duties/{name}", status_code=204)
async def delete_duty(name: Name, ctx: Ctx, _: Admin) -> Response:
    """Forget a duty that no route names."""
    await ctx.registry.refresh()
    _is_unused(name, ctx)
    if not await ctx.registry.drop_duty(name):
        raise Problem(404, f"there is no duty {name!r}")
    return Response(status_code=204)


def _is_free(name: str, others: dict[str, Any]) -> None:
    for what, named in others.items():
        if name in named:
            raise Problem(409, f"there is a {what} {name!r}: channels, webhooks and duties need different names")


def _is_unused(name: str, ctx: Ctx) -> None:
    for what in uses(name, list(ctx.registry.duties.values()), ctx.registry.routes):
        raise Problem(409, f"{what} names {name!r}: change that first")
