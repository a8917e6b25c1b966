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
    _accept(serve)
    _web(serve)
    _config(serve)
    serve.add_argument("--data-dir", type=Path, help="where the embedded store keeps its data")
    serve.add_argument("--fsync", choices=["always", "everysec"], help="when the embedded store writes to disk")
    serve.add_argument(
        "--store-memory", metavar="SIZE", help="what the embedded store may take, such as 4gb (60 %% of the memory)"
    )
    serve.add_argument(
        "--workers", type=_number, metavar="N", help="processes that count (1); one more judges and tells"
    )
    serve.add_argument("--apis", type=_number, metavar="N", help="processes that answer REST, on one port (1)")
    serve.add_argument(
        "--watch", action="append", metavar="NAME", help="watch a brand by its name, with the sources that need no key"
    )
    serve.add_argument("--replay-clock", metavar="TIME", help="run on the replay's clock, standing at this time")

    api = add("api", "service.roles", "REST, board and metrics alone")
    api.add_argument("--shared-port", action="store_true", default=None, help="listen beside others on the same ports")
    _store(api)
    _accept(api)
    _web(api)
    _config(api)
    for name, text in (("worker", "counting, judging and telling alone"), ("collect", "the collectors alone")):
        role = add(name, "service.roles", text)
        _store(role)
        role.add_argument("--name", help="tells this process from others of its kind; by default host and number")
        if name == "worker":
            role.add_argument(
                "--only", type=_parts, metavar="WORK", help="a part of it: count, judge or tell; a comma between"
            )
        else:
            _accept(role)

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

    dead = add("dead", "service.dead_command", "mentions that could not be counted: list, replay or drop them")
    dead.add_argument("what", choices=["list", "replay", "drop"], help="replay puts them in again, by the ordinary way")
    dead.add_argument("ids", nargs="*", metavar="ID", help="dead letters to replay or drop")
    dead.add_argument("--brand", metavar="B", help="those of one brand")
    dead.add_argument("--all", action="store_true", help="all of them")
    dead.add_argument("--limit", type=int, default=50, metavar="N", help="list at most so many, newest first (50)")
    dead.add_argument("--format", choices=["json", "table"], default="table")
    dead.add_argument("--url", default="http://127.0.0.1:8470", help="where the service listens")
    dead.add_argument("--key", help="API key; by default FORESHOCK_ADMIN_KEY")

    drill = add("drill", "service.drill_command", "injects a marked revolt and says which channels it reached")
    drill.add_argument("brand", metavar="BRAND", help="a watched brand")
    drill.add_argument("--severity", type=int, choices=range(1, 6), default=4, help="1 to 5 (4)")
    drill.add_argument("--seconds", type=float, default=30.0, metavar="S", help="how long it is followed (30)")
    drill.add_argument("--format", choices=["json", "table"], default="table")
    drill.add_argument("--url", default="http://127.0.0.1:8470", help="where the service listens")
    drill.add_argument("--key", help="API key; by default FORESHOCK_ADMIN_KEY")

    backtest = add("backtest", "service.backtest", "what a recorded series would have raised")
    backtest.add_argument("file", type=Path, metavar="FILE.csv")
    backtest.add_argument("--budget", type=float, default=0.5, metavar="N", help="false pages a week")
    backtest.add_argument("--campaigns", type=Path, metavar="FILE.ics", help="planned events, iCalendar")
    backtest.add_argument("--forecaster", default="robust", metavar="NAME")
    backtest.add_argument("--format", choices=["json", "table"], default="table")

    backup = add("backup", "service.backup", "the whole store in one file, while it is in use")
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--force", action="store_true", help="replace the file if it is there")
    restore = add("restore", "service.restore", "a backup into an empty store of any form")
    restore.add_argument("file", type=Path, metavar="FILE")
    for one in (backup, restore):
        _store(one)
        one.add_argument("--data-dir", type=Path, help="where the embedded store keeps its data")

    _sentiment(add("annotate", "service.annotate", "one text a line in, one JSON object a line out"))
    query = add("query", "service.query_command", "which texts a query matches, one a line, and which terms did it")
    query.add_argument("query", metavar="QUERY", help="as a brand has it: docs/query.md")
    query.add_argument("file", nargs="?", type=Path, metavar="FILE", help="texts; by default standard input")
    query.add_argument("--mentions", action="store_true", help="each line is a mention as JSON: filters need it")
    query.add_argument("--format", choices=["json", "table"], default="table")
    bench = add("bench", "service.bench", "measures a part of the service")
    bench.add_argument("name", metavar="NAME", help="ingest, count, annotate, tweets, replays, ...")
    bench.add_argument("--format", choices=["json", "table"], default="table")
    _load(bench)
    _sentiment(bench)
    sources = add("sources", "service.sources", "what can be listened to, what it needs and costs")
    sources.add_argument("--format", choices=["json", "markdown", "table"], default="table")
    doctor = add("doctor", "service.doctor", "says what is configured, reachable, behind, or missing")
    _store(doctor)
    _config(doctor)
    doctor.add_argument("--data-dir", type=Path, help="where the embedded store keeps its data")
    doctor.add_argument("--url", default="http://127.0.0.1:8470", help="where the service listens")
    return top


def _parts(text: str) -> frozenset[str]:
    """Return the parts of a worker's work that a list names."""
    from service.settings import WORK

    parts = frozenset(part.strip() for part in text.split(","))
    if not parts <= set(WORK):
        raise argparse.ArgumentTypeError(f"{text!r}: choose from {', '.join(WORK)}, with a comma between")
    return parts


def _number(text: str) -> int:
    """Return a whole number from 1 to 64."""
    if not (text.isdigit() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 to 64 is expected")
    return int(text)


def _sentiment(to: Parser) -> None:
    to.add_argument(
        "--sentiment",
        metavar="ENGINE",
        help="linear (default), vader, or onnx:LANGUAGES:DIR, a classifier in DIR; also FORESHOCK_SENTIMENT",
    )


def _load(to: Parser) -> None:
    to.add_argument("--brands", type=int, default=1000, metavar="N", help="brands that are watched (1000)")
    to.add_argument("--match", type=float, default=0.05, metavar="SHARE", help="share that matches a brand (0.05)")
    to.add_argument("--mode", choices=["always", "everysec"], default="everysec", help="when the store writes to disk")
    to.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="how long each of the two loads lasts (10)"
    )
    to.add_argument("--rate", type=float, metavar="R", help="mentions a second of the steady load (half of the most)")
    to.add_argument("--data", type=Path, metavar="DIR", help="folder of series whose truth is known (tweets, replays)")
    to.add_argument("--short", action="store_true", help="a sample, in seconds instead of minutes (of detection)")
    to.add_argument("--seed", type=int, default=1, help="another seed, other simulated series")
    to.add_argument("--apis", type=_number, default=2, metavar="N", help="processes of the service that answer (2)")
    to.add_argument("--quiet-brands", type=int, default=20, metavar="N", help="sample of quiet brands to weigh (20)")


def _store(to: Parser) -> None:
    to.add_argument(
        "--redis-url",
        metavar="URL",
        help="Redis 7.2 or newer, or Valkey: redis://, rediss://, unix://, redis+sentinel://HOST,HOST/SERVICE "
        "or redis+cluster://HOST,HOST; also FORESHOCK_REDIS_URL",
    )


def _accept(to: Parser) -> None:
    to.add_argument(
        "--accept",
        type=_promise,
        metavar="PROMISE",
        help="what is true of a mention once it is accepted: it is in the store's `memory` (default), on its `disk`, "
        "or in the memory of N replicas too, `replicas:N` (name all, to survive any failover); also FORESHOCK_ACCEPT",
    )


def _promise(text: str) -> str:
    from service.promise import read_promise

    try:
        return str(read_promise(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
