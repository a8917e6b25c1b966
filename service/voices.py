"""Loud angry voices as the store keeps them: read, and whose they were."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from detectors.voice import SOMEBODY, WINDOW
from service import keys
from service.changes import AGAIN_SECONDS
from service.evidence import brief
from service.heard import Heard
from service.store import Store

LONGEST_NAME = 60
"""Characters of a name that a reason has room for."""
_mention = msgspec.json.Decoder(dict[str, Any])


def lately(brand: str, first: float) -> tuple[Any, ...]:
    """Return the command that reads what may be judged from `first` (POSIX seconds) on; `heard` takes its answer."""
    return _between(brand, first - AGAIN_SECONDS - WINDOW, "+inf")


def heard(answer: Sequence[tuple[bytes, float]]) -> Heard:
    """Return the voices that the store answered with."""
    if not answer:
        return Heard()
    reach = [float(member.partition(b"\x1f")[0]) for member, _ in answer]
    return Heard(np.array([float(at) for _, at in answer]), np.array(reach))


async def read(store: Store, brand: str, start: float, end: float) -> Heard:
    """Return a brand's voices from `start` to `end` (POSIX seconds)."""
    return heard(await store.do(*_between(brand, start, end)))


async def widest(store: Store, brand: str, start: float, end: float) -> dict[str, Any] | None:
    """Return the mention, in short, of the widest angry voice published from `start` to `end` (POSIX seconds).

    None where there was none, or its text is gone.
    """
    found = await store.do(*_between(brand, start, end))
    loudest = sorted((int(member.partition(b"\x1f")[0]), member.partition(b"\x1f")[2]) for member, _ in found)
    text = await store.do("GET", keys.text(brand, loudest[-1][1].decode())) if loudest else None
    return brief(_mention.decode(text)) if text else None


def named(reason: str, voice_heard: Mapping[str, Any] | None) -> str:
    """Return a verdict's reason with the name of who spoke, as far as it is known."""
    author = (voice_heard or {}).get("author") or {}
    name = " ".join((author.get("name") or author.get("id") or "").split())[:LONGEST_NAME]
    return reason.replace(SOMEBODY, name, 1) if name and reason.startswith(SOMEBODY) else reason


def _between(brand: str, start: float, end: float | str) -> tuple[Any, ...]:
    return ("ZRANGE", keys.voices(brand), start, end, "BYSCORE", "WITHSCORES")
