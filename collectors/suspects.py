"""Which mentions look as if they were not one person's own word: spam, copies, one author many times.

An author's account alone is never suspected: many who are angry have a new account and no followers.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from collectors.near_copies import FARMED_ROWS, bands_of, signature_of, words
from collectors.spam import looks_spam

Reason = Literal["links and tags", "copied text", "posts too often", "empty account", "young account", "generated name"]
"""The first three make a mention suspected; the others say of its author what else speaks for it."""

COPIES, NEAR_COPIES = 3, 20
"""Copies and near copies of a text in an hour that may be chance or a share button; more are one voice.

In an outcry many write nearly the same by themselves: in a simulated one, from a few dozen sentences with other places
and hours in them, a third of the posts are beyond the third near copy, and 6 % beyond the 20th.
"""

DOUBTFUL_COPIES, DOUBTFUL_NEAR_COPIES = 1, 1
"""The same for an author whose account is empty, young or has a generated name, of near copies by such authors alone:
nobody's own word is taken out for what a farm writes like it."""

BURST = 20
"""Near copies in an hour, all by such authors, from which none of them is anybody's own word."""

POSTS = 10
"""Posts of one author in an hour that count: beyond that many it is still one voice."""

HOUR = 3600
EMPTY = 5
"""Followers below which an account is empty: a person's friends are more, a farm's accounts have none."""

YOUNG = 30 * 86_400.0
"""Seconds from its making for which an account is young: networks take down most of a farm's within a month."""

SNOWFLAKE_SOURCE, SNOWFLAKE_EPOCH, SNOWFLAKE_SHIFT, SNOWFLAKE_LEAST = "x", 1_288_834_974.657, 22, 10**17
"""X numbers accounts by the millisecond of their making, above 22 other bits; older ones have short numbers."""

MANY_DIGITS = 5
"""Digits at the end of a name from which a machine proposed it; people add a year at most."""

MIXED = 3
"""Times that a name goes from a digit to a letter from which nobody would remember it."""

_MIXED = re.compile("[0-9](?=[A-Za-z])")


@dataclass(frozen=True)
class Post:
    """What is looked at of a mention; `at` in POSIX seconds, `author` as in `Mention`.

    A `repost` is a voice of its own: its text is known to be a copy. What comes from a `desk`, as articles and tickets
    do, has an author who writes often.
    """

    source: str
    id: str
    at: float
    text: str
    author: Mapping[str, Any] | None = None
    repost: bool = False
    desk: bool = False


def suspect(
    author: Mapping[str, Any] | None,
    source: str,
    at: float,
    *,
    spam: bool,
    copy: int = 1,
    near: int = 1,
    farmed: int = 1,
    post: int = 1,
) -> frozenset[Reason]:
    """Reasons for which a mention is suspected, none where it is not.

    `author` has `id`, `name` and `followers` as far as known; `at` is its publication (POSIX seconds); `spam` is what
    the text alone shows; in its hour it is the `copy`-th copy and the `near`-th near copy of a text, the `farmed`-th of
    those by doubtful authors, and the `post`-th of its author.
    """
    doubts = doubts_of(author, source, at)
    reasons: set[Reason] = set()
    if spam:
        reasons.add("links and tags")
    copied = copy > (DOUBTFUL_COPIES if doubts else COPIES) or near > NEAR_COPIES
    if copied or (doubts and farmed > DOUBTFUL_NEAR_COPIES):
        reasons.add("copied text")
    if post > POSTS:
        reasons.add("posts too often")
    return frozenset(reasons | doubts) if reasons else frozenset()


def doubts_of(author: Mapping[str, Any] | None, source: str, at: float) -> frozenset[Reason]:
    """What an author's account shows by itself."""
    if not author:
        return frozenset()
    doubts: set[Reason] = set()
    followers = author.get("followers")
    if followers is not None and followers < EMPTY:
        doubts.add("empty account")
    born = _born(source, author["id"])
    if born is not None and at - born < YOUNG:
        doubts.add("young account")
    if _is_generated(author.get("name") or ""):
        doubts.add("generated name")
    return frozenset(doubts)


def suspects(posts: Sequence[Post]) -> list[frozenset[Reason]]:
    """Give for each post the reasons for which it is suspected; the order of `posts` makes no difference.

    Copies and an author's posts are counted within hours of the clock, by publication. Of a burst all are suspected,
    its first too.
    """
    return [_suspect(post, signs) for post, signs in zip(posts, _signs(posts), strict=True)]


def excluded(posts: Sequence[Post]) -> list[bool]:
    """Tell for each post whether the counts leave it out: they keep what is suspected only as people's near copy."""
    return [bool(_suspect(post, {**signs, "near": 1})) for post, signs in zip(posts, _signs(posts), strict=True)]


def _suspect(post: Post, signs: Mapping[str, int]) -> frozenset[Reason]:
    return suspect(post.author, post.source, post.at, spam=looks_spam(post.text), **signs)


def _signs(posts: Sequence[Post]) -> list[dict[str, int]]:
    """Count for each post which copy, near copy, near copy by doubtful authors and post of its author it is."""
    farms = [_farmed(post) for post in posts]
    sizes = Counter(band for bands in farms for band in bands)
    found: list[dict[str, int]] = [{}] * len(posts)
    seen: Counter[tuple[Any, ...]] = Counter()
    for place in sorted(range(len(posts)), key=lambda n: (posts[n].at, posts[n].source, posts[n].id)):
        post = posts[place]
        hour = int(post.at // HOUR)
        signs = {"copy": 1, "near": 1, "farmed": 1, "post": 1}
        if not post.repost:
            said = words(post.text)
            burst = any(sizes[band] >= BURST for band in farms[place])
            signs["copy"] = _nth(seen, [(hour, "copy", signature_of(said))])
            signs["near"] = _nth(seen, [(hour, "near", band) for band in bands_of(said)])
            signs["farmed"] = max(BURST if burst else 1, _nth(seen, farms[place]))
        if post.author and not (post.repost or post.desk):
            signs["post"] = _nth(seen, [(hour, "post", post.source, post.author["id"])])
        found[place] = signs
    return found


def _farmed(post: Post) -> list[tuple[Any, ...]]:
    """Return by what a post is known as a near copy by a doubtful author, nothing where it is by nobody like that."""
    if post.repost or not doubts_of(post.author, post.source, post.at):
        return []
    return [(int(post.at // HOUR), "farmed", band) for band in bands_of(words(post.text), FARMED_ROWS)]


def _nth(seen: Counter[tuple[Any, ...]], values: list[tuple[Any, ...]]) -> int:
    """Count one more of each value; say how many the most frequent one has, 1 where nothing can be counted."""
    known = [value for value in values if value[-1] is not None]
    seen.update(known)
    return max((seen[value] for value in known), default=1)


def _born(source: str, identity: str) -> float | None:
    """When an account was made (POSIX seconds), where its number tells."""
    if source != SNOWFLAKE_SOURCE or not (identity.isascii() and identity.isdecimal() and len(identity) < 20):
        return None
    number = int(identity)
    return (number >> SNOWFLAKE_SHIFT) / 1000 + SNOWFLAKE_EPOCH if number >= SNOWFLAKE_LEAST else None


def _is_generated(name: str) -> bool:
    """Whether a handle looks proposed by a machine (`maria48291736`, `xk3j9q7w2`); a name with spaces is a person's."""
    name = name.lstrip("@").partition("@")[0].partition(".")[0]  # the rest is where the account lives
    if name.isalpha() or not name.isascii() or not name.replace("_", "").isalnum():
        return False
    digits = len(name) - len(name.rstrip("0123456789"))
    return digits >= MANY_DIGITS or len(_MIXED.findall(name)) >= MIXED
