"""A message in Slack's Block Kit: what was written elsewhere stands in plain text: no link, no call.

https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Iterator
from typing import Any

from service.notify.escape import slack
from service.notify.notice import Message

HEADER, SECTION, FIELD, FIELDS = 150, 3000, 2000, 10
"""Characters that each takes, and fields of a section."""

Block = dict[str, Any]


def fallback(message: Message) -> str:
    """Return what a notification on the phone shows."""
    return slack(f"{message.title}. {message.summary}")


def blocks(message: Message, episode: str | None = None, *, asks: bool = False) -> list[Block]:
    """Return a message's blocks; where it `asks`, with buttons to acknowledge and snooze `episode`."""
    found: list[Block] = [{"type": "header", "text": _plain(message.title, HEADER)}]
    found += [_section(message.summary)] if message.summary else []
    if message.lines:
        found.append(_section("\n".join(f"• {line}" for line in message.lines)))
    if message.facts:
        facts = [_plain(f"{name}: {value}", FIELD) for name, value in message.facts[:FIELDS]]
        found.append({"type": "section", "fields": facts})
    found += [_section(f"“{q.text}”\n{' · '.join(filter(None, (q.author, q.source)))}") for q in message.quotes]
    buttons = list(_buttons(message, episode, asks=asks))
    return [*found, {"type": "actions", "elements": buttons}] if buttons else found


def _buttons(message: Message, episode: str | None, *, asks: bool) -> Iterator[Block]:
    if episode is not None and asks:
        yield {**_button("Acknowledge", "acknowledge"), "value": episode, "style": "primary"}
        yield {**_button("Snooze 1 h", "snooze"), "value": episode}
    if message.url:
        yield {**_button("Open", "open"), "url": message.url}


def _button(text: str, action: str) -> Block:
    return {"type": "button", "text": _plain(text, 75), "action_id": action}


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(text, SECTION)}


def _plain(text: str, most: int) -> Block:
    shown = text if len(text) <= most else text[: most - 1] + "…"
    return {"type": "plain_text", "text": shown, "emoji": False}
