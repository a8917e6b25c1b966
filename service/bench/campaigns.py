"""What `foreshock bench spam` judges: campaigns by accounts that somebody made, and honest talk."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from collectors.simulate import recording
from collectors.simulated_text import Words
from collectors.suspects import HOUR, Post

AT = 1_772_442_000.0
"""A whole hour (POSIX seconds)."""
START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 4.0
"""The shortest simulated recording: only its revolt is looked at."""
LEAST, MOST = 12, 24
"""Words of a text that is varied: as long as most tweets are."""

_NOISE = ("!!", "😡", "😡😡", "#shame", "#boycott", "@friend{}", "https://example.com/{}", "{}", "please share", "wow")
WAYS, VARIED = 4, 0.5
"""Ways in which a template says one place, and the part of its places that have them: machines spin texts so."""


def noisy(chance: Random, words: list[str]) -> list[str]:
    """Put up to two of what people and machines put behind a text: tags, links, handles, digits, emoji."""
    some = [chance.choice(_NOISE).format(chance.randrange(10**6)) for _ in range(chance.randrange(3))]
    return [*words, *some]


def swapped(changes: int) -> Callable[[Random, int], list[str]]:
    """Give a campaign of one text in which so many words are others each time."""

    def texts(chance: Random, n: int) -> list[str]:
        base, others = _base(chance), _others(chance)
        found = []
        for _ in range(n):
            words = list(base)
            for place in chance.sample(range(len(words)), changes):
                words[place] = chance.choice(others)
            found.append(" ".join(noisy(chance, words)))
        return found

    return texts


def from_template(chance: Random, n: int) -> list[str]:
    """Give a campaign from one template, in which half of the words are one of four each time."""
    others = _others(chance)
    ways = [[word, *chance.sample(others, WAYS - 1 if chance.random() < VARIED else 0)] for word in _base(chance)]
    return [" ".join(noisy(chance, [chance.choice(some) for some in ways])) for _ in range(n)]


def _base(chance: Random) -> list[str]:
    said = Words(chance)
    while not LEAST <= len(words := said.revolt().split()) <= MOST:
        pass
    return words


def _others(chance: Random) -> list[str]:
    """Return words of the same field to put in place of others."""
    return [word for _ in range(10) for word in _base(chance)]


CAMPAIGNS: dict[str, Callable[[Random, int], list[str]]] = {
    "copies": swapped(0),
    "swapped_1": swapped(1),
    "swapped_3": swapped(3),
    "swapped_5": swapped(5),
    "template": from_template,
}
"""What varies in a campaign's texts, beside tags, links, handles, digits and emoji behind them."""


def campaign(kind: str, n: int, seed: int) -> list[Post]:
    """Return `n` posts of one hour by as many doubtful accounts."""
    chance = Random(seed)  # noqa: S311 - a simulation, nothing secret
    return [
        Post("x", str(place), AT + chance.random() * HOUR, text, _nobody(place))
        for place, text in enumerate(CAMPAIGNS[kind](chance, n))
    ]


def outcry(seed: int, doubtful: float) -> list[Post]:
    """Return the last hour of a simulated revolt, in which a part of the people has doubtful accounts."""
    chance, played = Random(seed), recording(seed, START, DAYS)  # noqa: S311
    since = played.truth.end - timedelta(hours=1)
    return [
        Post(
            m.source, m.id, m.published_at.timestamp(), m.text,
            _nobody(place) if chance.random() < doubtful else _somebody(place),
            repost=m.repost_of is not None,
        )
        for place, m in enumerate(m for m in played.mentions if m.published_at >= since)
    ]  # fmt: skip


def tweets(path: Path, doubtful: float, seed: int) -> list[Post]:
    """Return labelled tweets (label, airline, time, text) at their times, a part of them by doubtful accounts.

    Raises:
        OSError: they cannot be read.
    """
    chance, found = Random(seed), []  # noqa: S311
    for place, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        _, airline, told, text = line.split("\t")
        at = datetime.strptime(told, "%d-%m-%Y %H.%M").replace(tzinfo=UTC).timestamp()
        author = _nobody(place) if chance.random() < doubtful else _somebody(place)
        found.append(Post(airline, str(place), at, text, author))
    return found


def _nobody(number: int) -> dict[str, object]:
    return {"id": f"n{number}", "name": f"mia{48_291_736 + number}", "followers": 0}


def _somebody(number: int) -> dict[str, object]:
    return {"id": f"s{number}", "name": "Mette Dahl", "followers": 180}
