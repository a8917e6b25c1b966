"""`foreshock doctor`: says what is configured, reachable, behind, or missing, a line each."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import httpx

from collectors.sentiment import EngineError, engine
from service import keys
from service.brand import Brand
from service.brandfile import BrandFileError, load
from service.clock import iso, open_clock
from service.embedded import EmbeddedStoreError, find_server
from service.given import ready
from service.ledger import Ledger, Month, exceeded
from service.notify.auditor import wrong
from service.notify.channel import Channel, ChannelError, with_secrets
from service.notify.holes import untold
from service.registry import Registry, states
from service.roles import settings_of
from service.settings import Settings
from service.store import Store, StoreError

Mark = Literal["ok", "note", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's."""

    mark: Mark
    what: str


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 where something is broken."""
    settings = settings_of(arguments)
    findings = [
        Finding("ok", f"foreshock {version('foreshock')}, Python {sys.version.split()[0]}"),
        *_file(settings.config, settings),
        _sentiment(settings.sentiment),
        *asyncio.run(_store(settings)),
        *_web(arguments.url),
        *_allowed(settings),
    ]
    for finding in findings:
        print(f"{finding.mark:<4}  {finding.what}")
    return int(any(f.mark == "fail" for f in findings))


def _sentiment(name: str) -> Finding:
    try:
        languages = ", ".join(sorted(engine(name).languages))
    except EngineError as error:
        return Finding("fail", str(error))
    return Finding("ok", f"sentiment by {name}, in {languages}")


def _file(path: Path | None, settings: Settings) -> Iterator[Finding]:
    if path is None:
        return
    try:
        file = load(path)
    except BrandFileError as error:
        for line in str(error).splitlines():
            yield Finding("fail", line)
    else:
        told = f"{len(file.channels)} channels, {len(file.routes)} routes, {len(file.webhooks)} webhooks"
        yield Finding("ok", f"{path}: {len(file.brands)} brands, {told}")
        yield from asyncio.run(_keys(file.brands, settings))
        yield from _channels(file.channels, settings)


async def _store(settings: Settings) -> list[Finding]:
    if settings.redis_url is None:
        return _embedded(settings)
    try:
        async with Store(settings.redis_url) as store:
            await store.inspect()
            return [Finding("ok", "the store answers"), *await _inside(store, settings)]
    except StoreError as error:
        return [Finding("fail", str(error))]


def _embedded(settings: Settings) -> list[Finding]:
    try:
        server = find_server()
    except EmbeddedStoreError as error:
        return [Finding("fail", str(error))]
    where = settings.data_dir
    return [
        Finding("ok", f"embedded store: {server.name}"),
        Finding(
            "ok" if where.exists() else "note",
            f"data directory {where}" + ("" if where.exists() else " is not there yet"),
        ),
    ]


async def _inside(store: Store, settings: Settings) -> list[Finding]:
    """Say what is behind: batches that wait, brands never judged, collectors that fail."""
    registry, clock = Registry(store), await open_clock(store)
    await registry.refresh()
    now = await clock.now()
    waiting = sum(await store.pipe([("XLEN", keys.ingest(tag)) for tag in keys.all_shards()]))
    found = [
        Finding("ok", f"{len(registry.brands)} brands, {len(registry.webhooks)} webhooks; the clock says {iso(now)}"),
        *(Finding("note", line) for line in untold(registry, now)),
        *(Finding("note", line) for line in await wrong(store, time.time())),
        Finding("ok" if waiting < 1000 else "note", f"{waiting} batches wait to be counted"),
    ]
    for name, state in (await states(store, list(registry.brands))).items():
        if not state:
            found.append(Finding("note", f"brand {name} has not been judged yet; is a worker running?"))
        elif state.get("blind"):
            found.append(Finding("note", f"brand {name} is blind: its sources tell too little"))
    for text in (await store.do("HVALS", keys.COLLECTORS)) or []:
        told = json.loads(text)
        if told["error"]:
            found.append(Finding("note", f"{told['source']} of {told['brand']}: {told['error']}"))
    told = _channels(registry.channels.values(), settings)
    return [*found, *told, *await _keys(registry.brands.values(), settings), *await _costs(store, now)]


async def _costs(store: Store, now: float) -> list[Finding]:
    """Say what reading cost this month, what the month's bill will be, and which caps stop it before."""
    ledger = Ledger(store)
    caps, spent = await ledger.caps(), await ledger.spent(now)
    if not spent:
        return []
    so_far, forecast = (sum(getattr(s, name) for s in spent) for name in ("dollars", "forecast"))
    month = Month.of(now).name
    bill = f"reading cost ${so_far:.2f} in {month} so far, ${forecast:.2f} by its end at this rate"
    return [Finding("ok", bill), *(Finding("note", line) for line in exceeded(caps, spent))]


def _web(url: str) -> Iterator[Finding]:
    try:
        answer = httpx.get(f"{url.rstrip('/')}/readyz", timeout=3, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        yield Finding("note", f"no service answers at {url}")
    else:
        ready = answer.status_code == 200
        yield Finding("ok" if ready else "fail", f"the service at {url} is {'ready' if ready else 'not ready'}")


async def _keys(brands: Iterable[Brand], settings: Settings) -> list[Finding]:
    return [Finding("ok" if sound else "note", said) for sound, said in await ready(brands, settings)]


def _channels(channels: Iterable[Channel], settings: Settings) -> Iterator[Finding]:
    """Say which channels name a variable that is not set here, or holds what can't be used."""
    for channel in channels:
        try:
            with_secrets(channel, settings.channel_secrets)
        except ChannelError as error:
            yield Finding("note", str(error))


def _allowed(settings: Settings) -> Iterator[Finding]:
    if settings.allow_hosts:
        yield Finding("note", f"internal hosts allowed: {', '.join(sorted(settings.allow_hosts))}")
