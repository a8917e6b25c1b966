"""Errors as `application/problem+json` (RFC 9457): what went wrong, where, and what would be right."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import ErrorDetails
from redis.exceptions import OutOfMemoryError, RedisError
from starlette.exceptions import HTTPException

from service.ingest import Busy
from service.promise import NotKept


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[dict[str, Any]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def places(errors: Sequence[ErrorDetails | dict[str, Any]]) -> list[dict[str, str]]:
    """Return pydantic's errors as `where` and `what`."""
    return [
        {"where": ".".join(str(part) for part in e["loc"]), "what": str(e["msg"]).removeprefix("Value error, ")}
        for e in errors
    ]


def answer(status: int, detail: str, errors: Sequence[Any] = (), headers: dict[str, str] | None = None) -> JSONResponse:
    """Return one problem document."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = jsonable_encoder(list(errors))
    return JSONResponse(body, status, headers, "application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.detail, error.errors, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = places(error.errors())
        return answer(422, f"{found[0]['where']}: {found[0]['what']}", found)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(Busy)
    async def _busy(_: Request, error: Busy) -> JSONResponse:
        return answer(
            429,
            str(error) or "more waits to be counted than is sound: no more is taken at the moment",
            headers={"Retry-After": str(error.retry_after)},
        )

    @app.exception_handler(OutOfMemoryError)
    async def _full(_: Request, __: OutOfMemoryError) -> JSONResponse:
        detail = "the store is full: send it again once there is room; what was taken of it counts once"
        return answer(429, detail, headers={"Retry-After": str(Busy.retry_after)})

    @app.exception_handler(NotKept)
    async def _not_kept(_: Request, error: NotKept) -> JSONResponse:
        detail = f"what was sent could not be secured as promised ({error}): send it again; what is stored counts once"
        return answer(503, detail, headers={"Retry-After": str(error.retry_after)})

    @app.exception_handler(RedisError)
    async def _store(_: Request, __: RedisError) -> JSONResponse:
        return answer(503, "the store is away; nothing was taken", headers={"Retry-After": "2"})
