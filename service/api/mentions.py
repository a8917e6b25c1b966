"""`POST /v1/mentions` and `/v1/counts`: the way in, one item's fault never another's; `GET /v1/mentions`: search."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from collectors.mention import Count, Fields, Instant, Mention, SourceName, fields_of
from service.access import ApiKey
from service.api.context import Admin, Caller, Ctx
from service.api.problems import Problem, places
from service.ingest import Receipt, heartbeat
from service.search import search

router = APIRouter(prefix="/v1", tags=["way in"])

MAX_ITEMS = 50_000
"""Items of a request: what a body of short mentions can hold."""

Item = TypeVar("Item", Fields, Count)


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
    items = _read(await _body(request), _MENTIONS, receipt)
    if key.scope != "admin":
        items = [(i, item) for i, item in items if _allowed(i, item["source"], key, receipt)]
    return _answer(await ctx.ingest.fields(items, receipt))


@router.post("/counts", status_code=202, response_model=Receipt, openapi_extra={
    "requestBody": {"required": True, "content": {
        "application/json": {"schema": {"oneOf": [
            {"$ref": "#/components/schemas/Count"},
            {"type": "array", "items": {"$ref": "#/components/schemas/Count"}}]}}}}})  # fmt: skip
async def post_counts(request: Request, ctx: Ctx, key: Caller) -> Any:
    """Take counts of any source; a later one for the same bucket replaces, never adds."""
    receipt = Receipt()
    items = [
        (i, item) for i, item in _read(await _body(request), _COUNTS, receipt) if _allowed(i, item.source, key, receipt)
    ]
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


@dataclass(frozen=True)
class _Shape(Generic[Item]):
    """How one kind of item is read: straight from bytes where all is well, each for itself where it is not."""

    one: TypeAdapter[Item]
    many: TypeAdapter[list[Item]]


_FIELDS: Any = fields_of(Mention)
_MENTIONS: _Shape[Fields] = _Shape(TypeAdapter(_FIELDS), TypeAdapter(list[_FIELDS]))
_COUNTS = _Shape(TypeAdapter(Count), TypeAdapter(list[Count]))

Body = tuple[bytes, bool]
"""A request's bytes, and whether they are one item a line."""


async def _body(request: Request) -> Body:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    lined = kind in {"application/x-ndjson", "application/jsonl", "application/ndjson"}
    if not lined and kind != "application/json":
        raise Problem(415, f"content type {kind!r} is not understood; application/json or application/x-ndjson is")
    return await request.body(), lined


def _read(body: Body, shape: _Shape[Item], receipt: Receipt) -> list[tuple[int, Item]]:
    """Return the items that are sound with their index; the receipt takes those that are not."""
    text, lined = body
    if lined:
        return list(_lines(text, shape, receipt))
    try:
        many = text.lstrip().startswith(b"[")
        found = shape.many.validate_json(text) if many else [shape.one.validate_json(text)]
    except ValidationError:
        return list(_each(_parse(text), shape, receipt))
    _bound(len(found))
    return list(enumerate(found))


def _lines(text: bytes, shape: _Shape[Item], receipt: Receipt) -> Iterator[tuple[int, Item]]:
    lines = [(n, line) for n, line in enumerate(text.split(b"\n"), 1) if line and not line.isspace()]
    _bound(len(lines))
    if all(line[:1] == b"{" for _, line in lines):
        # All at once, in 2/3 of the time: no line that begins so can go on in another, since strings hold no line ends.
        with suppress(ValidationError):
            found = shape.many.validate_json(b"[" + b",\n".join([line for _, line in lines]) + b"]")
            if len(found) == len(lines):
                yield from enumerate(found)
                return
    read = shape.one.validate_json
    for index, (number, line) in enumerate(lines):
        try:
            yield index, read(line)
        except ValidationError as error:
            _reject(index, error, receipt, f"line {number}")


def _parse(text: bytes) -> list[Any]:
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"body: no JSON: {error}", [{"where": "body", "what": str(error)}]) from None
    records = found if isinstance(found, list) else [found]
    _bound(len(records))
    return records


def _bound(items: int) -> None:
    if items > MAX_ITEMS:
        raise Problem(413, f"{items} items are more than {MAX_ITEMS}; send them in parts")


def _each(records: list[Any], shape: _Shape[Item], receipt: Receipt) -> Iterator[tuple[int, Item]]:
    for index, record in enumerate(records):
        try:
            yield index, shape.one.validate_json(to_json(record))
        except ValidationError as error:
            _reject(index, error, receipt, "item")


def _reject(index: int, error: ValidationError, receipt: Receipt, place: str) -> None:
    first = places(error.errors(include_url=False, include_input=False))[0]
    receipt.reject(index, first["where"] or place, first["what"])


def _allowed(index: int, source: str, key: ApiKey, receipt: Receipt) -> bool:
    """Say whether the key may write an item; the receipt takes those that it may not."""
    if key.may_write(source):
        return True
    receipt.reject(index, "source", f"the key {key.name!r} may not write source {source!r}")
    return False


def _answer(receipt: Receipt) -> JSONResponse:
    if receipt.rejected and not receipt.accepted and not receipt.repeated:
        first = receipt.errors[0]
        raise Problem(422, f"item {first['index']}: {first['where']}: {first['what']}", receipt.errors)
    return JSONResponse(receipt.__dict__, 202)
