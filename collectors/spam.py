"""What one text alone shows of spam, and the signature by which copies of it are known."""

import hashlib
import re

from collectors.query import fold, is_spaceless

# Of 7,146 tweets of two public collections none has 4 links, 10 hashtags, 4 cashtags or 10 handles (most: 3, 8, 1, 6).
MANY_LINKS = 4
MANY_HASHTAGS = 10
MANY_CASHTAGS = 4
MANY_HANDLES = 10

FARM_SHARE = 0.25
"""Share of the words that are links and tags, from which many of them are spam: an article may have many, far apart."""

CONTEST_TAGS = frozenset(
    {"contestalert", "f4f", "follow4follow", "followback", "followforfollow", "freebies", "giveaway", "giveaways"}
    | {"l4l", "like4like", "sweepstakes", "teamfollowback"}
)
"""Tags that with a link ask for clicks. Alone they are no sign: a raffle gone wrong can be the crisis."""

SHORT = 5
"""Words below which many people write the same by themselves ("worst airline ever") and copies mean nothing."""

SPACELESS_A_WORD = 2
"""Characters of a script without spaces that weigh as much as a word."""

SIGNED_CHARACTERS = 10_000
"""Characters that a signature is taken of: copies are alike from the start, and a long article costs no more."""

_LINK = re.compile(r"(?:https?://|www\.)\S", re.IGNORECASE)
_HASHTAG = re.compile(r"#\w*[^\W\d]\w*")
_CASHTAG = re.compile(r"\$[A-Za-z]{1,6}(?![A-Za-z0-9])")
_HANDLE = re.compile(r"@\w")
_VARIES = re.compile(r"(?:https?://|www\.)\S+|@\w+")
_WORD = re.compile(r"[^\W\d_]+")
_NO_LETTER = bytes(code if chr(code).isalpha() else ord(" ") for code in range(128)) + bytes(128)
"""Every byte of an ASCII text, blank where it is no letter: what _WORD does, six times as fast."""


def looks_spam(text: str) -> bool:
    """Whether the text is a link farm, a heap of tags, or a contest post; its author is not looked at."""
    low = text.lower()
    linked, tagged = low.count("://") + low.count("www."), low.count("#")
    crowded = tagged >= MANY_HASHTAGS or low.count("$") >= MANY_CASHTAGS or low.count("@") >= MANY_HANDLES
    if not (crowded or linked >= MANY_LINKS or (linked and tagged)):
        return False  # most texts end here, before their words are looked at
    words = text.split()
    links = sum(1 for word in words if _LINK.match(word))
    hashtags = [word for word in words if word[0] == "#" and _HASHTAG.match(word)]
    if links and any(_bare(tag) in CONTEST_TAGS for tag in hashtags):
        return True
    cashtags = sum(1 for word in words if word[0] == "$" and _CASHTAG.match(word))
    handles = sum(1 for word in words if _HANDLE.match(word))
    many = links >= MANY_LINKS or len(hashtags) >= MANY_HASHTAGS or cashtags >= MANY_CASHTAGS or handles >= MANY_HANDLES
    return many and links + len(hashtags) + cashtags + handles >= FARM_SHARE * len(words)


def _bare(tag: str) -> str:
    return tag[1:].rstrip(".,;:!?").casefold()


def signature(text: str) -> int | None:
    """64 bits that copies of a text share; None for a text too short to be anybody's.

    Links, handles, digits, punctuation, case, white space and what cannot be seen make no difference; a word does.
    """
    folded = text[:SIGNED_CHARACTERS]
    folded = folded.lower() if folded.isascii() else fold(folded)
    if "@" in folded or "://" in folded or "www." in folded:
        folded = _VARIES.sub(" ", folded)
    if folded.isascii():
        letters = folded.encode().translate(_NO_LETTER).split()
        return _hashed(b" ".join(letters)) if len(letters) >= SHORT else None
    words = _WORD.findall(folded)
    if len(words) < SHORT:
        weight = len(words) + sum(map(is_spaceless, "".join(words))) / SPACELESS_A_WORD
        if weight < SHORT:
            return None
    return _hashed(" ".join(words).encode())


def _hashed(words: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "big")
