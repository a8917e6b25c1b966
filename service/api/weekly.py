"""`GET /v1/weekly`: the weekly notes that were sent, and whom they reached."""

import json
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service import keys
from service.api.context import Admin, Ctx
from service.clock import iso

router = APIRouter(prefix="/v1", tags=["notifications"])


class Reached(BaseModel):
    """What became of a note at one channel."""

    channel: str
    outcome: str = Field(description="delivered, waiting (tried again), or lost")
    tries: int
    detail: str


class Note(BaseModel):
    """One week's note."""

    id: str
    at: str = Field(description="when it was stored, to be sent")
    title: str | None = Field(description="null in the week in which it all began, and where no channel takes it")
    lines: list[str]
    channels: list[Reached]


class Notes(BaseModel):
    """The notes of the last weeks, newest first."""

    items: list[Note]
    next: None = None


@router.get("/weekly")
async def get_weekly(ctx: Ctx, _: Admin) -> Notes:
    """List the weekly notes."""
    stored = {k.decode(): json.loads(v) for k, v in (await ctx.store.do("HGETALL", keys.WEEKLY)).items()}
    weeks = sorted((name for name in stored if keys.SEPARATOR not in name), reverse=True)
    return Notes(items=[_note(week, stored) for week in weeks])


def _note(week: str, stored: dict[str, Any]) -> Note:
    note = stored[week]
    new = {"outcome": "waiting", "tries": 0}
    states = {name: stored.get(f"{week}{keys.SEPARATOR}{name}", new) for name in note["channels"]}
    return Note(
        id=week,
        at=iso(note["at"]),
        title=note.get("title"),
        lines=note.get("lines", []),
        channels=[
            Reached(channel=name, outcome=s["outcome"], tries=s["tries"], detail=s.get("detail", ""))
            for name, s in states.items()
        ],
    )
