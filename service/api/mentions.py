"""`POST /v1/mentions` and `/v1/counts`: the way in, one item's fault never another's; `GET /v1/mentions`: search."""

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from collectors.mention import Count, Instant, Mention, SourceName
from service.api.context import Admin, Caller, Ctx
from service.api.problems import Problem, places
from service.ingest import Receipt, heartbeat
from service.search import search

router = APIRouter(prefix="/v1", tags=["way in"])

MAX_ITEMS = 50_000
"""Items of a request: what a body of short mentions can hold."""

Item = TypeVar("Item", bound=BaseModel)


class Heartbeat(BaseModel):
    """Up to when a source has told all it will."""

    complete_until: Instant


@router.post("/mentions", status_code=202, response_model=Receipt, openapi_extra={
    "requestBody": {"required": True, "content": {
        "application/json": {"schema": {"oneOf": [
            {"$ref": "#/components/schemas/Mention"},
            {"type": "array", "items": {"$ref": "#/components/schemas/Mention"}}]}},
        "application/x-ndjson": {"schema": {"$ref": "#/components/schemas/Mention"}}}}})  # fmt: skip
async def post_mentions(request: Request, ctx: Ctx, key: Caller) -> Any:
    """Take one mention, an array, or one a line (NDJSON); the answer says what became of each."""
    receipt = Receipt()
    items = list(_allowed(_valid(await _records(request), Mention, receipt), key, receipt))
    return _answer(await ctx.ingest.mentions(items, receipt))


@router.post("/counts", status_code=202, response_model=Receipt, openapi_extra={
    "requestBody": {"required": True, "content": {
        "application/json": {"schema": {"oneOf": [
            {"$ref": "#/components/schemas/Count"},
            {"type": "array", "items": {"$ref": "#/components/schemas/Count"}}]}}}}})  # fmt: skip
async def post_counts(request: Request, ctx: Ctx, key: Caller) -> Any:
    """Take counts of any source; a later one for the same bucket replaces, never adds."""
    receipt = Receipt()
    items = list(_allowed(_valid(await _records(request), Count, receipt), key, receipt))
    return _answer(await ctx.ingest.counts(items, receipt))


@router.post("/sources/{source}/heartbeat", status_code=204)
async def post_heartbeat(source: SourceName, beat: Heartbeat, ctx: Ctx, key: Caller) -> Response:
    """Say up to when a source has told all it will; silence is then known to be calm."""
    if not key.may_write(source):
        raise Problem(403, f"the key {key.name!r} may not write source {source!r}")
    await heartbeat(ctx.store, source, min(beat.complete_until.timestamp(), await ctx.clock.now()))
    return Response(status_code=204)


@router.get("/mentions")
async def get_mentions(
    ctx: Ctx,
    _: Admin,
    query: Annotated[str, Query(max_length=2000)] = "",
    brand: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Search the mentions that are kept, newest first."""
    await ctx.registry.refresh()
    if brand is not None and brand not in ctx.registry.brands:
        raise Problem(404, f"there is no brand {brand!r}")
    try:
        return await search(ctx.store, [brand] if brand else list(ctx.registry.brands), query, limit, cursor)
    except ValueError as error:
        raise Problem(422, str(error)) from None


async def _records(request: Request) -> list[Any]:
    """Return the body's records, not yet validated."""
    body = await request.body()
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind in {"application/x-ndjson", "application/jsonl", "application/ndjson"}:
        lines = [(n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip()]
        if len(lines) > MAX_ITEMS:
            raise Problem(413, f"{len(lines)} lines are more than {MAX_ITEMS}; send them in parts")
        return [_parse(line, f"line {n}") for n, line in lines]
    if kind != "application/json":
        raise Problem(415, f"content type {kind!r} is not understood; application/json or application/x-ndjson is")
    found = _parse(body, "body")
    records = found if isinstance(found, list) else [found]
    if len(records) > MAX_ITEMS:
        raise Problem(413, f"{len(records)} items are more than {MAX_ITEMS}; send them in parts")
    return records


def _parse(text: bytes, where: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"{where}: no JSON: {error}", [{"where": where, "what": str(error)}]) from None


def _valid(records: list[Any], model: type[Item], receipt: Receipt) -> Iterator[tuple[int, Item]]:
    for index, record in enumerate(records):
        try:
            yield index, model.model_validate(record)
        except ValidationError as error:
            first = places(error.errors(include_url=False, include_input=False))[0]
            receipt.reject(index, first["where"] or "item", first["what"])


def _allowed(items: Iterator[tuple[int, Item]], key: Any, receipt: Receipt) -> Iterator[tuple[int, Item]]:
    for index, item in items:
        source = getattr(item, "source", "")
        if key.may_write(source):
            yield index, item
        else:
            receipt.reject(index, "source", f"the key {key.name!r} may not write source {source!r}")


def _answer(receipt: Receipt) -> JSONResponse:
    if receipt.rejected and not receipt.accepted and not receipt.repeated:
        first = receipt.errors[0]
        raise Problem(422, f"item {first['index']}: {first['where']}: {first['what']}", receipt.errors)
    return JSONResponse(receipt.__dict__, 202)
