"""`PUT /v1/brands/{brand}/campaigns`: a brand's planned events from a calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, Field

from service.apart import Crowded, TooLong, apart
from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.brand import MOST_CAMPAIGNS, Campaign
from service.calendar import CalendarError, planned
from service.ingest import Busy

router = APIRouter(prefix="/v1", tags=["brands"])

BACK, AHEAD = timedelta(days=35), timedelta(days=366)
"""What is planned is taken from where the baseline's history begins, to a year from now."""
PATIENCE = 20.0
"""Seconds that a calendar may take to be read; one of MOST_EVENTS takes two."""


class Taken(BaseModel):
    """What was taken of a calendar."""

    start: AwareDatetime = Field(description="what ends before is left out")
    end: AwareDatetime = Field(description="what begins later is left out")
    campaigns: list[Campaign]


@router.put("/brands/{brand}/campaigns", openapi_extra={
    "requestBody": {"required": True, "content": {"text/calendar": {"schema": {"type": "string"}}}}})  # fmt: skip
async def put_campaigns(brand: str, request: Request, ctx: Ctx, _: Admin) -> Taken:
    """Replace a brand's campaigns by the events of a calendar (iCalendar, RFC 5545).

    Recurring events are expanded from 35 days ago to 366 days ahead; whole days are the brand's own.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/calendar":
        raise Problem(415, f"content type {kind!r} is not understood; text/calendar is")
    text = await request.body()
    await ctx.registry.refresh()
    found = ctx.registry.brands.get(brand)
    if found is None:
        raise Problem(404, f"there is no brand {brand!r}")
    now = datetime.fromtimestamp(await ctx.clock.now(), UTC)
    start, end = now - BACK, now + AHEAD
    try:
        events = await apart(PATIENCE, planned, text, ZoneInfo(found.timezone), start, end, MOST_CAMPAIGNS)
    except CalendarError as error:
        raise Problem(422, str(error), [{"where": "body", "what": str(error)}]) from None
    except Crowded:
        raise Busy("other calendars or previews are being computed: send it again in some seconds") from None
    except TooLong:
        raise Problem(422, f"it takes over {PATIENCE:.0f} s to read; does a RRULE name a day that never is?") from None
    campaigns = [Campaign(name=event.name, start=event.start, end=event.end) for event in events]
    await ctx.registry.put_brand(found.model_copy(update={"campaigns": campaigns}))
    return Taken(start=start, end=end, campaigns=campaigns)
