"""Bringing commands to the servers that have their keys, through restarts, failovers and moved slots."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from hiredis import pack_command
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service import keys
from service.address import Address
from service.nodes import Nodes
from service.promise import NotKept, Promise

Command = tuple[Any, ...]

TRIES = 9
BACKOFF: Any = ExponentialWithJitterBackoff(cap=1.0, base=0.05)
"""Seconds between tries: about 4 in all; who is away longer is waited for by the loops that call."""

DEAF = 4.0
"""Seconds without an answer after which a server is given up; longer than any wait that the service asks for (2 s)."""

NOT_RUN = (MovedError, AskError, ReadOnlyError, ClusterDownError, TryAgainError, BusyLoadingError)
NOT_RUN_WORDS = ("UNBLOCKED", "NOREPLICAS")
"""Answers of a server that did not run the command: another may, or the same soon."""
LOST = (RedisConnectionError, RedisTimeoutError, OSError)
"""No answer: the command may have been run."""
FORBIDDEN = (AuthenticationError, AuthorizationError)
"""redis-py counts these as connection errors; trying again does not help."""

SECOND = {"XGROUP", "XINFO", "OBJECT", "MEMORY", "BITOP"}
"""Commands whose key comes after a subcommand."""
COUNTED = {"FCALL", "FCALL_RO", "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO"}
"""Commands whose third word is the number of keys."""
KEYLESS = {
    "ACL", "BGREWRITEAOF", "BGSAVE", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "FLUSHALL", "FLUSHDB",
    "FUNCTION", "INFO", "KEYS", "LASTSAVE", "LATENCY", "PING", "ROLE", "SAVE", "SCRIPT", "SLOWLOG", "TIME", "WAIT",
}  # fmt: skip


def key_of(command: Command) -> Any:
    """Return the key that says where a command runs, None where any primary will do."""
    name = str(command[0]).upper()
    if name in KEYLESS:
        return None
    if name in ("XREADGROUP", "XREAD"):
        return command[command.index("STREAMS") + 1]
    if name in COUNTED:
        return command[3] if int(command[2]) else None
    return command[2 if name in SECOND else 1]


class Delivery:
    """Sends commands to the primaries of an address. Errors of single commands are among the answers, not raised."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._nodes = Nodes(address)
        self.spread = self._nodes.spread

    async def close(self) -> None:
        """Close every connection."""
        await self._nodes.close()

    async def primaries(self) -> list[Any]:
        """Return the client of every primary."""
        if not self._nodes.all():
            await self._nodes.renew(self._nodes.version)
        return self._nodes.all()

    async def everywhere(self, command: Command) -> list[Any]:
        """Run one command on every primary."""
        for tries in range(1, TRIES + 1):
            version = self._nodes.version
            try:
                clients = await self.primaries()
                answers = [(await _send(client, [command]))[0] for client in clients]
            except (RedisError, OSError) as error:
                answers = [error]
            if not any(_passing(answer) for answer in answers):
                break
            await self._pause(version, tries)
        return answers

    async def send(
        self, commands: Sequence[Command], *, once: bool = False, promise: Promise | None = None, **parsing: Any
    ) -> list[Any]:
        """Run commands, each on the primary that has its key, and again where a server was away or another took over.

        With `once`, what may have been run is not sent again. With a promise, every answer is NotKept where it was
        not kept. `parsing` are redis-py's options for reading a single command's answer.
        """
        if len(commands) == 1 and key_of(commands[0]) is None:
            return (await self.everywhere(commands[0]))[:1]
        answers: list[Any] = [None] * len(commands)
        left: list[int] = list(range(len(commands)))
        for tries in range(1, TRIES + 1):
            version = self._nodes.version
            await self._round(commands, left, answers, promise, parsing)
            left = [i for i in left if _passing(answers[i], once)]
            if not left:
                break
            await self._pause(version, tries)
        return answers

    async def try_once(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands as `send` does, but once; what fails because the primaries changed fails."""
        answers: list[Any] = [None] * len(commands)
        version = self._nodes.version
        await self._round(commands, range(len(commands)), answers, None, {})
        if any(_passing(answer) for answer in answers):
            with contextlib.suppress(RedisError, OSError):
                await self._nodes.renew(version)
        return answers

    async def _pause(self, version: int, tries: int) -> None:
        with contextlib.suppress(RedisError, OSError):  # nobody knows yet: asked again by the next try
            await self._nodes.renew(version)
        await asyncio.sleep(BACKOFF.compute(tries))

    async def _round(
        self,
        commands: Sequence[Command],
        wanted: Iterable[int],
        answers: list[Any],
        promise: Promise | None,
        parsing: dict[str, Any],
    ) -> None:
        """Send the wanted commands once, all servers at once, and note the answers."""
        groups: dict[Any, list[int]] = defaultdict(list)
        try:
            clients = await self.primaries()
        except (RedisError, OSError) as error:
            for i in wanted:
                answers[i] = error
            return
        for i in wanted:
            key = key_of(commands[i])
            try:
                groups[clients[0] if key is None else self._nodes.of(key)].append(i)
            except (RedisError, OSError) as error:
                answers[i] = error

        async def one(client: Any, some: list[int]) -> None:
            told = await self._group(client, [commands[i] for i in some], promise, parsing)
            for i, answer in zip(some, told, strict=True):
                answers[i] = answer

        await asyncio.gather(*(one(client, some) for client, some in groups.items()))

    async def _group(
        self, client: Any, commands: list[Command], promise: Promise | None, parsing: dict[str, Any]
    ) -> list[Any]:
        if promise is None or promise.command is None:
            answers = await _send(client, commands, **parsing)
        else:
            answers = await _send_kept(client, commands, promise)
        for i, answer in enumerate(answers):
            if type(answer) is AskError:  # the key is on its way to another server
                async with self._address.client((answer.host, answer.port)) as there:
                    _, answers[i] = await _send(there, [("ASKING",), commands[i]])
        return answers


async def _send(client: Any, commands: list[Command], **parsing: Any) -> list[Any]:
    """Run commands on one server in one round trip; what redis-py's pipeline does, at a third of its CPU time."""
    try:
        connection = await client.connection_pool.get_connection()
        try:
            async with asyncio.timeout(DEAF):  # one for all: redis-py's own, for each answer, costs more than the rest
                await connection.send_packed_command(b"".join(map(pack_command, commands)))
                return [await _answer(client, connection, command[0], parsing) for command in commands]
        finally:
            await client.connection_pool.release(connection)
    except (RedisError, OSError) as error:
        return [error] * len(commands)


async def _answer(client: Any, connection: Any, name: str, parsing: dict[str, Any]) -> Any:
    try:
        answer = await connection.read_response()
    except ResponseError as error:
        return error
    callback = client.response_callbacks.get(name)
    return callback(answer, **parsing) if callback else answer


async def _send_kept(client: Any, commands: list[Command], promise: Promise) -> list[Any]:
    # WAIT looks at what its own connection wrote. A repeated command that changes nothing writes nothing, though its
    # first run may not be kept yet: a write that always counts comes after it.
    mark = ("SET", keys.kept(str(key_of(commands[0]))), 1)
    *answers, marked, told = await _send(client, [*commands, mark, promise.command or ("PING",)])
    failure = str(marked) if isinstance(marked, Exception) else promise.failure(told)
    return [NotKept(failure) if failure and not isinstance(answer, Exception) else answer for answer in answers]


def _passing(answer: Any, once: bool = False) -> bool:
    """Whether an answer is an error that passes by itself; with `once`, only where the command was not run for sure."""
    if not isinstance(answer, Exception) or isinstance(answer, FORBIDDEN):
        return False
    if isinstance(answer, ResponseError | BusyLoadingError):
        return isinstance(answer, NOT_RUN) or str(answer).startswith(NOT_RUN_WORDS)
    return isinstance(answer, LOST) and not once
