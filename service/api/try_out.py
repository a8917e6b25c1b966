"""`/v1/channels/{name}/test` and `/v1/drills`: what is tried before it is needed, marked as such."""

import time
from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from collectors.outbound import Outbound
from service.api.context import Admin, Context, Ctx
from service.api.problems import Problem
from service.brand import BrandName
from service.drill import SEVERITY, drill, revolt
from service.episode import Episode, Event, event_of
from service.episodes import Episodes
from service.notify.delivery_log import public
from service.notify.message import message
from service.notify.notice import Message, Notice, Outcome, Result, Sender
from service.notify.pictured import TYPES, Pictures
from service.notify.routing import brands_of, receivers, seen_by
from service.notify.senders import Speaker, senders

router = APIRouter(prefix="/v1", tags=["notifications"])

MARK = "TEST: "
LOOKED_AT = 50
"""Episodes among which one is looked for whose data a test may have."""


class Test(BaseModel):
    """Of which brand the data are; by default of who has the newest episode."""

    model_config = ConfigDict(extra="forbid")

    brand: BrandName | None = None


class Tested(BaseModel):
    """What became of one try, and how long it took."""

    outcome: Result
    detail: str
    ms: float = Field(description="milliseconds")
    title: str
    data: Literal["episode", "sample"] = Field(description="the newest episode's, or made up where there is none")


@router.post("/channels/{name}/test")
async def post_test(name: Annotated[str, Path(max_length=64)], ctx: Ctx, _: Admin, test: Test | None = None) -> Tested:
    """Send a test to a channel or a webhook, at once and one time, and say what became of it."""
    await ctx.registry.refresh()
    channel = receivers(ctx.registry).get(name)
    if channel is None:
        raise Problem(404, f"there is no channel {name!r}")
    brand = test.brand if test else None
    if brand is not None and brand not in ctx.registry.brands:
        raise Problem(404, f"there is no brand {brand!r}")
    event, real = await _event(ctx, brand, brands_of(ctx.registry, name))
    event = seen_by(ctx.registry, name, event)
    words = message(event, ctx.registry.brands.get(event.brand), ctx.settings.public_url)
    words = replace(words, title=MARK + words.title.removeprefix("DRILL: "))
    if real is not None and channel.type in TYPES:
        words = replace(words, chart=await Pictures(ctx.store, ctx.registry).of(event_of(real)))
    async with Outbound(ctx.settings.allow_hosts, proxy=ctx.settings.proxy) as outbound:
        sender = senders(outbound, ctx.settings.channel_secrets, ctx.store)[channel.type](channel)
        began = time.monotonic()
        outcome = await _send(sender, Notice(event.id, name, event, "a test", True), words)
    ms = 1000 * (time.monotonic() - began)
    return Tested(
        outcome=outcome.result,
        detail=public(outcome.detail),
        ms=round(ms, 1),
        title=words.title,
        data="sample" if real is None else "episode",
    )


async def _send(sender: Sender, notice: Notice, words: Message) -> Outcome:
    """Send what belongs to no episode where that can be said, so that no episode's message is touched."""
    return await (sender.say(words) if isinstance(sender, Speaker) else sender.send(notice, words))


async def _event(ctx: Context, brand: str | None, known: Collection[str] | None) -> tuple[Event, Episode | None]:
    """Return an event under an id of its own, and the opening of the real episode whose data it has.

    Where no brand is asked for it is of one that the channel hears of (`known`; None: all).
    """
    now = datetime.fromtimestamp(await ctx.clock.now(), UTC)
    found, _ = await Episodes(ctx.store).page(brand, None, LOOKED_AT, None)
    mine = [name for name in ctx.registry.brands if known is None or name in known]
    real = next((e for e in found if not e.drill and e.log and (brand or known is None or e.brand in known)), None)
    episode = real or revolt(brand or next(iter(mine), "acme"), now)
    # Its id ends all that a system would tie to a real episode: incidents, alerts, threads.
    opening = {"state": "open", "closed_at": None, "calm_at": None, "log": episode.log[:1], "version": 1}
    test = {"id": f"ep_test_{int(now.timestamp())}_{episode.brand}", "drill": True}
    event = event_of(episode.model_copy(update=opening | test))
    event = event.model_copy(update={"id": f"evt_test_{int(now.timestamp() * 1000)}"})
    return event, None if real is None else real.model_copy(update=opening)


class Drill(BaseModel):
    """Of which brand, how severe, and for how many seconds it is followed."""

    model_config = ConfigDict(extra="forbid")

    brand: BrandName
    severity: int = Field(default=SEVERITY, ge=1, le=5)
    seconds: float = Field(default=30.0, ge=1, le=90)


@router.post("/drills", status_code=201)
async def post_drill(told: Drill, ctx: Ctx, _: Admin) -> dict[str, Any]:
    """Inject a marked revolt, follow it to the receivers, end it, and say which channels got it and which did not."""
    await ctx.registry.refresh()
    if told.brand not in ctx.registry.brands:
        raise Problem(404, f"there is no brand {told.brand!r}")
    if ctx.clock.replay:
        raise Problem(409, "this service runs on a replay's clock: a drill is of now")
    now = datetime.fromtimestamp(await ctx.clock.now(), UTC)
    report = await drill(ctx.store, ctx.registry, told.brand, now, told.severity, told.seconds)
    return {**asdict(report), "arrived": report.arrived}
