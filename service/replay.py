"""`foreshock replay`: posts a recording into a running service, shifted to end now, or on the replay's clock."""

import argparse
import asyncio
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from collectors.mention import Mention
from service.mention_file import Extent, MentionFileError, extent, mentions

STEP = timedelta(minutes=10)
"""Simulated time between two moves of the clock; a service takes mentions at most this far ahead of its own."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of one request; the service takes twice as many."""

TIMEOUT = 120.0
"""Seconds for one answer; a move of the clock is answered when all before it was judged."""

MOST_WAITS = 600
"""Times in a row that a service may ask to come again later; at two seconds each, twenty minutes."""

REJECTIONS_TOLD = 3

Sleep = Callable[[float], Awaitable[None]]
Progress = Callable[[int], None]


class ReplayError(Exception):
    """The service can't be played into; the text is one sentence that says what would be right."""


class NotAllowed(ReplayError):
    """The key may not do this."""


@dataclass
class Tally:
    """What became of the mentions sent; `reasons` are the first rejections."""

    sent: int = 0
    accepted: int = 0
    repeated: int = 0
    rejected: int = 0
    reasons: tuple[str, ...] = ()

    def add(self, sent: int, answer: dict[str, Any]) -> None:
        """Add one request's answer."""
        self.sent += sent
        self.accepted += answer.get("accepted", 0)
        self.repeated += answer.get("repeated", 0)
        self.rejected += answer.get("rejected", 0)
        told = tuple(f"{error['where']}: {error['what']}" for error in answer.get("errors", ()))
        self.reasons = (self.reasons + told)[:REJECTIONS_TOLD]


class WayIn:
    """The service's REST, as far as a replay needs it; waits where the service asks for it."""

    def __init__(self, client: httpx.AsyncClient, sleep: Sleep = asyncio.sleep) -> None:
        self._client = client
        self._sleep = sleep

    async def post(self, batch: list[str], tally: Tally) -> None:
        """Post mentions, each as JSON, and note what became of them."""
        body = "\n".join(batch).encode()
        answer = await self._ask("POST", "/v1/mentions", content=body, headers={"Content-Type": "application/x-ndjson"})
        tally.add(len(batch), answer)

    async def clock(self) -> tuple[datetime, bool]:
        """Return the service's time, and whether it is a replay's."""
        answer = await self._ask("GET", "/v1/clock")
        return datetime.fromisoformat(answer["now"]), bool(answer["replay"])

    async def move_clock(self, now: datetime) -> None:
        """Say that all up to the old time was posted; returns when it was judged and the clock stands at `now`."""
        await self._ask("POST", "/v1/clock", json={"now": now.isoformat()})

    async def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        url = self._client.base_url
        for _ in range(MOST_WAITS):
            try:
                answer = await self._client.request(method, path, **content)
            except httpx.ConnectError:
                raise ReplayError(
                    f"nothing answers on {url}; start the service, or name its address by --url"
                ) from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise ReplayError(f"the service on {url} broke off ({type(error).__name__})") from None
            if answer.status_code in (429, 503):
                await self._sleep(_retry_after(answer))
                continue
            return _read(answer, path)
        raise ReplayError(f"the service on {url} takes no more; `foreshock doctor` says what is behind")


def _retry_after(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 2.0


def _read(answer: httpx.Response, path: str) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ReplayError(f"{answer.url} is no Foreshock service (it answered {answer.status_code} without JSON)")
    if answer.status_code < 400:
        return said
    detail = said.get("detail") or said.get("title") or "no reason given"
    if answer.status_code == 401:
        raise ReplayError("the service does not know this key; give the right one by --key or FORESHOCK_ADMIN_KEY")
    if answer.status_code == 422 and path == "/v1/mentions" and said.get("errors"):
        return {"rejected": len(said["errors"]), "errors": said["errors"]}  # every item was rejected
    kind = NotAllowed if answer.status_code == 403 else ReplayError
    raise kind(f"the service refused {path} ({answer.status_code}): {detail}")


def connect(url: str, key: str) -> httpx.AsyncClient:
    """Return a client for the operator's own service; environment proxies do not apply to it."""
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT, trust_env=False)


def batches(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """Cut lines into requests of up to `size` mentions and `MOST_BYTES`; a longer line goes alone."""
    batch: list[str] = []
    length = 0
    for line in lines:
        width = len(line.encode())
        if batch and (len(batch) == size or length + width > MOST_BYTES):
            yield batch
            batch, length = [], 0
        batch.append(line)
        length += width + 1
    if batch:
        yield batch


def steps(recorded: Iterable[Mention], start: datetime, step: timedelta) -> Iterator[tuple[datetime, list[Mention]]]:
    """Cut mentions that rise in time into (end, the mentions of up to `end`), one a step, empty ones too."""
    end = start + step
    held: list[Mention] = []
    for mention in recorded:
        while mention.published_at > end:
            yield end, held
            end, held = end + step, []
        held.append(mention)
    yield end, held


def as_line(mention: Mention, shift: timedelta = timedelta()) -> str:
    """Return the mention as JSON, `shift` later."""
    if shift:
        updated = mention.updated_at and mention.updated_at + shift
        moved = {"published_at": mention.published_at + shift, "updated_at": updated}
        mention = mention.model_copy(update=moved)
    return mention.model_dump_json(exclude_none=True, exclude_defaults=True)


async def replay_now(recorded: Iterable[Mention], way: WayIn, shift: timedelta, size: int, progress: Progress) -> Tally:
    """Post mentions `shift` later than recorded into a service on the system's clock, as fast as it takes them."""
    with suppress(NotAllowed):  # a key that may only write cannot ask; a wrong clock then rejects every mention
        if (await way.clock())[1]:
            raise ReplayError("the service runs on a replay's clock; say how fast by --speed N, or --speed max")
    tally = Tally()
    for batch in batches((as_line(mention, shift) for mention in recorded), size):
        await way.post(batch, tally)
        progress(len(batch))
    return tally


async def replay_on_clock(
    recorded: Iterable[Mention],
    way: WayIn,
    first: datetime,
    speed: float,
    size: int,
    progress: Progress,
    step: timedelta = STEP,
    sleep: Sleep = asyncio.sleep,
) -> Tally:
    """Post mentions that rise in time, and move the replay's clock along so that everything is judged in its time.

    `first` is the first mention's time, `speed` the most simulated seconds a second (infinity: as fast as it goes).
    """
    now, replays = await way.clock()
    begin = f"start it with --replay-clock {first.replace(second=0, microsecond=0).isoformat()}"
    if not replays:
        raise ReplayError(f"the service runs on the system's clock, and --speed needs a replay's; {begin}")
    if not now <= first <= now + timedelta(days=1):
        raise ReplayError(f"the service's clock stands at {now.isoformat()}, the recording starts elsewhere; {begin}")
    tally = Tally()
    began = time.monotonic()
    start = now
    for end, held in steps(recorded, start, step):
        await way.move_clock(end)
        for batch in batches((as_line(mention) for mention in held), size):
            await way.post(batch, tally)
        progress(len(held))
        ahead = (end - start).total_seconds() / speed - (time.monotonic() - began)
        if ahead > 0:
            await sleep(ahead)
    await way.move_clock(end + step)
    return tally


@contextmanager
def progress_bar(total: int, what: str) -> Iterator[Progress]:
    """A bar on the terminal, which is told of every so many mentions; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console, shared = Console(stderr=True), sys.stdout.isatty()  # only what goes to the same terminal needs to make way
    with Progress(*columns, console=console, transient=True, redirect_stdout=shared) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)


def speed_of(text: str | None) -> float | None:
    """Return simulated seconds a second: None without --speed, infinity for `max` or 0.

    Raises:
        ValueError: the text is neither a number from 0 up nor `max`.
    """
    if text is None:
        return None
    speed = math.inf if text == "max" else float(text)
    if math.isnan(speed) or speed < 0:
        raise ValueError(text)
    return speed or math.inf


def run(arguments: argparse.Namespace) -> int:
    """Check the file, post it, and say what became of it; 2 where that can't be done."""
    try:
        speed = speed_of(arguments.speed)
    except ValueError:
        return _refuse(f"--speed {arguments.speed}: simulated seconds a second, such as 600, or max, would be right")
    if arguments.batch < 1:
        return _refuse(f"--batch {arguments.batch}: how many mentions a request, 1 or more, would be right")
    if not arguments.url.startswith(("http://", "https://")):
        return _refuse(f"--url {arguments.url}: an address such as http://127.0.0.1:8470 would be right")
    key = arguments.key or os.environ.get("FORESHOCK_ADMIN_KEY")
    if not key:
        return _refuse("a key is needed; give it by --key or FORESHOCK_ADMIN_KEY")
    began = time.monotonic()
    try:
        found = extent(arguments.file)
        if speed is not None and found.unsorted:
            return _refuse(found.unsorted)
        tally = asyncio.run(_replay(arguments, key, found, speed))
    except (MentionFileError, ReplayError) as error:
        return _refuse(str(error))
    for reason in tally.reasons:
        print(f"foreshock replay: rejected: {reason}", file=sys.stderr)
    print(
        f"sent {tally.sent}, accepted {tally.accepted}, repeated {tally.repeated}, rejected {tally.rejected}, "
        f"{time.monotonic() - began:.1f} seconds"
    )
    return 0


async def _replay(arguments: argparse.Namespace, key: str, found: Extent, speed: float | None) -> Tally:
    recorded = mentions(arguments.file)
    async with connect(arguments.url, key) as client:
        way = WayIn(client)
        with progress_bar(found.mentions, arguments.file.name) as progress:
            if speed is None:
                shift = datetime.now(UTC) - found.last
                return await replay_now(recorded, way, shift, arguments.batch, progress)
            return await replay_on_clock(recorded, way, found.first, speed, arguments.batch, progress)


def _refuse(sentence: str) -> int:
    for line in sentence.splitlines():
        print(f"foreshock replay: {line}", file=sys.stderr)
    return 2
