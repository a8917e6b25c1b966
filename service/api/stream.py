"""`GET /v1/events` (server-sent events), and the replay's clock."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from collectors.mention import Instant
from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.clock import ReplayClock, iso
from service.events import Events
from service.ingest import drained

router = APIRouter(prefix="/v1", tags=["events"])


class Move(BaseModel):
    """Where the replay's clock shall stand."""

    now: Instant


@router.get("/events", response_class=StreamingResponse)
async def get_events(
    request: Request, _: Admin, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Tell what happens to episodes as it happens; `Last-Event-ID` goes on where a listener was."""
    if last_event_id is not None and not re.fullmatch(r"\d{1,15}(-\d{1,15})?", last_event_id):
        raise Problem(422, "Last-Event-ID: take it from the `id` of an event")
    events: Events = request.app.state.events
    return StreamingResponse(
        _frames(events, last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _frames(events: Events, after: str | None) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    async for item in events.listen(after):
        if item is None:
            yield b": quiet\n\n"
            continue
        identity, event = item
        kind = re.search(rb'"type":\s*"([a-z.]+)"', event)
        yield b"event: %s\nid: %s\ndata: %s\n\n" % (kind[1] if kind else b"message", identity.encode(), event)


@router.get("/clock")
async def get_clock(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """Return the service's time."""
    return {"now": iso(await ctx.clock.now()), "replay": ctx.clock.replay}


@router.post("/clock")
async def post_clock(move: Move, ctx: Ctx, _: Admin) -> dict[str, Any]:
    """Say that all up to the replay's old time has been posted; answer when it was judged and the clock has moved."""
    if not isinstance(ctx.clock, ReplayClock):
        raise Problem(409, "the service runs on the system's clock; start it with --replay-clock for a replay")
    old, new = await ctx.clock.now(), move.now.timestamp()
    if new < old:
        raise Problem(409, f"the clock stands at {iso(old)} and never goes back")
    await ctx.registry.refresh()
    await drained(ctx.store, ctx.registry.brands)
    await ctx.clock.set(release=old)
    await ctx.clock.judged(old)
    await ctx.clock.set(now=new)
    return {"now": iso(new), "replay": True}
