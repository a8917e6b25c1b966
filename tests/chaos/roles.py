"""`foreshock api` and `foreshock worker` as they run on machines of their own, on a store that others run."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.acceptance.running import KEY, free_port
from tests.until import until


@dataclass
class Roles:
    """One process each; `accept` is what an answer promises (memory, replicas:N)."""

    store: str
    accept: str
    folder: Path
    config: Path
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where REST is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> Path:
        """What the processes print."""
        return self.folder / "roles.log"

    def start(self) -> None:
        """Start both and wait until REST answers."""
        web = ["--config", str(self.config), "--port", str(self.port), "--metrics-port", str(self.metrics_port)]
        web += ["--accept", self.accept]
        env = {**os.environ, "FORESHOCK_ADMIN_KEY": KEY}
        for role, arguments in (("api", web), ("worker", ["--name", "chaos-worker"])):
            command = [sys.executable, "-m", "service", role, "--redis-url", self.store, *arguments]
            with self.output.open("ab") as output:
                self.processes[role] = subprocess.Popen(command, stdout=output, stderr=output, env=env)
        until(self._answers, 60, "the start of the roles")

    def _answers(self) -> bool:
        self.check()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def check(self) -> None:
        """Fail where a role has ended: they are to go on by themselves."""
        for role, process in self.processes.items():
            assert process.poll() is None, f"{role} ended ({process.returncode}): {self.output.read_text()[-5000:]}"

    def stop(self) -> None:
        """Stop both."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def client(self) -> httpx.Client:
        """Return a REST client."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
