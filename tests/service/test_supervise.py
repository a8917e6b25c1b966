"""The process tree: children that die are started again, a stop is in order, a wrong configuration ends it all."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from service import tether
from service.serve import roles
from service.settings import Settings
from service.supervise import FIRST_PAUSE, LONGEST_PAUSE, STEADY, pause_before_restart
from service.tether import end, tethered
from tests.until import alive, until

TREE = """
import contextlib, json, pathlib, sys
from service.embedded import EmbeddedStore
from service import tether
from service.supervise import Role, run_tree
roles = [Role(name, argv) for name, argv in json.loads(sys.argv[1])]
with EmbeddedStore(pathlib.Path(sys.argv[2])) if sys.argv[2] else contextlib.nullcontext() as store:
    if store:
        print(store.url, store.process.pid, flush=True)
    code = run_tree(roles, store)
sys.exit(code)
"""

ROLE = """
import os, signal, sys
def note(what):
    with open(sys.argv[1], "a") as journal:
        journal.write(f"{sys.argv[2]} {what} {os.getpid()}\\n")
def stop(*_):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("started")
while True:
    signal.pause()
"""


class Journal:
    """What the roles of a tree wrote: `name started|stopped pid`, a line each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def role(self, name: str) -> tuple[str, list[str]]:
        return name, [sys.executable, "-c", ROLE, str(self.path), name]

    def entries(self, what: str) -> list[tuple[str, int]]:
        text = self.path.read_text() if self.path.exists() else ""
        rows = [line.split() for line in text.splitlines()]
        return [(name, int(pid)) for name, said, pid in rows if said == what]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@contextmanager
def tree(roles: list[tuple[str, list[str]]], data_dir: str = "") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", TREE, json.dumps(roles), data_dir]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_the_roles_in_reverse_order_with_exit_code_0(journal: Journal, number: signal.Signals) -> None:
    with tree([journal.role("worker"), journal.role("api"), journal.role("collect")]) as process:
        until(lambda: len(journal.entries("started")) == 3)
        process.send_signal(number)
        assert process.wait(15) == 0
    assert [name for name, _ in journal.entries("stopped")] == ["collect", "api", "worker"]


def test_a_killed_role_is_started_again_and_the_others_stay(journal: Journal) -> None:
    with tree([journal.role("worker"), journal.role("api")]) as process:
        until(lambda: len(journal.entries("started")) == 2)
        first = dict(journal.entries("started"))
        os.kill(first["worker"], signal.SIGKILL)
        until(lambda: len(journal.entries("started")) == 3)
        name, pid = journal.entries("started")[-1]
        assert name == "worker"
        assert pid != first["worker"]
        assert alive(first["api"])
        process.terminate()
        assert process.wait(15) == 0
        assert process.stderr is not None
        assert "worker ended (SIGKILL); starting it again in 0.2 s" in process.stderr.read()


def test_a_configuration_error_of_one_role_stops_all_with_2(journal: Journal) -> None:
    wrong = f"import time, pathlib\nwhile not pathlib.Path({str(journal.path)!r}).exists(): time.sleep(0.01)\nexit(2)"
    with tree([journal.role("worker"), ("api", [sys.executable, "-c", wrong])]) as process:
        assert process.wait(15) == 2
    assert [name for name, _ in journal.entries("stopped")] == ["worker"]


def test_a_command_that_does_not_exist_is_named_and_tried_again() -> None:
    with tree([("api", ["/no/such/command"])]) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "foreshock: cannot start /no/such/command: No such file or directory\n"
        assert process.stderr.readline() == "api ended (exit code 127); starting it again in 0.2 s\n"
        assert process.stderr.readline().startswith("foreshock: cannot start")
        assert process.stderr.readline() == "api ended (exit code 127); starting it again in 0.4 s\n"
        process.terminate()
        assert process.wait(15) == 0


def test_killing_the_tree_kills_its_roles_and_its_server(journal: Journal, tmp_path: Path) -> None:
    with tree([journal.role("worker"), journal.role("api")], str(tmp_path / "data")) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline().split()[1])
        until(lambda: len(journal.entries("started")) == 2)
        process.kill()
        process.wait()
        until(lambda: not any(map(alive, [server, *dict(journal.entries("started")).values()])))
    assert journal.entries("stopped") == []


def test_a_killed_server_is_started_again_at_the_same_address_with_its_data(journal: Journal, tmp_path: Path) -> None:
    def accepted() -> bool:
        try:
            return bool(client.get("accepted") == b"yes" and client.info("server")["process_id"] != int(pid))
        except redis.ConnectionError:
            return False

    with tree([journal.role("worker")], str(tmp_path / "data")) as process:
        assert process.stdout is not None
        url, pid = process.stdout.readline().split()
        with redis.Redis.from_url(url) as client:
            client.set("accepted", "yes")
            os.kill(int(pid), signal.SIGKILL)
            until(accepted)
        process.terminate()
        assert process.wait(15) == 0
    assert len(journal.entries("started")) == 1


def test_pauses_double_up_to_the_longest_and_a_steady_life_resets_them() -> None:
    pauses = [0.0]
    for _ in range(8):
        pauses.append(pause_before_restart(pauses[-1], lived=1.0))
    assert pauses[1:] == [FIRST_PAUSE, 0.4, 0.8, 1.6, 3.2, 6.4, LONGEST_PAUSE, LONGEST_PAUSE]
    assert pause_before_restart(LONGEST_PAUSE, lived=STEADY) == FIRST_PAUSE


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace() -> None:
    deaf = "import signal, sys, os; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write(1, b'x'); signal.pause()"
    read, write = os.pipe()
    process = tethered([sys.executable, "-c", deaf], output=write)
    os.close(write)
    assert os.read(read, 1) == b"x"
    os.close(read)
    assert end(process, grace=0.1) == -signal.SIGKILL


@pytest.mark.parametrize("tie", ["kernel", "watcher"] if sys.platform == "linux" else ["watcher"])
def test_a_child_whose_parent_ended_before_the_tie_held_does_not_run(tmp_path: Path, tie: str) -> None:
    ran, gone = tmp_path / "ran", os.getppid()  # some process that is not the parent
    command = [sys.executable, "-I", "-S", tether.__file__, tie, str(gone), "touch", str(ran)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    assert ended in {1, -signal.SIGKILL}  # its own look at its parent, or the watcher, whichever is quicker
    assert not ran.exists()


def test_counting_and_judging_have_processes_of_their_own_and_counting_as_many_as_are_wanted(tmp_path: Path) -> None:
    found = [(role.name, role.argv[3:]) for role in roles(Settings(data_dir=tmp_path, workers=2), "unix:///store.sock")]
    parts = {name: argv[argv.index("--only") + 1] for name, argv in found if "--only" in argv}
    assert parts == {"worker": "count", "worker-2": "count", "judge": "judge,tell"}
    assert [argv[0] for _, argv in found] == ["worker", "worker", "worker", "api", "collect"]
    names = [argv[argv.index("--name") + 1] for _, argv in found if "--name" in argv]
    assert len(set(names)) == len(names) == 4


def test_several_processes_answer_on_ports_that_they_share(tmp_path: Path) -> None:
    found = roles(Settings(data_dir=tmp_path, apis=2), "unix:///store.sock")
    assert [role.name for role in found] == ["worker", "judge", "api", "api-2", "collect"]
    assert [role.name for role in found if "--shared-port" in role.argv] == ["api", "api-2"]
    assert not any("--shared-port" in role.argv for role in roles(Settings(data_dir=tmp_path), "unix:///store.sock"))
