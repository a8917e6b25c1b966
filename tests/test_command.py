"""The command line: quick, one clear line on bad input, and light to import."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import service


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "service", *arguments], capture_output=True, text=True, check=False)


def test_help_is_quick() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        assert run("--help").returncode == 0
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 0.5


COMMANDS = [
    "serve",
    "api",
    "worker",
    "collect",
    "demo",
    "replay",
    "backtest",
    "annotate",
    "query",
    "bench",
    "doctor",
    "sources",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    found = run(command, "--help")
    assert found.returncode == 0
    assert found.stdout.startswith(f"usage: foreshock {command}")


def test_every_command_stands_in_the_readme() -> None:
    readme = (Path(service.__file__).parents[1] / "README.md").read_text()
    assert [c for c in COMMANDS if f"foreshock {c}" not in readme] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["backtest"], "required: FILE.csv"),
        (["backtest", "none.csv"], "none.csv"),
        (["replay", "none.jsonl", "--key", "k"], "none.jsonl"),
        (["serve", "--port", "many"], "invalid int value"),
        (["serve", "--config", "none.yaml"], "none.yaml: No such file"),
        (["serve", "--replay-clock", "yesterday"], "no ISO 8601 time"),
        (["api", "--redis-url", "redis://127.0.0.1:1", "--config", "none.yaml"], "none.yaml: No such file"),
        (["api"], "--redis-url URL is needed"),
        (["worker"], "--redis-url URL is needed"),
        (["worker", "--only", "count,sing"], "choose from count, judge, tell"),
        (["serve", "--workers", "0"], "a whole number from 1 to 64"),
        (["bench", "speed"], "there is no 'speed'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], says: str) -> None:
    found = run(*arguments)
    assert found.returncode == 2
    assert says in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = run("serve", "--data-dir", str(tmp_path / "data"), "--port", port)
    assert found.returncode == 2
    assert f"127.0.0.1:{port} can't be listened on" in found.stderr
    assert "Traceback" not in found.stderr


def test_importing_the_service_imports_nothing_heavy() -> None:
    heavy = ("prophet", "statsmodels", "pandas", "matplotlib")
    code = f"import service, sys; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
