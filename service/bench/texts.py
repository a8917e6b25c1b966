"""Texts as people write them, about brands with invented names."""

import re
from datetime import UTC, datetime
from functools import cache
from itertools import islice

from collectors.simulate import recording

_NAMED = re.compile(r"@?northvane ?air|northvane", re.IGNORECASE)
_CONSONANTS, _VOWELS = "bdfgjklmnprstvz", "aeiou"
_SYLLABLES = [c + v for c in _CONSONANTS for v in _VOWELS]


@cache
def _simulated() -> list[str]:
    return [m.text for m in recording(1, datetime(2026, 3, 1, tzinfo=UTC), 4.0).mentions]


def texts(n: int) -> list[str]:
    """Return `n` texts of the simulated recording."""
    some = _simulated()
    return (some * (n // len(some) + 1))[:n]


@cache
def frames() -> list[tuple[str, str]]:
    """Return what stands before and after the name of the brand in each text of the recording."""
    found = []
    for text in _simulated():
        before, *rest = _NAMED.split(text)
        found.append((before, " they ".join(rest)))
    return found


def brand_names(n: int) -> list[str]:
    """Return `n` invented words of three syllables that stand in none of the texts.

    Raises:
        ValueError: there are not that many.
    """
    size = len(_SYLLABLES)
    if n > size**3 // 2:
        raise ValueError(f"{n} brands are more than the {size**3 // 2} names there are")
    used = set(re.findall(r"\w+", " ".join(_simulated()).lower()))
    # The step is a prime, so each name comes once, and neighbours are unlike.
    numbers = (i * 7919 % size**3 for i in range(size**3))
    words = (_SYLLABLES[k % size] + _SYLLABLES[k // size % size] + _SYLLABLES[k // size**2] for k in numbers)
    return list(islice((word for word in words if word not in used), n))


def query(name: str) -> str:
    """Return the query of a brand: its word, its full name, its tag, its handle."""
    return f'"{name} air" OR {name} OR #{name} OR @{name}help'


def forms(name: str) -> tuple[str, ...]:
    """Return how a text may name the brand."""
    return name, name.title(), f"{name.title()} Air", f"@{name}help", f"#{name}"


def near_miss(name: str) -> str:
    """Return a word that holds the name and is another word."""
    return f"{name}esque"
