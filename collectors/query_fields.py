"""Filters on what is known of a mention besides its text: `source:reddit`, `followers:>1000`.

What the network does not say does not hold: a mention without followers is neither over nor under any number.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from collectors.fold import fold, holds_whole
from collectors.language import from_hint
from collectors.mention import Kind
from collectors.reading import Reading

MOST_FOLLOWERS = 10**10
"""As many as a mention may have."""
MAX_VALUE = 500
"""Characters of a filter's value: long addresses are cut off by networks themselves."""

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9-]{1,30})?")
_BOUND = re.compile(r"(>=|<=|>|<)?([0-9]{1,11})")
_RANGE = re.compile(r"([0-9]{1,11})(?:\.\.|-)([0-9]{1,11})")
_PLAIN = re.compile(r"[\w.@/#?=&%+~-]+", re.ASCII)

Said = Mapping[str, Any]
"""A mention's fields by name, as in its JSON; what was not said may be absent or None."""


@dataclass(frozen=True)
class Field:
    """One field of the mention has a value; both folded."""

    name: str
    value: str

    def leaves(self) -> Iterator["Field"]:
        """Give the filter."""
        yield self

    def holds(self, reading: Reading) -> bool:
        """Whether the mention has it."""
        return _HOLDS[self.name](reading, self.value)

    def __str__(self) -> str:
        return f"{self.name}:{self.value}" if _PLAIN.fullmatch(self.value) else f'{self.name}:"{self.value}"'


@dataclass(frozen=True)
class Followers:
    """The author has at least `low` and at most `high` followers; None is no bound."""

    low: int | None
    high: int | None

    def leaves(self) -> Iterator["Followers"]:
        """Give the filter."""
        yield self

    def holds(self, reading: Reading) -> bool:
        """Whether the author is known to have as many."""
        count = _author(reading.said).get("followers")
        return count is not None and (self.low or 0) <= count and (self.high is None or count <= self.high)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"followers:<={self.high}" if self.low is None else f"followers:>={self.low}"
        return f"followers:{self.low}..{self.high}"


def known(name: str, said: Said) -> list[str]:
    """Values that a mention has of one of the filters LOOKED_UP."""
    if name == "author":
        author = _author(said)
        return [_account(author[part]) for part in ("id", "name") if author.get(part)]
    return [said.get(name) or _UNSAID[name]]


LOOKED_UP = frozenset({"kind", "source", "author"})
"""Filters whose brands are found by the value that the mention has."""
_UNSAID = {"kind": "post", "source": ""}


def _author(said: Said) -> Said:
    return said.get("author") or {}


def _account(name: str) -> str:
    return fold(name).removeprefix("@")


_HOLDS: dict[str, Callable[[Reading, str], bool]] = {
    "source": lambda reading, value: value == (reading.said.get("source") or _UNSAID["source"]),
    "kind": lambda reading, value: value == (reading.said.get("kind") or _UNSAID["kind"]),
    "lang": lambda reading, value: reading.language == value,
    "author": lambda reading, value: value in known("author", reading.said),
    "url": lambda reading, value: holds_whole(fold(reading.said.get("url") or ""), value),
}

NAMES = (*_HOLDS, "followers")


def field(name: str, written: str) -> Field | Followers:
    """Read the filter `name:written`.

    Raises:
        ValueError: what would be right.
    """
    value = fold(written)
    if len(value) > MAX_VALUE:
        raise ValueError(f"at most {MAX_VALUE} characters")
    if name == "followers":
        return _followers(value)
    return Field(name, _READ[name](value))


def _source(value: str) -> str:
    if not _SOURCE.fullmatch(value):
        raise ValueError("the name of a source, as source:reddit")
    return value


def _kind(value: str) -> str:
    if value not in get_args(Kind):
        raise ValueError(f"one of {', '.join(get_args(Kind))}")
    return value


def _language(value: str) -> str:
    code = from_hint(value) if _LANGUAGE.fullmatch(value) else None
    if code is None:
        raise ValueError("the code of a language, as lang:en")
    return code


def _name(value: str) -> str:
    name = value.removeprefix("@")
    if not name or name.startswith("@"):
        raise ValueError('a name or an id, as author:jane or author:"Jane Doe"')
    return name


def _url(value: str) -> str:
    part = value.removeprefix("https://").removeprefix("http://").rstrip("/")
    if not any(char.isalnum() for char in part):
        raise ValueError("a host or a part of an address, as url:acme.com or url:acme.com/help")
    return part


_READ: dict[str, Callable[[str], str]] = {
    "source": _source,
    "kind": _kind,
    "lang": _language,
    "author": _name,
    "url": _url,
}


def _followers(value: str) -> Followers:
    span, bound = _RANGE.fullmatch(value), _BOUND.fullmatch(value)
    low: int | None
    high: int | None
    if span:
        low, high = int(span[1]), int(span[2])
    elif bound:
        number = int(bound[2])
        low = {">": number + 1, ">=": number, None: number}.get(bound[1])
        high = {"<": number - 1, "<=": number, None: number}.get(bound[1])
    else:
        raise ValueError("a number, as followers:>1000, or a range, as followers:1000..5000")
    if (low or 0) > (MOST_FOLLOWERS if high is None else high):
        raise ValueError("a range that somebody can be in, as followers:1000..5000")
    return Followers(low, high)
