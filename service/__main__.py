"""The command `foreshock`."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

BAD_INPUT = 2


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the one line and exit with 2."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = Parser(prog="foreshock", description="Early warning of brand crises.")
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, module: str, text: str) -> Parser:
        found: Parser = commands.add_parser(name, help=text, description=text)
        found.set_defaults(module=module)
        return found

    serve = add("serve", "service.serve", "everything in one process tree, on the embedded store")
    _store(serve)
    _web(serve)
    _config(serve)
    serve.add_argument("--data-dir", type=Path, help="where the embedded store keeps its data")
    serve.add_argument("--fsync", choices=["always", "everysec"], help="when the embedded store writes to disk")
    serve.add_argument("--replay-clock", metavar="TIME", help="run on the replay's clock, standing at this time")

    api = add("api", "service.roles", "REST, board and metrics alone")
    _store(api)
    _web(api)
    _config(api)
    for name, text in (("worker", "counting, judging and telling alone"), ("collect", "the collectors alone")):
        role = add(name, "service.roles", text)
        _store(role)
        role.add_argument("--name", help="tells this process from others of its kind; by default host and number")

    demo = add("demo", "service.demo", "plays a simulated crisis through the whole service and shows the board")
    demo.add_argument("--seed", type=int, default=1, help="another seed, another recording")
    demo.add_argument("--stay", action="store_true", help="stay up afterwards, until Ctrl-C")
    demo.add_argument("--port", type=int, default=8470, help="port of REST and board; metrics take the next one")

    replay = add("replay", "service.replay", "posts a recording (JSON Lines of mentions) into a running service")
    replay.add_argument("file", type=Path, metavar="FILE")
    replay.add_argument("--speed", metavar="N", help="simulated seconds a second, or `max`; needs a replay's clock")
    replay.add_argument("--url", default="http://127.0.0.1:8470", help="where the service listens")
    replay.add_argument("--key", help="API key; by default FORESHOCK_ADMIN_KEY")
    replay.add_argument("--batch", type=int, default=1000, help="mentions a request")

    backtest = add("backtest", "service.backtest", "what a recorded series would have raised")
    backtest.add_argument("file", type=Path, metavar="FILE.csv")
    backtest.add_argument("--budget", type=float, default=0.5, metavar="N", help="false pages a week")
    backtest.add_argument("--campaigns", type=Path, metavar="FILE.ics", help="planned events, iCalendar")
    backtest.add_argument("--forecaster", default="robust", metavar="NAME")
    backtest.add_argument("--format", choices=["json", "table"], default="table")

    add("annotate", "service.annotate", "one text a line in, one JSON object a line out")
    bench = add("bench", "service.bench", "measures a part of the service")
    bench.add_argument("name", metavar="NAME")
    bench.add_argument("--format", choices=["json", "table"], default="table")
    sources = add("sources", "service.sources", "what can be listened to, what it needs and costs")
    sources.add_argument("--format", choices=["json", "table"], default="table")
    doctor = add("doctor", "service.doctor", "says what is configured, reachable, behind, or missing")
    _store(doctor)
    _config(doctor)
    doctor.add_argument("--data-dir", type=Path, help="where the embedded store keeps its data")
    doctor.add_argument("--url", default="http://127.0.0.1:8470", help="where the service listens")
    return top


def _store(to: Parser) -> None:
    to.add_argument("--redis-url", metavar="URL", help="Redis 7.2 or newer, or Valkey; also FORESHOCK_REDIS_URL")


def _config(to: Parser) -> None:
    to.add_argument("--config", type=Path, metavar="FILE", help="foreshock.yaml: brands and webhooks")


def _web(to: Parser) -> None:
    to.add_argument("--host", help="address of REST and board (127.0.0.1)")
    to.add_argument("--port", type=int, help="port of REST and board (8470)")
    to.add_argument("--metrics-host", help="address of /metrics (127.0.0.1)")
    to.add_argument("--metrics-port", type=int, help="port of /metrics (8471)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 is success, 2 bad input."""
    top = parser()
    arguments = top.parse_args(argv)
    if arguments.version:
        from importlib.metadata import version

        print(f"foreshock {version('foreshock')}")
        return 0
    if arguments.command is None:
        top.print_help()
        return BAD_INPUT
    try:
        code: int = importlib.import_module(arguments.module).run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


if __name__ == "__main__":
    sys.exit(main())
