"""`POST /v1/hooks/slack`: the buttons of Slack's messages. A press proves itself by Slack's signature of the raw bytes.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, BackgroundTasks, Request, Response

from collectors.outbound import Outbound, OutboundError
from service.api.context import Context, Ctx
from service.api.problems import Problem
from service.episode import Episode
from service.episodes import Episodes
from service.lifecycle import Refused
from service.notify.channel import ChannelError, SlackChannel, with_secrets
from service.notify.send_slack import message_of
from service.store import Conflict

router = APIRouter(prefix="/v1", tags=["hooks"])

TOLERANCE = 300.0
"""Seconds that a press may be old: Slack's own advice against replays."""
SNOOZE = timedelta(hours=1)
MAX_BODY = 256 * 1024
"""Bytes of a press, which carries the message that it was pressed on."""

log = logging.getLogger("foreshock.hooks")


@router.post("/hooks/slack", status_code=200, openapi_extra={
    "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": {}}}}})  # fmt: skip
async def post_press(request: Request, ctx: Ctx, later: BackgroundTasks) -> Response:
    """Take the press of a button: acknowledge or snooze. The message changes when the channel is told of it."""
    body = await request.body()
    if len(body) > MAX_BODY:
        raise Problem(413, f"a press is at most {MAX_BODY} bytes")
    await ctx.registry.refresh()
    now = await ctx.clock.now()
    channels = _signed(ctx, request, body, now)
    if not channels:
        log.info("slack: a press was refused")
        raise Problem(401, "this is not signed by the signing_secret of a Slack channel, or is not of now")
    press = _read(body)
    for action in press["actions"]:
        if said := await _act(ctx, action, press, channels, now):
            later.add_task(_whisper, ctx, press.get("response_url"), said)
    return Response(status_code=200)


def _signed(ctx: Context, request: Request, body: bytes, now: float) -> list[SlackChannel]:
    """Return the channels by whose secret the bytes are signed, none where they are not of now."""
    at = request.headers.get("x-slack-request-timestamp", "")
    given = request.headers.get("x-slack-signature", "").encode()
    if not (at.isascii() and at.isdigit()) or abs(now - float(at[:12])) > TOLERANCE:
        return []
    found = []
    for channel in ctx.registry.channels.values():
        if not isinstance(channel, SlackChannel) or channel.signing_secret is None:
            continue
        try:
            told = with_secrets(channel, ctx.settings.channel_secrets)
        except ChannelError as error:
            log.warning("slack: %s", error)
            continue
        assert isinstance(told, SlackChannel)
        assert told.signing_secret is not None
        if hmac.compare_digest(signature(told.signing_secret, at, body).encode(), given):
            found.append(told)
    return found


def signature(secret: str, at: str, body: bytes) -> str:
    """Return Slack's signature, version 0, of a body that was sent `at` (POSIX seconds, as the header says it)."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()


def _read(body: bytes) -> dict[str, Any]:
    """Return the press: `actions` and `user` as objects.

    Raises:
        Problem: 400 where it is none.
    """
    try:
        press = json.loads(parse_qs(body.decode())["payload"][0])
        sound = press["type"] == "block_actions" and all(isinstance(action, dict) for action in press["actions"])
    except (UnicodeDecodeError, KeyError, ValueError, TypeError):
        sound = False
    if not sound or not isinstance(press.get("user"), dict):
        raise Problem(400, "a form with payload, an interaction of type block_actions, is expected")
    found: dict[str, Any] = press
    return found


async def _act(
    ctx: Context, action: dict[str, Any], press: dict[str, Any], channels: Sequence[SlackChannel], now: float
) -> str | None:
    """Do what was pressed; return what is to be said to who pressed it where that was not possible."""
    kind, identity = action.get("action_id"), str(action.get("value"))
    if kind not in ("acknowledge", "snooze"):
        return None
    episodes = Episodes(ctx.store)
    episode = await episodes.get(identity)
    if episode is None or not await _was_told(ctx, episode, channels):
        return "This episode is not one of this channel's."
    at = datetime.fromtimestamp(now, UTC)
    user = press["user"]
    by = f"{str(user.get('username') or user.get('name') or user.get('id'))[:150]} (Slack)"
    try:
        if kind == "acknowledge":
            await episodes.change(identity, lambda e: e.told(at, "episode.acknowledged", by))
        else:
            until = at + SNOOZE
            await episodes.change(identity, lambda e: e.told(at, "episode.snoozed", by, snoozed_until=until))
    except (Refused, Conflict) as error:
        return f"That was not done: {error}."
    return None


async def _was_told(ctx: Context, episode: Episode, channels: Sequence[SlackChannel]) -> bool:
    """Say whether the episode has a message in one of the channels: buttons are for no others."""
    for channel in channels:
        if await message_of(ctx.store, episode, channel) is not None:
            return True
    return False


async def _whisper(ctx: Context, url: object, text: str) -> None:
    """Say something to who pressed alone; it came from Slack, signed, and is judged as every address."""
    if not isinstance(url, str):
        return
    told = json.dumps({"response_type": "ephemeral", "replace_original": False, "text": text}).encode()
    async with Outbound(ctx.settings.allow_hosts, proxy=ctx.settings.proxy) as outbound:
        try:
            await outbound.fetch("POST", url, content=told, headers={"content-type": "application/json"})
        except OutboundError as error:
            log.info("slack: %s", error)
