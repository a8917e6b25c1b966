"""What one text alone shows of spam."""

import re

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

LOOKED_AT = 10_000
"""Characters of a text that are looked at: longer than any post, and a long article costs no more."""

_LINK = re.compile(r"(?:https?://|www\.)\S", re.IGNORECASE)
_HASHTAG = re.compile(r"#\w*[^\W\d]\w*")
_CASHTAG = re.compile(r"\$[A-Za-z]{1,6}(?![A-Za-z0-9])")
_HANDLE = re.compile(r"@\w")


def looks_spam(text: str) -> bool:
    """Whether the text is a link farm, a heap of tags, or a contest post; its author is not looked at."""
    text = text[:LOOKED_AT]
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
