"""What "accepted" promises: that the server has it in memory, on its disk, or that replicas have it too."""

from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

PATIENCE_MS = 2000
"""How long an answer waits for its promise; then the sender is told to repeat."""


class NotKept(RedisError):
    """What was to be accepted could not be secured as promised; it may be stored, and is to be sent again."""

    retry_after = 2


@dataclass(frozen=True)
class Promise:
    """`memory` (the server has it), `disk` (fsynced), `replicas:N` (N replicas have it in memory)."""

    disk: bool = False
    replicas: int = 0

    @property
    def command(self) -> tuple[Any, ...] | None:
        """The command that waits for it, after the writes on their connection; None where nothing is waited for."""
        if self.disk:
            return "WAITAOF", 1, 0, PATIENCE_MS
        return ("WAIT", self.replicas, PATIENCE_MS) if self.replicas else None

    def failure(self, answer: Any) -> str | None:
        """Return what is wrong with the command's answer, None where the promise is kept."""
        if isinstance(answer, Exception):
            return "the server has no append-only file (appendonly no)" if self.disk else str(answer)
        if self.disk:
            return None if answer[0] >= 1 else f"it was not on disk within {PATIENCE_MS / 1000:g} s"
        if answer >= self.replicas:
            return None
        return f"{answer} of {self.replicas} replicas had it within {PATIENCE_MS / 1000:g} s"

    def __str__(self) -> str:
        return "disk" if self.disk else f"replicas:{self.replicas}" if self.replicas else "memory"


def read_promise(text: str) -> Promise:
    """Return the promise that a setting names.

    Raises:
        ValueError: there is no such promise.
    """
    kind, _, number = text.partition(":")
    if text in ("memory", "disk"):
        return Promise(disk=text == "disk")
    if kind == "replicas" and number.isdecimal() and int(number) > 0:
        return Promise(replicas=int(number))
    raise ValueError(f"{text!r} can't be promised: use memory, disk, or replicas:N with N of 1 or more")
