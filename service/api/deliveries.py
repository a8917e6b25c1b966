"""`/v1/deliveries`: who was told what, when, and what became of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.clock import iso
from service.notify import delivery_log
from service.notify.due import Said

router = APIRouter(prefix="/v1/deliveries", tags=["notifications"])


class Delivery(BaseModel):
    """One try of a notice, or its end without one."""

    id: str
    notice: str = Field(description="the same however often it is tried")
    event: str
    type: str = Field(description="of the event")
    episode: str
    brand: str
    channel: str
    kind: str = Field(description="type of the channel")
    why: str = Field(description="what sent it there: a route, an escalation")
    tries: int
    at: str
    outcome: Said = Field(description="failed is tried again; delivered, lost, dropped and muted are ends")
    detail: str = Field(description="what the receiver said; addresses as scheme and host alone")
    ms: float = Field(description="milliseconds that the try took")


class Page(BaseModel):
    """A page of deliveries, newest first; where filters leave little it may be short, and `next` goes on."""

    items: list[Delivery]
    next: str | None


@router.get("")
async def get_deliveries(
    ctx: Ctx,
    _: Admin,
    episode: Annotated[str | None, Query(max_length=200)] = None,
    channel: Annotated[str | None, Query(max_length=100)] = None,
    outcome: Said | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> Page:
    """List deliveries of the last 90 days, newest first."""
    try:
        found, more = await delivery_log.page(ctx.store, episode, channel, outcome, limit, cursor)
    except ValueError as error:
        raise Problem(422, str(error)) from None
    return Page(items=[Delivery(**{**one.as_dict(), "at": iso(one.at)}) for one in found], next=more)
