"""Sends what is due: each notice to its channel, again until it arrived or its schedule is over."""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
from pydantic import ValidationError
from redis.exceptions import RedisError

from service import keys
from service.episode import Episode, Event
from service.notify import delivery_log
from service.notify.breaker import Breaker
from service.notify.channel import Channel
from service.notify.digest import URGENT, Allowance, merged
from service.notify.due import LEASE, Claim, Due, Pending
from service.notify.notice import Message, Notice, Outcome, Sender
from service.notify.routing import receivers, seen_by
from service.notify.schedule import LONGEST_ASKED, MANNERS, again
from service.notify.senders import IncidentSender
from service.registry import Registry
from service.store import Store, mended

Senders = Mapping[str, Callable[[Channel], Sender]]
"""By type of channel."""
Compose = Callable[[Event], Message]

SEND_SECONDS = 20.0
"""How long one try may take."""
EACH, WAITING, MOST = 8, 64, 1000
"""Tries under way to a channel at a time; those, and what waits for its turn; both for all channels."""
PATIENCE = 2.0
"""Seconds that a notice in hand waits for its turn; that and a try are shorter than a claim is held."""
LOOK = 1.0
"""Seconds between two looks at what is due, where nobody says that something is."""
QUIETED = {"acknowledged", "snoozed", "resolved"}

log = logging.getLogger("foreshock.notify")


class _Entry(msgspec.Struct):
    type: str
    at: datetime


class _State(msgspec.Struct):
    state: str = "open"
    log: list[_Entry] = []

    def taken(self, since: datetime) -> str | None:
        """Return what somebody did about it after an instant, None where nobody did anything."""
        done = (entry.type.removeprefix("episode.") for entry in self.log if entry.at > since)
        return next((what for what in done if what in QUIETED), None)


_state = msgspec.json.Decoder(_State)


@dataclass
class _Way:
    """What this process knows of one channel."""

    breaker: Breaker = field(default_factory=Breaker)
    allowance: Allowance = field(default_factory=Allowance)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EACH))
    underway: int = 0
    built: tuple[Channel, Sender] | None = None


@dataclass(frozen=True)
class Letter:
    """A claimed notice with its event, how its episode stands now, and what somebody did about it since the event."""

    claim: Claim
    event: Event
    state: str
    taken: str | None = None

    @property
    def pending(self) -> Pending:
        """The notice."""
        return self.claim.pending

    @property
    def urgent(self) -> bool:
        """Whether it stands for itself however much there is to tell."""
        return self.pending.page and self.event.episode.severity >= URGENT


def needless(letter: Letter) -> str | None:
    """Return why a notice is not to be sent any more; None where it is."""
    pending = letter.pending
    if pending.page and not pending.system and letter.state == "resolved":
        return "resolved meanwhile"
    if pending.unless == "acknowledged" and (letter.state in QUIETED or letter.taken):
        return f"{letter.taken or letter.state} meanwhile"
    if pending.only_if_paged and not letter.claim.knows:
        return "no page of it arrived there"
    return None


def plain(event: Event) -> Message:
    """Return the fewest words that tell of an event."""
    episode = event.episode
    title = f"{event.brand}: {event.type.removeprefix('episode.')}, severity {episode.severity} of 5"
    return Message(title, episode.reason, severity=episode.severity, resolved=episode.state == "resolved")


class Dispatch:
    """Any number may run: who claims a notice has it alone. `now` gives POSIX seconds."""

    def __init__(
        self, store: Store, registry: Registry, senders: Senders, compose: Compose, now: Callable[[], float] = time.time
    ) -> None:
        self._store, self._due = store, Due(store)
        self._registry = registry
        self._senders = senders
        self._compose = compose
        self._now = now
        self._ways: dict[str, _Way] = defaultdict(_Way)
        self._underway: set[asyncio.Task[None]] = set()
        self._wake, self._woken = asyncio.Event(), set[str]()

    def wake(self, tag: str) -> None:
        """Say that something of a shard is due."""
        self._woken.add(tag)
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        renewing = asyncio.create_task(self._renew())
        try:
            loop, looked = asyncio.get_running_loop(), -LOOK
            while True:
                try:
                    tags: Sequence[str] = sorted(self._woken)
                    if loop.time() - looked >= LOOK:
                        looked, tags = loop.time(), keys.all_shards()
                    self._wake.clear()
                    self._woken -= set(tags)
                    await self.turn(tags)
                    with contextlib.suppress(TimeoutError):
                        # wait_for of Python 3.11 forgets a cancellation that comes with the wake
                        async with asyncio.timeout(max(looked + LOOK - loop.time(), 0.0)):
                            await self._wake.wait()
                except (RedisError, OSError) as error:
                    log.warning("the store is away (%s), trying again", type(error).__name__)
                    await asyncio.sleep(0.5)
                    await mended(self._store, error)
                except Exception:  # one notice that can't be sent must not end who judges beside
                    log.exception("sending what is due")
                    await asyncio.sleep(LOOK)
        finally:
            for task in (renewing, *self._underway):
                task.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 4)
            with contextlib.suppress(RedisError, OSError):
                await self._due.renew(self._now())

    async def settled(self) -> None:
        """Wait until no try is under way."""
        while self._underway:
            await asyncio.wait(self._underway)

    async def turn(self, tags: Sequence[str] | None = None) -> int:
        """Claim what is due, in all shards or some, and begin to send it; return how many notices that were."""
        if len(self._underway) >= MOST:
            await asyncio.wait(self._underway, return_when=asyncio.FIRST_COMPLETED)
        claims = await self._due.claim(keys.all_shards() if tags is None else tags, self._now())
        if not claims:
            return 0
        for tag in {claim.tag for claim in claims}:
            self.wake(tag)  # there may be more
        await self._registry.refresh()
        by_channel: dict[str, list[Letter]] = defaultdict(list)
        for letter in await self._letters(claims):
            if why := needless(letter):
                await self._end(letter.claim, "dropped", why)
            else:
                by_channel[letter.pending.channel].append(letter)
        for name, letters in by_channel.items():
            await self._tell(name, letters)
        return len(claims)

    async def _letters(self, claims: Sequence[Claim]) -> list[Letter]:
        commands: list[tuple[object, ...]] = []
        for claim in claims:
            entry = claim.pending.entry
            commands.append(("XRANGE", keys.events(claim.tag), entry, entry))
            commands.append(("HGET", keys.episodes(claim.tag), claim.pending.episode))
        answers = iter(await self._store.pipe(commands))
        found = []
        for claim in claims:
            entries, stored = next(answers), next(answers)
            pending = claim.pending
            if pending.muted:
                await self._end(claim, "muted", f"muted by {pending.muted}")
                continue
            try:
                event = _event(pending, entries[0][1] if entries else {}, stored)
            except ValidationError:
                log.exception("the event of notice %s can't be read", pending.id)
                await self._end(claim, "lost", "its event can't be read by this version")
                continue
            if event is None:
                await self._end(claim, "dropped", "its episode is gone")
            else:
                stands = _state.decode(stored) if stored else _State(event.episode.state)
                found.append(Letter(claim, event, stands.state, stands.taken(event.at)))
        return found

    async def _tell(self, name: str, letters: Sequence[Letter]) -> None:
        """Send what a channel takes now, and put the rest off."""
        channel, way, now = receivers(self._registry).get(name), self._ways[name], self._now()
        if channel is None:
            for letter in letters:
                await self._end(letter.claim, "dropped", "there is no such channel any more")
            return
        people = self._takes_many(channel, way)
        left = way.allowance.left(channel.per_minute, now)
        rest = [letter for letter in letters if people and not letter.urgent]
        groups = [[letter] for letter in letters if not people or letter.urgent]
        groups += [rest] if rest and 1 <= left < len(rest) else [[letter] for letter in rest]
        for group in groups:
            until = way.breaker.waits(now)
            if now < way.allowance.closed_until:
                until = max(until or 0.0, way.allowance.closed_until)
            elif group[0] in rest and not left:
                until = max(until or 0.0, way.allowance.opens(channel.per_minute, now))
            elif way.underway >= WAITING:
                until = max(until or 0.0, now + LOOK)
            if until is not None:
                await self._put_off(group, until)
                continue
            way.underway += 1
            way.allowance.sent.append(now)
            task = asyncio.create_task(self._in_turn(channel, way, group))
            self._underway.add(task)
            task.add_done_callback(self._underway.discard)

    def _takes_many(self, channel: Channel, way: _Way) -> bool:
        """Say whether a channel takes several notices in one message: people do, an incident is one episode's."""
        try:
            return MANNERS[channel.type].people and not isinstance(self._sender(channel, way), IncidentSender)
        except Exception:  # it will fail when it is sent, and be said there  # noqa: BLE001
            return False

    def _sender(self, channel: Channel, way: _Way) -> Sender:
        if way.built is None or way.built[0] != channel:
            way.built = (channel, self._senders[channel.type](channel))
        return way.built[1]

    async def _in_turn(self, channel: Channel, way: _Way, letters: Sequence[Letter]) -> None:
        """Wait for the channel to be free, and send, unless it failed meanwhile."""
        try:
            async with asyncio.timeout(PATIENCE):
                await way.turns.acquire()
        except TimeoutError:
            await self._put_off(letters, self._now() + LOOK)
            return
        finally:
            way.underway -= 1
        try:
            until = way.breaker.waits(self._now())
            if until is None:
                await self._send(channel, way, letters)
            else:
                await self._put_off(letters, until)
        except (RedisError, OSError) as error:
            log.warning("the store is away (%s): what was sent will be sent again", type(error).__name__)
        finally:
            way.turns.release()

    async def _put_off(self, letters: Sequence[Letter], until: float) -> None:
        for letter in letters:
            await self._due.later(letter.claim.tag, letter.pending, self._now(), until)

    async def _send(self, channel: Channel, way: _Way, letters: Sequence[Letter]) -> None:
        """Make one try and note what became of it."""
        began, way.breaker = time.monotonic(), way.breaker.begun()
        outcome = Outcome("again", "ended", maybe=True)
        try:
            outcome = await self._try(channel, way, letters)
        finally:
            good = outcome.result != "again" or outcome.after is not None
            way.breaker = way.breaker.told(self._now(), good)
            asked = None if outcome.after is None else min(outcome.after, LONGEST_ASKED)
            way.allowance.told(self._now(), asked)
        now, ms = self._now(), 1000 * (time.monotonic() - began)
        for letter in letters:
            await self._note(letter, outcome, now, ms)

    async def _try(self, channel: Channel, way: _Way, letters: Sequence[Letter]) -> Outcome:
        letters = [replace(one, event=seen_by(self._registry, channel.name, one.event)) for one in letters]
        notice = _notice(letters[0])
        try:
            sender = self._sender(channel, way)
            messages = [self._message(letter.event) for letter in letters]
            message = messages[0]
            if len(letters) > 1:
                message = merged(messages, message.url.partition("#")[0])
                notice = replace(notice, id=f"{notice.id}+{len(letters) - 1}")
            async with asyncio.timeout(SEND_SECONDS):
                return await sender.send(notice, message)
        except TimeoutError:
            return Outcome("again", f"no answer within {SEND_SECONDS:.0f} s", maybe=True)
        except Exception as error:  # what is wrong with one channel must not keep others waiting  # noqa: BLE001
            log.warning("channel %s: %s", channel.name, type(error).__name__)
            return Outcome("again", f"the sender failed: {type(error).__name__}", maybe=True)

    def _message(self, event: Event) -> Message:
        try:
            return self._compose(event)
        except Exception:  # a page with few words is better than none
            log.exception("the words for %s", event.id)
            return plain(event)

    async def _note(self, letter: Letter, outcome: Outcome, now: float, ms: float) -> None:
        was = letter.pending
        pending = msgspec.structs.replace(was, tries=was.tries + 1, maybe=was.maybe or outcome.maybe)
        detail, tag = delivery_log.public(outcome.detail), letter.claim.tag
        due = again(MANNERS[was.kind], was.id, was.due, now, outcome.after) if outcome.result == "again" else None
        if outcome.result == "delivered":
            await self._end(replace(letter.claim, pending=pending), "delivered", detail, ms)
        elif due is None:
            log.error("notice %s to channel %s is lost: %s", was.id, was.channel, detail)
            await delivery_log.count(self._store, "failed", was.kind)
            await self._end(replace(letter.claim, pending=pending), "lost", detail, ms)
        else:
            await self._due.later(tag, pending, now, due, detail or "it failed", ms)
            await delivery_log.count(self._store, "failed", was.kind)

    async def _end(self, claim: Claim, how: delivery_log.Ending, detail: str, ms: float = 0.0) -> None:
        await self._due.end(claim.tag, claim.pending, self._now(), how, detail, ms)
        await delivery_log.count(self._store, how, claim.pending.kind)
        self.wake(claim.tag)  # the next of its line is due


def _event(pending: Pending, entry: Mapping[bytes, bytes], stored: bytes | None) -> Event | None:
    """Return a notice's event as the log has it; where it was taken out, its episode as it stands tells the same."""
    if b"event" in entry:
        return Event.model_validate_json(entry[b"event"])
    if stored is None:
        return None
    values = {"id": pending.event, "type": pending.type, "at": pending.at, "brand": pending.brand}
    return Event.model_validate({**values, "episode": Episode.model_validate_json(stored)})


def _notice(letter: Letter) -> Notice:
    pending = letter.pending
    return Notice(pending.id, pending.channel, letter.event, pending.why, pending.page)
