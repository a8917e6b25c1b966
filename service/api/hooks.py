"""`/v1/hooks/{source}`: what networks push. Nothing of a delivery is read before its signature was checked."""

import logging
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from collectors.hook import Delivery, Hook, Refused, Secrets, Unreadable
from collectors.registry import HookConfig
from service.api.context import Admin, Context, Ctx
from service.api.problems import Problem
from service.hooks import find_hook, variable
from service.ingest import Receipt

router = APIRouter(prefix="/v1", tags=["hooks"])

MAX_BODY = 2 * 1024 * 1024
"""Bytes of a delivery: a thousand changes of a page, the most that a network puts into one."""

log = logging.getLogger("foreshock.hooks")

HookName = Annotated[str, Path(max_length=64)]


@router.post("/hooks/{source}", status_code=200, openapi_extra={
    "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}})  # fmt: skip
async def post_delivery(source: HookName, request: Request, ctx: Ctx) -> JSONResponse:
    """Take what a network pushes: its signature is its key. The answer says what became of the mentions in it."""
    hook, secrets = await _known(ctx, source)
    body = await request.body()
    if len(body) > MAX_BODY:
        raise Problem(413, f"the delivery is over {MAX_BODY} bytes; send it in parts")
    delivery = Delivery(dict(request.headers), body, datetime.fromtimestamp(await ctx.clock.now(), UTC))
    try:
        hook.verify(delivery, secrets)
        found = hook.read(delivery)
    except Refused as error:
        log.info("hook %s: refused: %s", source, error)
        raise Problem(401, str(error)) from None
    except Unreadable as error:
        log.warning("hook %s: %s", source, error)
        raise Problem(400, str(error)) from None
    receipt = await ctx.ingest.mentions(enumerate(found.mentions), Receipt())
    if receipt.rejected or found.skipped:
        first = receipt.errors[0] if receipt.errors else "no sound id, text or time"
        log.warning("hook %s: %d not taken, first: %s", source, receipt.rejected + found.skipped, first)
    return JSONResponse({**receipt.__dict__, "skipped": found.skipped})


@router.get("/hooks/{source}", response_class=Response)
async def get_challenge(source: HookName, request: Request, ctx: Ctx) -> Response:
    """Answer a network that asks whether the address is ours."""
    hook, secrets = await _known(ctx, source)
    try:
        reply = hook.challenge(request.query_params, secrets)
    except Refused as error:
        log.info("hook %s: challenge refused: %s", source, error)
        raise Problem(403, str(error)) from None
    # What came in the address goes out again: a browser must not take it for a page.
    return Response(reply.body, media_type=reply.media_type, headers={"X-Content-Type-Options": "nosniff"})


@router.get("/hooks")
async def get_hooks(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """List the hooks that were configured, without their secrets."""
    await ctx.registry.refresh()
    return {"items": [_shown(hook) for hook in ctx.registry.hooks.values()], "next": None}


@router.put("/hooks/{source}")
async def put_hook(source: HookName, body: HookConfig, ctx: Ctx, _: Admin, response: Response) -> dict[str, Any]:
    """Take what a network pushes, or change how it is read."""
    if body.source != source:
        raise Problem(422, f"source: {body.source!r} is not the {source!r} of the address")
    await ctx.registry.refresh()
    response.status_code = 201 if await ctx.registry.put_hook(body) else 200
    return _shown(body)


@router.delete("/hooks/{source}", status_code=204)
async def delete_hook(source: HookName, ctx: Ctx, _: Admin) -> Response:
    """Take no more of what a network pushes."""
    if not await ctx.registry.drop_hook(source):
        raise Problem(404, f"there is no hook {source!r}")
    return Response(status_code=204)


async def _known(ctx: Context, source: str) -> tuple[Hook, Secrets]:
    await ctx.registry.refresh()
    found = find_hook(ctx.registry, ctx.settings, source)
    if found is None:
        if source in ctx.registry.hooks:
            log.warning("hook %s has no secret; set %s", source, variable(source, "secret"))
        raise Problem(404, f"there is no hook {source!r} with a secret; docs/hooks.md says how to set one up")
    return found


def _shown(hook: Hook) -> dict[str, Any]:
    return hook.model_dump(mode="json", exclude={"secret", "verify_token"})
