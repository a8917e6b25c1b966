"""What a request needs of the process, and who is asking."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access import ApiKey, find_key
from service.api.problems import Problem
from service.clock import Clock
from service.ingest import Ingest
from service.registry import Registry
from service.settings import Settings
from service.store import Store

COOKIE = "foreshock"


@dataclass(frozen=True)
class Context:
    """The process's parts, made at its start."""

    settings: Settings
    store: Store
    clock: Clock
    registry: Registry
    ingest: Ingest


def context(request: Request) -> Context:
    """Return the process's parts."""
    found: Context = request.app.state.context
    return found


Ctx = Annotated[Context, Depends(context)]


async def caller(request: Request, ctx: Ctx) -> ApiKey:
    """Return what the request's key allows.

    Raises:
        Problem: 401 where there is no valid key.
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        text = request.cookies.get(COOKIE, "")
    key = await find_key(ctx.store, text.strip()) if text else None
    if key is None:
        raise Problem(
            401,
            "a valid key is needed: Authorization: Bearer KEY",
            headers={"WWW-Authenticate": 'Bearer realm="foreshock"'},
        )
    return key


Caller = Annotated[ApiKey, Depends(caller)]


async def admin(key: Caller) -> ApiKey:
    """Return the key if it may do all.

    Raises:
        Problem: 403 where it may only write mentions.
    """
    if key.scope != "admin":
        raise Problem(403, f"the key {key.name!r} may only write mentions and counts")
    return key


Admin = Annotated[ApiKey, Depends(admin)]
