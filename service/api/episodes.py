"""`/v1/episodes`: what people see of a crisis, and what they say of it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service.api.context import Admin, Ctx
from service.api.problems import Problem
from service.brand import MOST_CAMPAIGNS, Campaign
from service.episode import Episode, EventType, State
from service.episodes import Episodes
from service.feedback import Said, campaign_of
from service.lifecycle import Refused

router = APIRouter(prefix="/v1/episodes", tags=["episodes"])


class Page(BaseModel):
    """A page of episodes, newest first."""

    items: list[Episode]
    next: str | None


class Act(BaseModel):
    """What somebody does to an episode; `by` is who."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(default="api", min_length=1, max_length=200)
    note: str | None = Field(default=None, max_length=10_000)


class Snooze(Act):
    """Quiet until an instant, or for so many minutes."""

    until: AwareDatetime | None = None
    minutes: int | None = Field(default=None, ge=1, le=7 * 24 * 60)


class Assign(Act):
    """Whose it is."""

    to: str = Field(min_length=1, max_length=200)


class Note(Act):
    """What somebody says of it."""

    note: str = Field(min_length=1, max_length=10_000)


class Feedback(Act):
    """Whether it was one."""

    verdict: Said


class Planned(Act):
    """The planned event that an episode was."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    end: AwareDatetime | None = Field(default=None, description="the episode's end by default, or a day from now")


@router.get("")
async def get_episodes(
    ctx: Ctx,
    _: Admin,
    brand: str | None = None,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Page:
    """List episodes, newest first."""
    try:
        items, more = await Episodes(ctx.store).page(brand, state, limit, cursor)
    except ValueError as error:
        raise Problem(422, str(error)) from None
    return Page(items=items, next=more)


@router.get("/{identity}")
async def get_episode(identity: str, ctx: Ctx, _: Admin) -> Episode:
    """Return one episode with its proof."""
    episode = await Episodes(ctx.store).get(identity)
    if episode is None:
        raise Problem(404, f"there is no episode {identity!r}")
    return episode


@router.post("/{identity}/acknowledge")
async def acknowledge(identity: str, ctx: Ctx, _: Admin, act: Act | None = None) -> Episode:
    """Say that somebody is at it."""
    return await _act(ctx, identity, act or Act(), "episode.acknowledged")


@router.post("/{identity}/snooze")
async def snooze(identity: str, act: Snooze, ctx: Ctx, _: Admin) -> Episode:
    """Be quiet about it until an instant."""
    now = datetime.fromtimestamp(await ctx.clock.now(), UTC)
    until = act.until or now + timedelta(minutes=act.minutes or 60)
    if until <= now:
        raise Problem(422, "until: must lie in the future")
    return await _act(ctx, identity, act, "episode.snoozed", snoozed_until=until)


@router.post("/{identity}/assign")
async def assign(identity: str, act: Assign, ctx: Ctx, _: Admin) -> Episode:
    """Say whose it is."""
    return await _act(ctx, identity, act, "episode.assigned", assignee=act.to)


@router.post("/{identity}/notes")
async def note(identity: str, act: Note, ctx: Ctx, _: Admin) -> Episode:
    """Write something down."""
    return await _act(ctx, identity, act, "episode.noted")


@router.post("/{identity}/feedback")
async def feedback(identity: str, act: Feedback, ctx: Ctx, _: Admin) -> Episode:
    """Say whether it was a crisis; what is learned from it is in docs/feedback.md."""
    return await _act(ctx, identity, act, "episode.feedback", feedback=act.verdict)


@router.post("/{identity}/campaign")
async def campaign(identity: str, ctx: Ctx, _: Admin, act: Planned | None = None) -> Campaign:
    """Plan an episode that was a known campaign: one more event of its brand, from its begin to its end."""
    act = act or Planned()
    episode = await get_episode(identity, ctx, _)
    if episode.feedback != "known campaign":
        raise Problem(409, "only what was called a known campaign can be planned: POST that as feedback first")
    await ctx.registry.refresh()
    brand = ctx.registry.brands.get(episode.brand)
    if brand is None:
        raise Problem(404, f"there is no brand {episode.brand!r} any more")
    try:
        planned = campaign_of(episode, datetime.fromtimestamp(await ctx.clock.now(), UTC), act.name, act.end)
    except ValueError as error:
        raise Problem(422, str(error)) from None
    others = [c for c in brand.campaigns if (c.name, c.start) != (planned.name, planned.start)]
    if len(others) >= MOST_CAMPAIGNS:
        raise Problem(409, f"{brand.name} has {len(others)} planned events, the most there may be")
    await ctx.registry.put_brand(brand.model_copy(update={"campaigns": [*others, planned]}))
    said = f"planned as {planned.name!r}, until {planned.end.isoformat()}"
    await _act(ctx, identity, Act(by=act.by, note=said), "episode.noted")
    return planned


@router.post("/{identity}/resolve")
async def resolve(identity: str, ctx: Ctx, _: Admin, act: Act | None = None) -> Episode:
    """Say that it is over."""
    return await _act(ctx, identity, act or Act(), "episode.resolved")


async def _act(ctx: Ctx, identity: str, act: Act, kind: EventType, **change: Any) -> Episode:
    now = datetime.fromtimestamp(await ctx.clock.now(), UTC)

    try:
        changed = await Episodes(ctx.store).change(identity, lambda e: e.told(now, kind, act.by, act.note, **change))
    except Refused as refused:
        raise Problem(409, str(refused)) from None
    if changed is None:
        raise Problem(404, f"there is no episode {identity!r}")
    return changed
