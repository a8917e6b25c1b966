"""One role each: `foreshock api`, `worker`, `collect`."""

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from collectors.sentiment import EngineError
from service.access import ensure_admin
from service.brandfile import BrandFile, BrandFileError, apply, load
from service.registry import Registry
from service.settings import Settings, from_environment
from service.store import Store, StoreAway, StoreError


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings: the command line's, else the environment's, else the defaults."""
    names = {f.name for f in dataclasses.fields(Settings)}
    given = {k: v for k, v in vars(arguments).items() if k in names and v is not None}
    values: dict[str, Any] = {**from_environment(), **given}
    return Settings(**values)


async def configure(store: Store, admin_key: str | None, file: BrandFile | None) -> None:
    """See that there is an admin key (a new one is printed, this once) and that what the file says is watched."""
    if key := await ensure_admin(store, admin_key):
        print(f"foreshock: the admin key, shown this once: {key}", flush=True)
    if file is not None:
        await apply(file, Registry(store))


def run(arguments: argparse.Namespace) -> int:
    """Run the role until it is told to stop."""
    settings = settings_of(arguments)
    role: str = arguments.command
    if settings.redis_url is None:
        print(
            f"foreshock {role}: --redis-url URL is needed, or `foreshock serve` for the embedded store", file=sys.stderr
        )
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    if not settings.name:
        settings = dataclasses.replace(settings, name=f"{socket.gethostname()}-{role}-{os.getpid()}")
    try:
        work = _ROLES[role](settings)
        # The web server stops by itself, and lets running requests end before.
        _settle_garbage()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work if role == "api" else _until_stopped(work))
    except BrandFileError as error:
        print(error, file=sys.stderr)
        return 2
    except EngineError as error:
        print(f"foreshock {role}: {error}", file=sys.stderr)
        return 2
    except (StoreError, OSError) as error:
        print(f"foreshock {role}: {error}", file=sys.stderr)
        if isinstance(error, StoreAway):
            return 1  # another start may find it
        return 2 if role == "api" or isinstance(error, StoreError) else 1
    return 0


def _settle_garbage() -> None:
    """Look for cyclic garbage rarely: a request's thousands of mentions are not cyclic, and all would be looked at."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _api(settings: Settings) -> None:
    from service.api.app import serve

    file = load(settings.config) if settings.config else None
    assert settings.redis_url is not None
    async with Store(settings.redis_url, settings.accept) as store:
        await store.prepare()
        await configure(store, settings.admin_key, file)
    await serve(settings)


async def _worker(settings: Settings) -> None:
    from collectors.outbound import Outbound
    from service.clock import open_clock
    from service.lease import Lease
    from service.notify.senders import senders
    from service.notify.telling import Telling
    from service.notify.weekly_note import WeeklyNote
    from service.own_models import Learning
    from service.ticker import Ticker
    from service.worker import Worker

    assert settings.redis_url is not None
    async with Store(settings.redis_url) as store, Outbound(settings.allow_hosts, proxy=settings.proxy) as out:
        await store.prepare()
        clock = await open_clock(store)
        lease = Lease(store, settings.name, "tick")
        ways = senders(out, settings.channel_secrets, store)
        works: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "count": Worker(store, clock, settings.name, settings.sentiment).run,
            "judge": Ticker(store, clock, Registry(store), lease, settings).run,
            "tell": Telling(store, Registry(store), ways, settings.public_url, settings.name).run,
        }
        async with asyncio.TaskGroup() as group:
            for work in sorted(settings.only):
                group.create_task(works[work]())
            if "tell" in settings.only and not clock.replay:
                group.create_task(WeeklyNote(store, Registry(store), ways, settings.public_url).run())
            if "judge" in settings.only:
                group.create_task(
                    Learning(store, clock, Lease(store, settings.name, "labels"), settings.sentiment).run()
                )


async def _collect(settings: Settings) -> None:
    from collectors.outbound import Outbound
    from service.clock import open_clock
    from service.collect import Collection
    from service.room import Room

    assert settings.redis_url is not None
    async with (
        Store(settings.redis_url, settings.accept) as store,
        Outbound(settings.allow_hosts, proxy=settings.proxy) as out,
    ):
        await store.prepare()
        clock, room = await open_clock(store), Room(store)
        async with asyncio.TaskGroup() as group:
            group.create_task(room.run())
            group.create_task(Collection(store, clock, Registry(store), out, settings, room).run())


_ROLES = {"api": _api, "worker": _worker, "collect": _collect}
