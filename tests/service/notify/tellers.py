"""What tests of telling need: an event in the store, channels that a test answers for, a clock that it moves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service import keys
from service.episode import Episode, EventType
from service.episodes import Episodes
from service.lease import Lease
from service.notify.auditor import Auditor
from service.notify.channel import CHANNEL, Channel
from service.notify.dispatch import Dispatch, plain
from service.notify.notice import Message, Notice, Outcome, Sender
from service.notify.outbox import Outbox
from service.registry import Registry
from service.store import Store
from tests.service.test_lease import episode

START = 1_800_000_000.0
SECRET = "whsec_Rm9yZXNob2NrIGFjY2VwdGFuY2UgdGVzdHMgb25seQ=="
GOOD = Outcome("delivered")
DOWN = Outcome("again", "connection refused")
CHANNELS: dict[str, dict[str, Any]] = {
    "pager": {"type": "slack", "webhook_url": "https://hooks.slack.example/T0/B0/secret"},
    "system": {"type": "webhook", "url": "https://system.example/hook", "secrets": [SECRET]},
}

Answer = Callable[[Notice], Outcome]


@dataclass
class Desk:
    """Everything that tells, on a clock of the test's; `answers` are the receivers'. Any number may share a store."""

    store: Store
    now: float = START
    name: str = "me"
    answers: dict[str, Answer] = field(default_factory=dict)
    sent: list[tuple[float, Notice, Message]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry = Registry(self.store)
        built = dict.fromkeys(("slack", "webhook", "apprise", "alertmanager"), self._sender)
        self.dispatch = Dispatch(self.store, self.registry, built, plain, lambda: self.now)
        self.outbox = Outbox(self.store, self.registry, self.name, now=lambda: self.now)
        self.auditor = Auditor(self.store, self.registry, Lease(self.store, self.name, "audit"), lambda: self.now)

    def _sender(self, channel: Channel) -> Sender:
        desk = self

        class Of:
            async def send(self, notice: Notice, message: Message) -> Outcome:
                desk.sent.append((desk.now, notice, message))
                answer = desk.answers.get(channel.name)
                return answer(notice) if answer else GOOD

        return Of()

    async def configured(self, *names: str, **more: Any) -> None:
        """Have these channels, and no others."""
        for name in names or CHANNELS:
            await self.registry.put_channel(CHANNEL.validate_python({**CHANNELS[name], "name": name, **more}))

    async def turn(self) -> None:
        """Plan and send all that is due now."""
        await self.outbox.new()
        await self.outbox.left(0)
        while await self.dispatch.turn():
            await self.dispatch.settled()

    async def jump(self) -> bool:
        """Go to when something is due next; say whether there is anything."""
        asked = [
            ("ZRANGE", key(tag), 0, 0, "WITHSCORES") for tag in keys.all_shards() for key in (keys.due, keys.sending)
        ]
        waiting = [float(found[0][1]) for found in await self.store.pipe(asked) if found]
        if waiting:
            self.now = max(self.now, min(waiting))
            await self.turn()
        return bool(waiting)

    async def until(self, end: float) -> None:
        """Let time pass."""
        while self.now < end and await self.jump():
            pass

    def told(self, channel: str) -> list[str]:
        """Return the types of the events that a channel was sent, without `episode.`."""
        return [n.event.type.removeprefix("episode.") for _, n, _ in self.sent if n.channel == channel]

    def times(self, channel: str) -> list[float]:
        """Return when a channel was sent something, in seconds since the start."""
        return [at - START for at, n, _ in self.sent if n.channel == channel]


async def opened(store: Store, brand: str = "acme", at: float = START, **change: object) -> Episode:
    """Open an episode."""
    identity = f"ep_{keys.shard(brand).strip('{}')}_1_{brand}"
    when = datetime.fromtimestamp(at, UTC)
    found = episode(id=identity, brand=brand, opened_at=when, started_at=when, updated_at=when, **change)
    found = found.model_copy(update={"log": [entry.model_copy(update={"at": when}) for entry in found.log]})
    await Episodes(store).save(found)
    return found


async def then(store: Store, was: Episode, kind: EventType, at: float, **change: Any) -> Episode:
    """Let something happen to an episode."""
    found = was.told(datetime.fromtimestamp(at, UTC), kind, "test", **change)
    await Episodes(store).save(found)
    return found
