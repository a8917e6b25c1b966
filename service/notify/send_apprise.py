"""Apprise: e-mail, Teams, Telegram and a hundred more. It works in a thread, and leaves by the guarded way alone."""

import asyncio
import contextlib
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collectors.outbound import Outbound, OutboundRefused
from service.notify.channel import AppriseChannel, Channel, ChannelError, with_secrets
from service.notify.notice import Message, Notice, Outcome
from service.notify.sockets import Way, through

if TYPE_CHECKING:
    from apprise import NotifyType
    from apprise.plugins import NotifyBase

SECONDS = 15.0
"""For one message: shorter than a try may take."""
THREADS = 16
"""Messages under way at a time in a process; each waits for its server nearly all of the time."""
LIMITED_SECONDS = 30.0
"""How long a channel rests that said 429; Apprise does not hand on for how long it asked."""

_CALLS = re.compile(r"@(?=[\w&!])")
_STATUS = re.compile(r"error[= :]+([45]\d\d)\b", re.IGNORECASE)


@dataclass
class _Work:
    """What one message's thread says: the HTTP status that Apprise saw, if any."""

    way: Way
    status: int | None = None


class AppriseSender:
    """Sends to one Apprise URL; a message has `seconds`."""

    def __init__(
        self, outbound: Outbound, channel: AppriseChannel, secrets: Mapping[str, str], seconds: float = SECONDS
    ) -> None:
        self._outbound = outbound
        self._channel: Channel = channel
        self._secrets = secrets
        self._seconds = seconds

    async def send(self, notice: Notice, message: Message) -> Outcome:  # noqa: ARG002 - people read the message
        """Try once."""
        return await self.say(message)

    async def say(self, message: Message) -> Outcome:
        """Try once to deliver a message."""
        try:
            channel = with_secrets(self._channel, self._secrets)
        except ChannelError as error:
            return Outcome("again", str(error))
        assert isinstance(channel, AppriseChannel)
        loop = asyncio.get_running_loop()
        work = _Work(Way(self._outbound, loop))
        try:
            async with asyncio.timeout(self._seconds):
                return await loop.run_in_executor(_pool(), _deliver, channel.url, message, work)
        except TimeoutError:
            return Outcome("again", f"no answer within {self._seconds:g} s", maybe=work.way.connected)
        finally:
            work.way.end()


def load() -> None:
    """Load Apprise and its plugins, which takes a second or two, before somebody waits for it."""
    _plugin("json://localhost")


def body(message: Message) -> str:
    """Return a message as plain text; what was written elsewhere calls nobody here."""
    lines = [_quiet(message.summary), *(f"- {_quiet(line)}" for line in message.lines)]
    said = [f'"{_quiet(q.text)}" {_quiet(" ".join(filter(None, ("-", q.author, q.source))))}' for q in message.quotes]
    facts = [f"{name}: {_quiet(value)}" for name, value in message.facts]
    blocks = ("\n".join(lines), "\n".join(said), "\n".join(facts), message.url)
    return "\n\n".join(block for block in blocks if block)


def _quiet(text: str) -> str:
    """Return a text in which `@everyone` and its like are words."""
    return _CALLS.sub("@\u200b", text)


def _deliver(url: str, message: Message, work: _Work) -> Outcome:
    """Send from this thread."""
    with through(work.way), _heard(work):
        try:
            plugin = _plugin(url)
            if plugin is None:
                return Outcome("again", "Apprise can't read the channel's URL; its pages say how the service is named")
            arrived = plugin.notify(
                title=_quiet(message.title),
                body=body(message),
                notify_type=_mood(message),
                **_attached(plugin, message),
            )
        except Exception as error:  # a hundred plugins: any of them may fail in its own way  # noqa: BLE001
            return Outcome("again", f"Apprise failed: {type(error).__name__}", maybe=work.way.connected)
    if arrived:
        return Outcome("delivered", str(plugin.service_name))
    return _failed(str(plugin.service_name), work)


def _failed(service: str, work: _Work) -> Outcome:
    refused = work.way.refused
    if work.status is not None:
        after = LIMITED_SECONDS if work.status == 429 else None
        return Outcome("again", f"{service} answered {work.status}", after=after)
    if refused is not None:
        return Outcome("again", str(refused), maybe=work.way.connected and not isinstance(refused, OutboundRefused))
    return Outcome("again", f"{service} did not take it", maybe=work.way.connected)


def _plugin(url: str) -> "NotifyBase | None":
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="Foreshock", app_desc="Foreshock", storage_mode="memory", async_mode=False)
    plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is not None:
        plugin.retry = 0  # what is tried again is decided by the schedule
    return plugin


def _attached(plugin: "NotifyBase", message: Message) -> dict[str, object]:
    from apprise import AppriseAttachment, NotifyFormat
    from apprise.attachment.memory import AttachMemory

    given: dict[str, object] = {"body_format": NotifyFormat.TEXT}
    if message.chart is not None and plugin.attachment_support:
        memory: Any = AttachMemory
        given["attach"] = AppriseAttachment(memory(message.chart, name="chart.png", mimetype="image/png"))
    return given


def _mood(message: Message) -> "NotifyType":
    from apprise import NotifyType

    if message.resolved:
        return NotifyType.SUCCESS
    return NotifyType.FAILURE if message.severity >= 3 else NotifyType.WARNING


_thread = threading.local()


class _Listener(logging.Handler):
    """Takes the HTTP status out of what Apprise logs; the lines hold tokens and are kept nowhere."""

    def emit(self, record: logging.LogRecord) -> None:
        work: _Work | None = getattr(_thread, "work", None)
        if work is not None and (found := _STATUS.search(record.getMessage())):
            work.status = int(found[1])


@contextlib.contextmanager
def _heard(work: _Work) -> Iterator[None]:
    _thread.work = work
    try:
        yield
    finally:
        _thread.work = None


_log = logging.getLogger("apprise")
_log.propagate = False
_log.addHandler(_Listener(logging.WARNING))

_threads: list[ThreadPoolExecutor] = []


def _pool() -> ThreadPoolExecutor:
    if not _threads:
        _threads.append(ThreadPoolExecutor(THREADS, thread_name_prefix="apprise"))
    return _threads[0]
