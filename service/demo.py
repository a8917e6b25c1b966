"""`foreshock demo`: a simulated crisis, played over HTTP through the real service, and what the service says of it."""

import argparse
import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from collectors.simulate import CAMPAIGN_NAME, TIMEZONE, Recording, Truth, recording
from collectors.simulated_text import QUERY
from service.demo_alert import alert_text, event_line
from service.lifecycle import PAGES
from service.mention_file import mentions
from service.replay import ReplayError, Tally, WayIn, connect, progress_bar, replay_on_clock
from service.tether import end, tethered

START = datetime(2025, 9, 8, 13, 0, tzinfo=UTC)
"""When the recording begins: a Monday, 9 in the morning where the airline's customers live."""

DAYS = 10.0
READY_SECONDS = 30.0
"""Longest wait for the service to come up; it takes one or two seconds."""

ALERTS = {"episode.opened", "episode.reopened"}
"""Events that tell of a crisis that was not there a moment ago."""

LAST_EVENTS_SECONDS = 1.0
"""Time for events that are still on their way when the recording has ended."""

BATCH = 1000
STEP = timedelta(minutes=30)
"""Simulated time between two moves of the clock: every minute is judged at any step, a longer one asks less often."""


class DemoError(Exception):
    """The demo can't go on; the text is one sentence."""


@dataclass(frozen=True)
class Verdict:
    """What the service made of the recording."""

    delay_minutes: float | None
    false_alerts: int


def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 0 when it has run to its end, 2 where it can't."""
    print("Foreshock demo: everything in this recording is simulated; the airline, its customers and their words.")
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the service is stopped and the folder removed
    try:
        for port in (arguments.port, arguments.port + 1):
            _check_free(port)
        with tempfile.TemporaryDirectory(prefix="foreshock-demo-") as name:
            folder = Path(name)
            simulated = recording(arguments.seed, START, DAYS)
            _write(folder, simulated)
            with _service(folder, arguments.port, simulated.truth) as (url, key):
                asyncio.run(_show(url, key, folder, simulated, began))
                if arguments.stay:
                    _stay(url, key)
    except (DemoError, ReplayError) as error:
        print(f"foreshock demo: {error}", file=sys.stderr)
        return 2
    return 0


def _check_free(port: int) -> None:
    """Raise DemoError where something listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            raise DemoError(f"there is no port {port}; choose one from 1024 to 65534 by --port") from None
        except OSError as error:
            why = error.strerror or "refused"
            raise DemoError(f"port {port} can't be used ({why}); choose another by --port") from None


def _write(folder: Path, simulated: Recording) -> None:
    """Write the recording and the brand's file into the folder."""
    import yaml

    truth = simulated.truth
    campaign = {"name": CAMPAIGN_NAME, "start": truth.campaign.start.isoformat(), "end": truth.campaign.end.isoformat()}
    brand = {"name": truth.brand, "query": QUERY, "timezone": TIMEZONE, "campaigns": [campaign]}
    (folder / "foreshock.yaml").write_text(yaml.safe_dump({"brands": [brand]}, sort_keys=False), encoding="utf-8")
    with (folder / "recording.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(simulated.lines())


@contextmanager
def _service(folder: Path, port: int, truth: Truth) -> Iterator[tuple[str, str]]:
    """Run `foreshock serve` on the replay's clock; gives its address and admin key once it is ready."""
    key = f"fs_{secrets.token_urlsafe(24)}"
    command = [
        sys.executable, "-m", "service", "serve",
        "--replay-clock", truth.start.isoformat(), "--data-dir", str(folder / "data"),
        "--config", str(folder / "foreshock.yaml"), "--port", str(port), "--metrics-port", str(port + 1),
    ]  # fmt: skip
    said = folder / "service.log"
    own = {name: value for name, value in os.environ.items() if not name.startswith("FORESHOCK_")}
    with said.open("wb") as output:
        process = tethered(command, env={**own, "FORESHOCK_ADMIN_KEY": key}, output=output.fileno())
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(process, url, said)
            yield url, key
        finally:
            end(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, said: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    with httpx.Client(base_url=url, trust_env=False) as client:
        while time.monotonic() < until:
            if process.poll() is not None:
                break
            with suppress(httpx.HTTPError):
                if client.get("/readyz").status_code == 200:
                    return
            time.sleep(0.05)
    last = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    raise DemoError(f"the service did not start: {' / '.join(last) or 'it said nothing'}")


async def _show(url: str, key: str, folder: Path, simulated: Recording, began: float) -> None:
    truth = simulated.truth
    print(f"The board: {url}/  (key: {key})")
    print(
        f"{len(simulated.mentions)} mentions of {truth.brand} in {DAYS:g} days, seed {truth.seed}; "
        f"all times UTC. A launch, a bot flood and an outage come first,\n"
        f"then a revolt from one post on {truth.revolt.start:%a %d %b %H:%M}, doubling every "
        f"{truth.doubling_minutes:.0f} minutes.\n",
        flush=True,
    )
    async with connect(url, key) as client:
        shown: set[str] = set()
        with progress_bar(len(simulated.mentions), "playing") as progress:
            listening = asyncio.create_task(_listen(client, shown))
            try:
                recorded = mentions(folder / "recording.jsonl")
                tally = await replay_on_clock(recorded, WayIn(client), truth.start, float("inf"), BATCH, progress, STEP)
                await asyncio.sleep(LAST_EVENTS_SECONDS)
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening
        episodes = await _episodes(client)
        counted = await _counted(client, truth)
    _sum_up(truth, tally, episodes, counted, time.monotonic() - began)


async def _listen(client: httpx.AsyncClient, shown: set[str]) -> None:
    """Print what happens to episodes as it happens: an opening with its proof, the rest in a line."""
    while True:
        with suppress(httpx.HTTPError):  # the stream may be cut; what is missed is in the episodes at the end
            async with client.stream("GET", "/v1/events", timeout=None) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        _tell(json.loads(line[5:]), shown)
        await asyncio.sleep(0.2)


def _tell(event: dict[str, Any], shown: set[str]) -> None:
    if event["id"] in shown:
        return
    shown.add(event["id"])
    if event["type"] in ALERTS:
        print(f"{alert_text(event)}\n", flush=True)
    elif event["type"] in PAGES | {"episode.resolved"}:
        print(event_line(event), flush=True)


async def _episodes(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await client.get("/v1/episodes", params={"limit": 200, **({"cursor": cursor} if cursor else {})})
        page = answer.raise_for_status().json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


async def _counted(client: httpx.AsyncClient, truth: Truth) -> int:
    """Sum the brand's series over the recording."""
    span = {"start": truth.start.isoformat(), "end": truth.end.isoformat(), "step": "3600"}
    answer = await client.get(f"/v1/brands/{truth.brand}/series", params=span)
    return sum(bucket["mentions"] for bucket in answer.raise_for_status().json()["buckets"])


def judge(truth: Truth, episodes: list[dict[str, Any]]) -> Verdict:
    """Compare crisis episodes with the truth: simulated minutes to the revolt's alert, and alerts without a revolt.

    What opened or was back before the revolt counts as false, and so does each escalation before it.
    """
    crises = [e for e in episodes if e["kind"] == "crisis"]
    log = [entry for episode in crises for entry in episode["log"]]
    opened = sorted(datetime.fromisoformat(entry["at"]) for entry in log if entry["type"] in ALERTS)
    caught = [at for at in opened if at >= truth.revolt.start]
    escalated = [
        entry
        for entry in log
        if entry["type"] == "episode.escalated" and datetime.fromisoformat(entry["at"]) < truth.revolt.start
    ]
    delay = (caught[0] - truth.revolt.start) / timedelta(minutes=1) if caught else None
    return Verdict(delay, len(opened) - len(caught) + len(escalated))


def _sum_up(truth: Truth, tally: Tally, episodes: list[dict[str, Any]], counted: int, seconds: float) -> None:
    verdict = judge(truth, episodes)
    delay = "was missed" if verdict.delay_minutes is None else f"was alerted after {verdict.delay_minutes:.0f} minutes"
    print(
        f"\nThe revolt {delay}; {verdict.false_alerts} false alerts in {DAYS:g} days. "
        f"{counted} of {tally.sent} mentions sent were counted ({tally.rejected} rejected)."
    )
    summary = {
        "revolt_alert_delay_minutes": verdict.delay_minutes,
        "false_alerts": verdict.false_alerts,
        "mentions_sent": tally.sent,
        "mentions_counted": counted,
        "seconds": round(seconds, 1),
    }
    print(json.dumps(summary), flush=True)


def _stay(url: str, key: str) -> None:
    print(f"The board stays up on {url}/ (key: {key}) until Ctrl-C.", file=sys.stderr, flush=True)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
