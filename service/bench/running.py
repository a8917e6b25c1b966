"""The service under load: `foreshock serve` on a new embedded store, as processes, and what each of them uses."""

import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from service.bench import BenchError
from service.embedded import EmbeddedStore
from service.store import Store
from service.tether import end, tethered

READY_SECONDS = 30.0
TICKS = os.sysconf("SC_CLK_TCK")
"""The unit in which Linux tells processor time, 1/s."""
MINE = "generator"
"""What this process is called among the others."""
OTHERS = "others"
"""All processes of the machine that are not of the bench: where they use much, the figures are not the service's."""


@dataclass(frozen=True)
class Running:
    """A service that runs: its port, its admin key, its store's address, its process."""

    port: int
    key: str
    store_url: str
    pid: int

    def roles(self) -> dict[int, str]:
        """Return the role of each of its processes, and of this one."""
        found = {os.getpid(): MINE}
        for pid in _family(self.pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                found[pid] = _role(Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0"))
        return found

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time that each role has used so far, and what the rest of the machine has."""
        user, nice, system, _, _, irq, softirq, *_ = (
            int(ticks) / TICKS for ticks in Path("/proc/stat").read_text().split("\n")[0].split()[1:]
        )
        found: dict[str, float] = {}
        for pid, role in self.roles().items():
            fields = _read(pid, "stat").rpartition(")")[2].split()
            found[role] = found.get(role, 0.0) + sum(map(int, fields[11:13])) / TICKS
        return {**found, OTHERS: user + nice + system + irq + softirq - sum(found.values())}

    def resident_mib(self) -> dict[str, float]:
        """Return the memory that each role holds."""
        found: dict[str, float] = {}
        for pid, role in self.roles().items():
            pages = sum(map(int, _read(pid, "statm").split()[1:2]))
            found[role] = found.get(role, 0.0) + pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return found


@contextmanager
def running(mode: str, apis: int = 1, more: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run a service for the body, with an empty store that writes to disk as `mode` says; `apis` processes answer.

    Its environment has nothing of Foreshock but a key, and `more`.

    Raises:
        BenchError: it did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="foreshock-bench-") as name:
        folder, key = Path(name), f"fs_{secrets.token_urlsafe(24)}"
        port, metrics_port = _free_ports()
        command = [
            sys.executable, "-m", "service", "serve", "--data-dir", str(folder / "data"), "--fsync", mode,
            "--port", str(port), "--metrics-port", str(metrics_port), "--apis", str(apis),
        ]  # fmt: skip
        env = {name: value for name, value in os.environ.items() if not name.startswith("FORESHOCK_")}
        said = folder / "service.log"
        with said.open("wb") as output:
            process = tethered(command, env={**env, "FORESHOCK_ADMIN_KEY": key, **(more or {})}, output=output.fileno())
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    last = said.read_text(errors="replace").strip().splitlines()[-3:]
                    raise BenchError(f"the service did not start: {' / '.join(last) or 'it said nothing'}")
                time.sleep(0.05)
            yield Running(port, key, EmbeddedStore(folder / "data").url, process.pid)
        finally:
            end(process)


@asynccontextmanager
async def empty_store() -> AsyncIterator[Store]:
    """Give an embedded store without a service, that writes nothing to disk."""
    with tempfile.TemporaryDirectory(prefix="foreshock-bench-") as name, EmbeddedStore(Path(name)) as embedded:
        async with Store(embedded.url) as store:
            await store.prepare()
            await store.do("CONFIG", "SET", "appendonly", "no")
            yield store


def _answers(port: int) -> bool:
    client = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        client.request("GET", "/readyz")
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return int(one.getsockname()[1]), int(two.getsockname()[1])


def _role(words: list[str]) -> str:
    """Return what a process of the service does, told from its command line."""
    if "service" not in words:
        return "store"
    if "--only" in words:
        work = words[words.index("--only") + 1].split(",")
        return "worker" if "count" in work else work[0]
    return words[words.index("service") + 1]


def _read(pid: int, name: str) -> str:
    """Return what Linux says of a process; nothing of one that has ended, such as the store's while it saves."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/{name}").read_text()
    return ""


def _family(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found
