"""The REST API over real HTTP in the test's own process: `async with serving(store) as client`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn

from service.access import ensure_admin
from service.api.app import make_app
from service.api.context import Context
from service.api.listening import listening
from service.clock import Clock, SystemClock
from service.events import Events
from service.ingest import Ingest, Room
from service.registry import Registry
from service.settings import Settings
from service.store import Store

KEY = "fsk_tests-only"


@asynccontextmanager
async def serving(
    store: Store, room: Room | None = None, clock: Clock | None = None, settings: Settings | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the API on a free port; gives a client with the admin's key."""
    await ensure_admin(store, KEY)
    registry, clock = Registry(store), clock or SystemClock()
    context = Context(settings or Settings(), store, clock, registry, Ingest(store, clock, registry, room))
    config = uvicorn.Config(make_app(context, Events(store)), log_level="warning", lifespan="off")
    with listening("127.0.0.1", 0) as front:
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[front]))
        url = f"http://127.0.0.1:{front.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30, trust_env=False
            ) as client:
                yield client
        finally:
            server.should_exit = True
            await running
