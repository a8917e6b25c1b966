"""Small made-up recordings for tests: a quiet brand, and a revolt in it."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 2, tzinfo=UTC)
CALM = ["was on time from", "flew me to", "has a new gate in", "opens a desk in", "serves coffee over", "lands soon in"]
ANGRY = ["broke my guitar in", "terrible, awful, lost it all in", "I hate the mess they made in", "worst of all in"]
PLACES = ["Rome", "Oslo", "Lima", "Cairo", "Quito", "Delhi", "Turin", "Lagos", "Perth", "Kyoto", "Nantes", "Bergen"]
WHO = [
    "my mother",
    "my boss",
    "a friend",
    "the band",
    "our team",
    "a nun",
    "two kids",
    "the choir",
    "my dog",
    "a judge",
]
WHEN = ["today", "last night", "at dawn", "on Monday", "just now", "this week", "again", "at noon", "after lunch"]


def quiet(hours: float, per_minute: float, seed: int = 1, start: datetime = START) -> list[dict[str, Any]]:
    """Return ordinary mentions, one in six angry, at a steady rate."""
    chance = random.Random(seed)
    found, at = [], 0.0
    while (at := at + chance.expovariate(per_minute)) < hours * 60:
        text = said(ANGRY if chance.random() < 1 / 6 else CALM, chance)
        found.append(mention(f"q{len(found)}", start + timedelta(minutes=at), text, chance))
    return found


def revolt(start: datetime, minutes: int, doubling: float, seed: int = 2) -> list[dict[str, Any]]:
    """Return angry mentions that grow from one post."""
    chance = random.Random(seed)
    found = []
    for minute in range(minutes):
        expected = 2.0 ** (minute / doubling)
        for _ in range(int(expected) + (chance.random() < expected % 1)):
            at = start + timedelta(minutes=minute, seconds=chance.randrange(60))
            found.append(mention(f"r{len(found)}", at, f"{said(ANGRY, chance)}, shame, #guitargate", chance))
    return sorted(found, key=lambda m: m["published_at"])


def said(what: list[str], chance: random.Random) -> str:
    """Return one of thousands of sentences on the brand, so that hardly any two are alike."""
    parts = (chance.choice(what), chance.choice(PLACES), "says", chance.choice(WHO), chance.choice(WHEN))
    return f"acme air {' '.join(parts)} near {chance.choice(PLACES)}"


def mention(identity: str, at: datetime, text: str, chance: random.Random) -> dict[str, Any]:
    """Return one mention by one of many authors."""
    return {
        "id": identity,
        "source": chance.choice(["x", "x", "reddit"]),
        "text": text,
        "published_at": at.isoformat(),
        "author": {"id": f"p{chance.randrange(10**6)}", "followers": chance.randrange(5000)},
    }


def lines(mentions: list[dict[str, Any]]) -> bytes:
    """Return mentions one a line."""
    return "\n".join(json.dumps(m) for m in mentions).encode()
