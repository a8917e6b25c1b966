"""`foreshock drill`: injects a marked revolt into a running service and says which channels it reached."""

import argparse
import asyncio
import json
import os
import sys
from typing import Any

from service.replay import ReplayError, WayIn, connect


class Drills(WayIn):
    """The service's drills."""

    async def start(self, brand: str, severity: int, seconds: float) -> dict[str, Any]:
        """Drill a brand; answers when all was told, or after so many seconds."""
        told = {"brand": brand, "severity": severity, "seconds": seconds}
        return await self._ask("POST", "/v1/drills", json=told)


def run(arguments: argparse.Namespace) -> int:
    """Drill; 0 where every channel that had to be told was, 1 where one was not, 2 on bad input."""
    key = arguments.key or os.environ.get("FORESHOCK_ADMIN_KEY")
    if not key:
        return _refuse("a key is needed; give it by --key or FORESHOCK_ADMIN_KEY")
    if not arguments.url.startswith(("http://", "https://")):
        return _refuse(f"--url {arguments.url}: an address such as http://127.0.0.1:8470 would be right")
    try:
        report = asyncio.run(_start(arguments, key))
    except ReplayError as error:
        return _refuse(str(error))
    print(json.dumps(report) if arguments.format == "json" else shown(report))
    return 0 if report["arrived"] else 1


async def _start(arguments: argparse.Namespace, key: str) -> dict[str, Any]:
    async with connect(arguments.url, key) as client:
        return await Drills(client).start(arguments.brand, arguments.severity, arguments.seconds)


def shown(report: dict[str, Any]) -> str:
    """Return a report as lines."""
    lines = [f"drill {report['episode']} of {report['brand']}, severity {report['severity']}, is over"]
    for one in report["channels"]:
        at = "" if one["seconds"] is None else f" after {one['seconds']:g} s"
        lines.append(f"  {one['channel']}: {one['outcome']}{at}{': ' if one['detail'] else ''}{one['detail']}")
    return "\n".join(lines if report["channels"] else [*lines, "  there is no channel: nobody would be told"])


def _refuse(sentence: str) -> int:
    print(f"foreshock drill: {sentence}", file=sys.stderr)
    return 2
