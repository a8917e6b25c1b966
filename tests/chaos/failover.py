"""The loss of primaries under load, on Sentinel and on Cluster: what was acknowledged is there, the roles go on."""

import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisError
from redis.sentinel import Sentinel

from tests.acceptance.running import KEY
from tests.chaos.accounts import Account, Answered, account
from tests.chaos.comparison import Comparison, compare
from tests.chaos.kills import AMID, DRAINED
from tests.chaos.load import CONFIG, Batch, Load
from tests.chaos.oracle import Oracle
from tests.chaos.progress import STREAMS, Progress, backlog
from tests.chaos.roles import Roles
from tests.chaos.sender import Sender
from tests.service.servers import SERVICE, cluster, sentinel
from tests.until import until

TOPOLOGIES: dict[str, Any] = {"sentinel": sentinel, "cluster": cluster}
WAYS = ("killed", "alone", "deaf")
"""How a primary is lost: killed; killed after it served for a while without its replicas; stopped, and back when
another has taken its place."""
ALONE = 0.5
"""Seconds that a primary serves without replicas."""
RATE = 1500.0
"""Mentions a second; a loss takes seconds of waiting, and the load is to last through all of them."""


@dataclass(frozen=True)
class Plan:
    """A topology, what an answer promises, how many primaries are lost; a plain load tells how much goes with each."""

    topology: str
    accept: str
    losses: int
    seed: int
    plain: bool = False
    quick: bool = False


@dataclass
class Result:
    """What came of a plan; `account` and `seconds` are told of plain loads, `comparison` of others.

    `seconds` is from the answer of the first request that was lost, wholly or in part, to that of the last, by loss.
    """

    topology: str
    accept: str
    sent: int
    repeats: int
    losses: dict[str, int]
    recovery: list[float]
    comparison: Comparison | None = None
    account: Account | None = None
    seconds: list[float] = field(default_factory=list)


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Result:
    """Lose primaries one after another under load, then see what is there."""
    (folder / "foreshock.yaml").write_text(CONFIG)
    with TOPOLOGIES[plan.topology](folder) as servers:
        roles = Roles(servers.url, plan.accept, folder, folder / "foreshock.yaml")
        try:
            roles.start()
            return _run(plan, servers, roles, say)
        finally:
            roles.stop()


def _run(plan: Plan, servers: Any, roles: Roles, say: Callable[[str], None]) -> Result:
    load = Load(plan.seed, Oracle(), plain=plan.plain, batch=200)
    began, answers = time.monotonic(), []

    def note(batch: Batch) -> None:
        answers.append(Answered(time.time(), batch))

    sender = Sender(load, roles.url, KEY, lambda: RATE * (time.monotonic() - began), note)
    progress = Progress(lambda: connect(servers), lambda: sender.accepted)
    sender.start()
    progress.start()
    chance, recovery, ends = random.Random(plan.seed), [], []
    losses = dict.fromkeys(WAYS, 0)
    for number in range(plan.losses):
        way = WAYS[number % len(WAYS)]
        begun = time.monotonic()
        _until_work(progress, sender, begun, "counted", "work before the loss")
        time.sleep(chance.random())
        stream = chance.choice(STREAMS)
        lost = lose(servers, way, stream)
        servers.restart()  # where nobody follows a new primary, `replicas:1` takes nothing
        _until_work(progress, sender, lost + AMID, stream, f"work after a primary was {way}")
        recovery.append(progress.resumed(lost + AMID, ("accepted", stream)) - lost)
        roles.check()
        servers.await_whole()
        ends.append(time.time())
        losses[way] += 1
        say(f"{plan.topology}, {plan.accept}: {number + 1} of {plan.losses} lost ({way}), {recovery[-1]:.1f} s")
    sender.finish()
    with contextlib.closing(connect(servers)) as client:
        until(lambda: _counted(client), DRAINED, "all to be counted")
    progress.finish()
    roles.check()
    result = Result(plan.topology, plan.accept, load.sent, sender.repeats, losses, recovery)
    with roles.client() as client:
        if not load.plain:
            result.comparison = compare(client, load.oracle, quick=plan.quick)
            return result
        result.account = account(client, answers, answers)
    for before, end in zip([0.0, *ends], ends, strict=False):
        gone = [at for at in result.account.instants if before < at <= end]
        result.seconds.append(gone[-1] - gone[0] if gone else 0.0)
    return result


def lose(servers: Any, way: str, key: str) -> float:
    """Lose the primary that has a key; return when (monotonic seconds)."""
    if way == "deaf":
        deaf = servers.pause_primary(key)
        lost = time.monotonic()
        servers.await_failover(deaf)
        servers.resume()
        return lost
    if way == "alone":
        primary = servers.primary(key)
        servers.pause_replicas(key)
        primary.ask("CLIENT", "KILL", "TYPE", "replica")  # else the kernel keeps for them what they are sent
        time.sleep(ALONE)
    dead = servers.kill_primary(key)
    lost = time.monotonic()
    servers.resume()
    servers.await_failover(dead)
    return lost


def connect(servers: Any) -> Any:
    """Return a client that finds the primaries by itself, of the redis-py that the service does not use for it."""
    patience: dict[str, Any] = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
    sentinels: Any = Sentinel
    node: Any = ClusterNode
    if hasattr(servers, "sentinels"):
        places = [("127.0.0.1", server.port) for server in servers.sentinels]
        return sentinels(places, **patience).master_for(SERVICE, redis_class=redis.Redis, **patience)
    return RedisCluster(startup_nodes=[node("127.0.0.1", server.port) for server in servers.servers], **patience)


def _counted(client: Any) -> bool:
    try:
        return not backlog(client)
    except (RedisError, OSError):
        return False


def _until_work(progress: Progress, sender: Sender, since: float, counting: str, what: str) -> None:
    until(lambda: sender.refused or progress.since(since, ("accepted", counting)), 90, what)
    assert not sender.refused, sender.refused[0]
