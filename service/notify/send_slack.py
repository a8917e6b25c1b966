"""Slack: one message an episode, changed as the episode goes on, with what is new in its thread.

https://docs.slack.dev/reference/methods/chat.postMessage, https://docs.slack.dev/reference/methods/chat.update
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from collectors.outbound import Outbound, OutboundError
from service import keys
from service.episode import Episode
from service.notify.channel import Channel, ChannelError, SlackChannel, with_secrets
from service.notify.notice import Message, Notice, Outcome
from service.notify.posting import LIMITED_SECONDS, may_have_arrived
from service.notify.slack_blocks import blocks, fallback
from service.store import Store

KEPT = 30 * 86_400
"""Seconds for which a message is known as an episode's: longer than any lasts."""
LOST = {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_inactive"}
"""Why a message can't be changed any more; then there is a new one."""
DRESS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
"""Slack does not take the blocks; the words alone are better than nothing."""


class SlackError(Exception):
    """A call failed; `code` is Slack's word for it."""

    def __init__(self, outcome: Outcome, code: str = "") -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome
        self.code = code


class SlackSender:
    """Sends as a bot, or to an incoming webhook: there without buttons, and each message stands for itself."""

    def __init__(self, outbound: Outbound, channel: SlackChannel, secrets: Mapping[str, str], store: Store) -> None:
        self._outbound = outbound
        self._channel: Channel = channel
        self._secrets = secrets
        self._store = store

    async def send(self, notice: Notice, message: Message) -> Outcome:
        """Try once: change the episode's message and say in its thread what is new, or post the first."""
        try:
            channel = self._configured()
            if channel.token is None or "+" in notice.id:  # several in one belong to no episode's message
                return await self._alone(channel, message)
            return await self._told(channel, notice, message)
        except ChannelError as error:
            return Outcome("again", str(error))
        except SlackError as error:
            return error.outcome

    async def say(self, message: Message) -> Outcome:
        """Try once to deliver a message that belongs to no episode."""
        try:
            return await self._alone(self._configured(), message)
        except ChannelError as error:
            return Outcome("again", str(error))
        except SlackError as error:
            return error.outcome

    def _configured(self) -> SlackChannel:
        channel = with_secrets(self._channel, self._secrets)
        assert isinstance(channel, SlackChannel)
        return channel

    async def _alone(self, channel: SlackChannel, message: Message) -> Outcome:
        told = {"text": fallback(message), "blocks": blocks(message), "unfurl_links": False, "unfurl_media": False}
        if channel.webhook_url:
            await self._post(channel, channel.webhook_url, told)
        else:
            await self._call(channel, "chat.postMessage", {**told, "channel": channel.channel})
        return Outcome("delivered", "posted")

    async def _told(self, channel: SlackChannel, notice: Notice, message: Message) -> Outcome:
        episode = notice.event.episode
        asks = channel.signing_secret is not None and episode.state != "resolved"
        told = {"text": fallback(message), "blocks": blocks(message, episode.id, asks=asks)}
        known = await message_of(self._store, episode, channel)
        if known is not None:
            where, ts = known
            try:
                await self._call(channel, "chat.update", {"channel": where, "ts": ts, **told})
            except SlackError as error:
                if error.code not in LOST:
                    raise
            else:
                reply = {"channel": where, "thread_ts": ts, "text": told["text"], "reply_broadcast": notice.page}
                await self._call(channel, "chat.postMessage", {**reply, "unfurl_links": False})
                return Outcome("delivered", "changed, and told in its thread")
        first = {"channel": channel.channel, "unfurl_links": False, "unfurl_media": False, **told}
        answer = await self._call(channel, "chat.postMessage", first)
        key, field = keys.slack(keys.shard(episode.brand), episode.id), channel.name
        await self._store.do("HSET", key, field, f"{answer['channel']} {answer['ts']} {channel.channel}")
        await self._store.do("EXPIRE", key, KEPT)
        return Outcome("delivered", "posted")

    async def _call(self, channel: SlackChannel, method: str, told: dict[str, Any]) -> dict[str, Any]:
        """Call a method; once more without blocks where Slack does not take them."""
        url = f"{channel.api_url.rstrip('/')}/{method}"
        try:
            return await self._post(channel, url, told)
        except SlackError as error:
            if error.code not in DRESS:
                raise
            return await self._post(channel, url, {name: v for name, v in told.items() if name != "blocks"})

    async def _post(self, channel: SlackChannel, url: str, told: dict[str, Any]) -> dict[str, Any]:
        headers = {"content-type": "application/json; charset=utf-8"}
        if channel.webhook_url is None:
            headers["authorization"] = f"Bearer {channel.token}"
        try:
            answer = await self._outbound.fetch("POST", url, content=json.dumps(told).encode(), headers=headers)
        except OutboundError as error:
            raise SlackError(Outcome("again", str(error), maybe=may_have_arrived(error))) from None
        after = answer.retry_after(datetime.now(UTC))
        if answer.status == 429:
            raise SlackError(Outcome("again", "Slack answered 429", after=LIMITED_SECONDS if after is None else after))
        if answer.status != 200:
            raise SlackError(Outcome("again", f"Slack answered {answer.status}", after=after))
        return {"ok": True} if channel.webhook_url else _read(answer.body, after)


def _read(body: bytes, after: float | None) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise SlackError(Outcome("again", "Slack answered no JSON", maybe=True))
    if said.get("ok") is not True:
        code = str(said.get("error", "unknown"))[:50]
        wait = (after or LIMITED_SECONDS) if code in ("ratelimited", "rate_limited") else None
        raise SlackError(Outcome("again", f"Slack refused: {code}", after=wait), code)
    return said


async def message_of(store: Store, episode: Episode, channel: SlackChannel) -> tuple[str, str] | None:
    """Return an episode's message in a channel: Slack's id of the conversation, and the message's `ts`.

    None where there is none, or it stands in the conversation that the channel led to before it was changed.
    """
    found = await store.do("HGET", keys.slack(keys.shard(episode.brand), episode.id), channel.name)
    if not found:
        return None
    where, ts, *of = found.decode().split(" ", 2)  # older ones do not say of which conversation
    return (where, ts) if not of or of == [channel.channel] else None
