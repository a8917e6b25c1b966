"""`/v1/websub/{callback}`: where hubs ask whether we meant it, and push feeds. Nothing unsigned is read."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from collectors.collector import CollectorError
from collectors.feeds import read_pushed
from collectors.websub import NoIntent, proven, read_intent
from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.clock import iso
from service.ingest import Receipt
from service.websub import Said, answer, find, pushes, settings_of, subscriptions

router = APIRouter(prefix="/v1", tags=["hooks"])

MAX_BODY = 2 * 1024 * 1024
"""Bytes of a delivery: only what is new of a feed."""
PARSED_AT_ONCE = 2
"""Documents in processes of their own at the same time; the others wait, and hubs with them."""

log = logging.getLogger("foreshock.websub")

Callback = Annotated[str, Path(min_length=20, max_length=64)]
_slots = asyncio.Semaphore(PARSED_AT_ONCE)


@router.get("/websub/{callback}", response_class=Response)
async def get_intent(callback: Callback, request: Request, ctx: Ctx) -> Response:
    """Tell a hub whether it is us who asked, and hear whether it refuses."""
    try:
        intent = read_intent(request.query_params)
    except NoIntent as error:
        raise Problem(404, str(error)) from None
    asked, now = await find(ctx.store, callback), await ctx.clock.now()
    if asked is None or asked.topic != intent.topic or (intent.mode != "denied" and intent.mode != asked.mode):
        raise Problem(404, "this was not asked for")
    if intent.mode == "denied":
        log.info("the hub of a feed of source %s refuses: %s", asked.source, intent.reason or "it gives no reason")
        await answer(ctx.store, callback, Said(at=now, why=f"refused: {intent.reason or 'no reason given'}"))
        return Response()
    await answer(ctx.store, callback, Said(at=now, until=now + intent.lease if intent.mode == "subscribe" else 0.0))
    # What came in the address goes out again: a browser must not take it for a page.
    return Response(intent.challenge, media_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})


@router.post("/websub/{callback}", status_code=202, openapi_extra={
    "requestBody": {"required": True, "content": {"application/xml": {"schema": {"type": "string"}}}}})  # fmt: skip
async def post_content(callback: Callback, request: Request, ctx: Ctx) -> Response:
    """Take what a hub pushes of a feed. What is not signed is dropped without a word, as WebSub asks (section 7)."""
    asked = await find(ctx.store, callback)
    await ctx.registry.refresh()
    settings = settings_of(asked) if asked is not None and asked.mode == "subscribe" else None
    brands = [brand.name for brand in ctx.registry.brands.values() if settings in brand.sources]
    if asked is None or settings is None or not brands:
        raise Problem(410, "nothing is pushed here any more; 410 ends the subscription")
    body = await request.body()
    if len(body) > MAX_BODY:
        raise Problem(413, f"the delivery is over {MAX_BODY} bytes; what is new of the feed would be right")
    if not proven(request.headers.get("x-hub-signature", ""), body, asked.secret):
        log.warning("what was pushed for source %s is not signed with our secret, and dropped", asked.source)
        return Response(status_code=202)
    now = datetime.fromtimestamp(await ctx.clock.now(), UTC)
    try:
        async with _slots:
            found = await read_pushed(settings, body, request.headers.get("content-type", ""), asked.topic, now)
    except CollectorError as error:
        log.warning("what was pushed for source %s is not taken: %s", asked.source, error)
        return Response(status_code=202)  # the same would come again
    receipt = await ctx.ingest.mentions(enumerate(found.mentions), Receipt(), only=brands)
    if receipt.rejected or found.skipped:
        log.info("source %s: %d pushed articles not taken", asked.source, receipt.rejected + found.skipped)
    return Response(status_code=202)


@router.get("/websub")
async def get_subscriptions(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List the feeds that hubs push or were asked to, without callbacks and secrets."""
    known, now = await subscriptions(ctx.store), await ctx.clock.now()
    items = [
        {
            "source": asked.source,
            "url": asked.url,
            "hub": asked.hub,
            "topic": asked.topic,
            "asked": asked.mode,
            "asked_at": iso(asked.at),
            "pushes": pushes(asked, said, now),
            "until": iso(said.until) if said and said.until else None,
            "why": asked.why or (said.why if said else None),
        }
        for asked, said in known.values()
    ]
    return {"items": sorted(items, key=lambda item: (item["source"], item["url"])), "next": None}
