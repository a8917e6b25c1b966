"""Sends the weekly note once a week, whatever number of processes run and restart.

What is to be told, and to whom, is stored in one step before any of it is sent; each try is made by one process.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, cast

from redis.exceptions import RedisError

from service import keys, weekly
from service.notify import delivery_log
from service.notify.channel import Channel
from service.notify.notice import Message, Outcome, Sender
from service.notify.routing import brands_of, receivers
from service.notify.schedule import MANNERS, again
from service.notify.senders import Speaker
from service.registry import Registry
from service.store import Store, mended

EVERY = 30.0
"""Seconds between two looks."""
SEND_SECONDS = 20.0
TAKEN_SECONDS = 60
"""How long a try belongs to the process that began it: longer than it may take."""
KEPT = 12
"""Weeks whose notes are kept."""

log = logging.getLogger("foreshock.notify")

Senders = Mapping[str, Callable[[Channel], Sender]]


class WeeklyNote:
    """Any number may run. `now` gives POSIX seconds."""

    def __init__(
        self, store: Store, registry: Registry, senders: Senders, url: str, now: Callable[[], float] = time.time
    ) -> None:
        self._store, self._registry = store, registry
        self._senders = senders
        self._url = url
        self._now = now

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                await self.turn()
            except (RedisError, OSError) as error:
                log.warning("the store is away (%s), trying again", type(error).__name__)
                await mended(self._store, error)
            except Exception:  # the note must not end who tells of crises
                log.exception("the weekly note")
            await asyncio.sleep(EVERY)

    async def turn(self) -> None:
        """Plan the note that is due, and send what of it is."""
        await self._registry.refresh()
        zone = weekly.zone_of(self._registry.brands.values())
        monday = weekly.last_week(self._now(), zone)
        week = weekly.identity(monday)
        stored = await self._store.do("HGET", keys.WEEKLY, week)
        if stored is None:
            stored = await self._plan(monday, week)
        told = json.loads(stored)
        for name in told["channels"]:
            await self._tell(week, name, told)

    async def _plan(self, monday: date, week: str) -> bytes:
        """Store the note and to whom it goes, unless somebody did; the week in which it all began has none."""
        channels = self._to() if await self._store.do("HLEN", keys.WEEKLY) else []
        note: dict[str, Any] = {"at": self._now(), "channels": channels}
        if channels:
            start = weekly.begins(monday, weekly.zone_of(self._registry.brands.values()))
            brands = [await weekly.watched(self._store, b, start, self._now()) for b in self._registry.brands.values()]
            note |= self._words(monday, brands)
            known = {name: brands_of(self._registry, name) for name in channels}
            note["own"] = {
                name: self._words(monday, [one for one in brands if one.brand in some])
                for name, some in known.items()
                if some is not None
            }
        await self._store.do("HSETNX", keys.WEEKLY, week, json.dumps(note))
        await self._forget()
        return cast(bytes, await self._store.do("HGET", keys.WEEKLY, week))

    def _words(self, monday: date, brands: Sequence[weekly.Watched]) -> dict[str, Any]:
        words = weekly.note(monday, brands, self._url)
        return {"title": words.title, "summary": words.summary, "lines": list(words.lines), "facts": words.facts}

    def _to(self) -> list[str]:
        has = self._registry.channels
        built = {name: self._senders[has[name].type](has[name]) for name in sorted(wanted(self._registry))}
        hears = {name for name in built if brands_of(self._registry, name) != frozenset()}
        return [name for name, sender in built.items() if isinstance(sender, Speaker) and name in hears]

    async def _tell(self, week: str, name: str, note: Mapping[str, Any]) -> None:
        """Make the channel's next try if that is due."""
        field, now = f"{week}{keys.SEPARATOR}{name}", self._now()
        stored = await self._store.do("HGET", keys.WEEKLY, field)
        state: dict[str, Any] = json.loads(stored) if stored else {"tries": 0, "due": 0.0, "outcome": "waiting"}
        if state["outcome"] != "waiting" or state["due"] > now:
            return
        mine = keys.weekly_try(week, name, state["tries"])
        if not await self._store.do("SET", mine, 1, "NX", "EX", TAKEN_SECONDS):
            return
        if await self._store.do("HGET", keys.WEEKLY, field) != stored:  # somebody was done with it just before
            return
        channel = receivers(self._registry).get(name)
        outcome = Outcome("never", "there is no such channel any more")
        if channel is not None:
            outcome = await self._send(channel, note.get("own", {}).get(name, note))
        due = again(MANNERS["slack"], f"{week} {name}", note["at"], now, outcome.after) or 0.0
        state |= {"tries": state["tries"] + 1, "due": due, "detail": delivery_log.public(outcome.detail)}
        if outcome.result == "delivered":
            state["outcome"] = "delivered"
        elif outcome.result == "never" or not due:
            state["outcome"] = "lost"
            log.error("the weekly note %s to channel %s is lost: %s", week, name, state["detail"])
        await self._store.do("HSET", keys.WEEKLY, field, json.dumps(state))
        if channel is not None:
            said = "failed" if state["outcome"] == "waiting" else state["outcome"]
            await delivery_log.count(self._store, said, channel.type)

    async def _send(self, channel: Channel, note: Mapping[str, Any]) -> Outcome:
        sender = self._senders[channel.type](channel)
        if not isinstance(sender, Speaker):
            return Outcome("never", "this channel takes episodes alone")
        facts = [(name, value) for name, value in note["facts"]]
        words = Message(note["title"], note["summary"], lines=note["lines"], facts=facts, url=self._url, resolved=True)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await sender.say(words)
        except TimeoutError:
            return Outcome("again", f"no answer within {SEND_SECONDS:.0f} s", maybe=True)

    async def _forget(self) -> None:
        """Keep the newest weeks alone."""
        fields = [field.decode() for field in await self._store.do("HKEYS", keys.WEEKLY)]
        weeks = sorted({field.partition(keys.SEPARATOR)[0] for field in fields})
        if old := [field for field in fields if field.partition(keys.SEPARATOR)[0] in weeks[:-KEPT]]:
            await self._store.do("HDEL", keys.WEEKLY, *old)


def wanted(has: Registry) -> set[str]:
    """Return the channels that the note goes to: those of routes that ask for it, or all where none does.

    It is for people: systems' webhooks, Alertmanagers and services that keep incidents get none.
    """
    people = {name for name, channel in has.channels.items() if channel.type in ("slack", "apprise")}
    asked = [route for route in has.routes if route.weekly]
    if not asked:
        return people
    named = {name for route in asked for name in route.to}
    on_duty = {person.channel for name, duty in has.duties.items() if name in named for person in duty.people}
    return people & (named | on_duty)
