"""Ties a child process to its parent: however the parent ends, `kill -9` included, the child is killed too.

The child is started through this file, run as a script, which ties itself and then becomes the wanted program: the
process id stays the same, and no Python runs between fork and exec of a parent that may have threads. On Linux the
kernel kills it (`PR_SET_PDEATHSIG`). Elsewhere a watcher, a child of the wanted program, reads a pipe that only the
parent holds open, and kills the program when the pipe ends.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import subprocess

Tie = Literal["kernel", "watcher"]
TIE: Tie = "kernel" if sys.platform == "linux" else "watcher"
"""How this platform ties a child to its parent."""

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the process gets when the thread that started it ends."""

GRACE = 10.0
"""Seconds that a process has to end by itself after SIGTERM."""


def tethered(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    output: int | None = None,
    pass_fds: Sequence[int] = (),
    tie: Tie = TIE,
) -> "subprocess.Popen[bytes]":
    """Start `argv` as a child that does not outlive this process; its standard input is empty.

    `argv[0]` is looked up on PATH. `output` is a file descriptor for both output and errors; None inherits them. The
    child has a session of its own, so that Ctrl-C reaches the parent alone. End it with `end`, or close its `stdin`.

    Raises:
        RuntimeError: called off the main thread where the kernel's tie follows the calling thread.
    """
    import subprocess
    import threading

    if tie == "kernel" and threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            f"{argv[0]} must be started from the main thread: the kernel kills it when the thread that started it ends"
        )
    return subprocess.Popen(  # noqa: S603 - argv is the service's own
        [sys.executable, "-I", "-S", __file__, tie, str(os.getpid()), *argv],
        stdin=subprocess.PIPE if tie == "watcher" else subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=env,
        cwd=cwd,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def end(process: "subprocess.Popen[bytes]", grace: float = GRACE) -> int:
    """End `process` with SIGTERM, and with SIGKILL after `grace` seconds; its exit code. Harmless when it has ended."""
    from subprocess import TimeoutExpired

    process.terminate()
    try:
        process.wait(grace)
    except TimeoutExpired:
        process.kill()
    code = process.wait()
    if process.stdin:
        process.stdin.close()
    return code


def _tie_to_kernel(parent: int) -> None:
    import ctypes

    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError("prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:  # the parent ended before the tie held
        os._exit(1)


def _watch(parent: int) -> None:
    """Fork the watcher. It is the program's child, so `getppid` tells for sure whether the program still lives."""
    program = os.getpid()
    if os.fork() == 0:
        _close_all_but_input()
        while os.read(0, 1):
            pass
        if os.getppid() == program:
            os.kill(program, signal.SIGKILL)
        os._exit(0)
    if os.getppid() != parent:
        os._exit(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _close_all_but_input() -> None:
    """Hold no one's output or lock open."""
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - no pathlib on the way to the program
        with suppress(OSError):  # the listing's own descriptor is closed by now
            if int(name) > 0:
                os.close(int(name))


def _become(tie: str, parent: int, argv: list[str]) -> None:
    if tie == "kernel":
        _tie_to_kernel(parent)
    else:
        _watch(parent)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - argv is the service's own
    except OSError as error:
        os.write(2, f"foreshock: cannot start {argv[0]}: {error.strerror}\n".encode())
        os._exit(127)


if __name__ == "__main__":
    _become(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
