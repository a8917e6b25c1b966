"""`foreshock dead`: lists the dead letters of a running service, puts them in again, or drops them."""

import argparse
import asyncio
import json
import os
import sys
from typing import Any

from service.replay import ReplayError, WayIn, connect

PAGE = 200
"""Letters a request."""
MOST_IDS = 10_000
"""Ids a request."""

Letter = dict[str, Any]


class Letters(WayIn):
    """The service's dead letters; waits where the service asks for it."""

    async def newest(self, brand: str | None, limit: int) -> list[Letter]:
        """Return up to `limit` letters, newest first."""
        found: list[Letter] = []
        cursor = None
        while len(found) < limit:
            some = {"brand": brand, "limit": min(PAGE, limit - len(found)), "cursor": cursor}
            params = {name: value for name, value in some.items() if value is not None}
            answer = await self._ask("GET", "/v1/dead-letters", params=params)
            found += answer["items"]
            cursor = answer["next"]
            if cursor is None:
                break
        return found

    async def act(self, what: str, ids: list[str], brand: str | None) -> Letter:
        """Replay or drop the letters with these ids, or all (of one brand), and say what became of them."""
        method, path = ("POST", "/v1/dead-letters/replay") if what == "replay" else ("DELETE", "/v1/dead-letters")
        which: dict[str, Any] = {"ids": ids} if ids else {"all": True}
        return await self._ask(method, path, json={**which, "brand": brand})


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; 1 where a letter could not be put in again, 2 on bad input."""
    wrong = _wrong(arguments)
    if wrong:
        return _refuse(wrong)
    key = arguments.key or os.environ.get("FORESHOCK_ADMIN_KEY")
    if not key:
        return _refuse("a key is needed; give it by --key or FORESHOCK_ADMIN_KEY")
    try:
        return asyncio.run(_act(arguments, key))
    except ReplayError as error:
        return _refuse(str(error))


def _wrong(arguments: argparse.Namespace) -> str | None:
    if not arguments.url.startswith(("http://", "https://")):
        return f"--url {arguments.url}: an address such as http://127.0.0.1:8470 would be right"
    if arguments.limit < 1:
        return f"--limit {arguments.limit}: how many letters, 1 or more, would be right"
    if len(arguments.ids) > MOST_IDS:
        return f"{len(arguments.ids)} ids are more than {MOST_IDS}; name them in parts, or use --all"
    if arguments.what == "list":
        return "list takes no ids" if arguments.ids else None
    if not arguments.ids and not arguments.all and not arguments.brand:
        return f"{arguments.what} which ones? ids, --brand B or --all would be right"
    return None


async def _act(arguments: argparse.Namespace, key: str) -> int:
    async with connect(arguments.url, key) as client:
        letters = Letters(client)
        if arguments.what == "list":
            _show(await letters.newest(arguments.brand, arguments.limit), arguments.format)
            return 0
        told = await letters.act(arguments.what, arguments.ids, arguments.brand)
    if arguments.format == "json":
        print(json.dumps(told))
    else:
        done = "put in again" if arguments.what == "replay" else "dropped"
        print(f"{done} {told['done']}, stay {told['failed']}")
        for error in told["errors"]:
            print(f"foreshock dead: {error['id']}: {error['what']}", file=sys.stderr)
    return int(told["failed"] > 0)


def _show(letters: list[Letter], form: str) -> None:
    if form == "json":
        for letter in letters:
            print(json.dumps(letter, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    columns = ("id", "buried_at", "brand", "source", "mention_id", "kind", "reason")
    table = Table(*columns)
    for letter in letters:
        table.add_row(*(escape(_plain(letter[c])) for c in columns))
    Console().print(table)


def _plain(value: str | None) -> str:
    """Return what a terminal may be given: a mention's id is anybody's text."""
    return "".join(c if c.isprintable() else "?" for c in value or "")


def _refuse(sentence: str) -> int:
    print(f"foreshock dead: {sentence}", file=sys.stderr)
    return 2
