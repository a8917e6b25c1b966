"""The `api` process: REST and the board on one port, `/metrics` on another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from collectors.mention import Count, Mention
from service import metrics
from service.api import (
    accuracy,
    board,
    brands,
    campaigns,
    channels,
    costs,
    dead,
    deliveries,
    episodes,
    hooks,
    labels,
    mentions,
    mutes,
    preview,
    problems,
    queries,
    report,
    routes,
    slack,
    stream,
    try_out,
    websub,
    weekly,
)
from service.api.context import Caller, Context
from service.api.limit import LimitBody
from service.api.listening import listening
from service.clock import open_clock
from service.events import Events
from service.ingest import Ingest
from service.registry import Registry
from service.room import Room
from service.settings import Settings
from service.store import Store


class _Static(StaticFiles):
    """Files that a browser asks for again after an upgrade."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


LOCAL_NAMES = ["127.0.0.1", "localhost", "[::1]"]


def make_app(context: Context, events: Events) -> FastAPI:
    """Return the web application."""
    app = FastAPI(title="Foreshock", version="1", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.context, app.state.events = context, events
    problems.install(app)
    taking, asking = (
        (mentions, slack, hooks, websub, labels),
        (accuracy, brands, campaigns, costs, preview, queries, episodes, report, stream),
    )
    for part in (channels, try_out, weekly, routes, mutes, deliveries, *taking, dead, *asking, board):
        app.include_router(part.router)
    app.mount("/static", _Static(directory=Path(__file__).parent.parent / "board" / "static"), name="static")
    app.add_middleware(LimitBody)
    if context.settings.loopback:
        # A page elsewhere whose name was made to resolve to this machine must not reach the service.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_NAMES)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        await context.store.do("PING")
        return JSONResponse({"status": "ready"})

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(_: Caller) -> Response:
        return JSONResponse(_schema(app))

    return app


async def serve(settings: Settings) -> None:
    """Run the process until it is told to stop.

    Raises:
        OSError: a port is in use.
    """
    assert settings.redis_url is not None
    with (
        listening(settings.host, settings.port, shared=settings.shared_port) as front,
        listening(settings.metrics_host, settings.metrics_port, shared=settings.shared_port) as side,
    ):
        async with Store(settings.redis_url, settings.accept) as store:
            await store.prepare()
            clock, registry = await open_clock(store), Registry(store)
            events, room = Events(store), Room(store)
            context = Context(settings, store, clock, registry, Ingest(store, clock, registry, room))
            async with running(events.run(), room.run()):
                await asyncio.gather(
                    _server(make_app(context, events)).serve(sockets=[front]),
                    _server(metrics.app(store, clock, registry, room)).serve(sockets=[side]),
                )


def _schema(app: FastAPI) -> dict[str, Any]:
    """Return OpenAPI with the models that are read from the body by hand."""
    schema = app.openapi()
    for model in (Mention, Count):
        found = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"] |= found.pop("$defs", {}) | {model.__name__: found}
    return schema


def _server(app: object) -> uvicorn.Server:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http="httptools",
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextlib.asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines beside the body and end them with it."""
    tasks = [asyncio.create_task(w) for w in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
