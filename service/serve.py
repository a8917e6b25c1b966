"""`foreshock serve`: everything in one process tree."""

import argparse
import asyncio
import os
import socket
import sys

from service.api.listening import listening
from service.brand import Brand
from service.brandfile import BrandFile, BrandFileError, load
from service.clock import posix, start_replay_clock
from service.embedded import EmbeddedStore, EmbeddedStoreError
from service.memory import size_of
from service.registry import Registry
from service.roles import configure, settings_of
from service.settings import Settings
from service.store import Store, StoreError
from service.supervise import Role, run_tree
from service.watching import brand_of, watch


def run(arguments: argparse.Namespace) -> int:
    """Start the store, prepare it, and run the roles until told to stop."""
    settings = settings_of(arguments)
    try:
        file = load(settings.config) if settings.config else None
        brands = _named(arguments.watch or [])
        start = posix(settings.replay_clock) if settings.replay_clock else None
    except BrandFileError as error:
        print(error, file=sys.stderr)
        return 2
    except ValueError:
        print(f"foreshock serve: --replay-clock {settings.replay_clock!r} is no ISO 8601 time", file=sys.stderr)
        return 2
    embedded = None
    try:
        if settings.apis > 1:
            _ports_free(settings)
        embedded = _embedded(settings)
        if embedded:
            embedded.start()
        url = embedded.url if embedded else str(settings.redis_url)
        asyncio.run(_prepare(url, settings, file, start, brands))
        return run_tree(roles(settings, url), store=embedded)
    except BrandFileError as error:
        print(error, file=sys.stderr)
        return 2
    except (EmbeddedStoreError, StoreError, OSError) as error:
        print(f"foreshock serve: {error}", file=sys.stderr)
        return 2
    finally:
        if embedded:
            embedded.stop()


def _ports_free(settings: Settings) -> None:
    """See that nobody listens where several processes of ours are to: the system would let them share with anybody.

    Raises:
        OSError: somebody does.
    """
    for host, port in ((settings.host, settings.port), (settings.metrics_host, settings.metrics_port)):
        listening(host, port).close()


def _embedded(settings: Settings) -> EmbeddedStore | None:
    if settings.redis_url:
        return None
    try:
        memory = size_of(settings.store_memory) if settings.store_memory else None
    except ValueError as error:
        raise EmbeddedStoreError(f"--store-memory {error}") from None
    return EmbeddedStore(settings.data_dir, fsync=settings.fsync, memory=memory)


def _named(names: list[str]) -> list[Brand]:
    """Return the brands of `--watch`.

    Raises:
        BrandFileError: a name is none.
    """
    try:
        return [brand_of(name) for name in names]
    except ValueError as error:
        raise BrandFileError(f"foreshock serve: {error}") from None


async def _prepare(
    url: str, settings: Settings, file: BrandFile | None, start: float | None, brands: list[Brand]
) -> None:
    async with Store(url, settings.accept) as store:
        await store.prepare()
        if start is not None:
            await start_replay_clock(store, start)
        await configure(store, settings.admin_key, file)
        await watch(Registry(store), brands)
    for brand in brands:
        heard = ", ".join(source.type for source in brand.sources)
        print(f"foreshock: watching {brand.name} ({brand.query}) on {heard}", flush=True)
    print(f"foreshock: board and REST on http://{settings.host}:{settings.port}", flush=True)


def roles(settings: Settings, url: str) -> list[Role]:
    """Return the processes of the tree, in the order in which they start; `url` is where the store is."""
    env = {**os.environ, "FORESHOCK_REDIS_URL": url, "FORESHOCK_ACCEPT": settings.accept}
    env.setdefault("FORESHOCK_PUBLIC_URL", f"http://{settings.host}:{settings.port}")
    env.pop("FORESHOCK_ADMIN_KEY", None)
    web = ["--host", settings.host, "--port", str(settings.port)]
    web += ["--metrics-host", settings.metrics_host, "--metrics-port", str(settings.metrics_port)]
    python, mine = [sys.executable, "-m", "service"], f"{socket.gethostname()}-{settings.port}"
    count, judge = ([*python, "worker", "--only", work] for work in ("count", "judge,tell"))
    web += ["--shared-port"] if settings.apis > 1 else []
    return [
        *(Role(name, [*count, "--name", f"{mine}-{name}"], env) for name in _numbered("worker", settings.workers)),
        Role("judge", [*judge, "--name", f"{mine}-judge"], env),
        *(Role(name, [*python, "api", *web], env) for name in _numbered("api", settings.apis)),
        Role("collect", [*python, "collect", "--name", f"{mine}-collect"], env),
    ]


def _numbered(name: str, number: int) -> list[str]:
    return [name, *(f"{name}-{n}" for n in range(2, number + 1))]
