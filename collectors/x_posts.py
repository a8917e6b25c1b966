"""X's posts as mentions, and the pages of recent search."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from collectors.collector import CollectorError
from collectors.mention import Author, Mention

SOURCE = "x"
EPOCH_MS = 1288834974657
"""Milliseconds from 1970 to the first instant that a post's id can hold."""
LONGEST_ID = 19
"""Digits of an id: 63 bits."""
NO_LANGUAGE = frozenset({"und", "art", "zxx", "qam", "qct", "qht", "qme", "qst"})
"""What X writes in `lang` for links, hashtags, media and texts too short to tell."""
FIELDS: dict[str, list[str]] = {
    "expansions": ["author_id"],
    "tweet_fields": ["created_at", "lang", "public_metrics", "referenced_tweets"],
    "user_fields": ["name", "username", "public_metrics"],
}
"""What is asked for of each post, as tweepy names it."""


@dataclass(frozen=True)
class Page:
    """One page of recent search: its posts, how many came and could not be read, and what names the next page.

    `sound` where it says of itself how many it has, as every page does.
    """

    mentions: list[Mention]
    sound: bool
    came: int
    skipped: int
    newest: int
    oldest: int
    token: str | None


def posted_at(identifier: int) -> datetime:
    """Instant that a post's id holds in its upper bits (a snowflake: milliseconds above 22 bits of order)."""
    return datetime.fromtimestamp(((identifier >> 22) + EPOCH_MS) / 1000, UTC)


def first_id(at: datetime) -> int:
    """The lowest id that a post of that instant can have."""
    return max(int(at.timestamp() * 1000) - EPOCH_MS, 0) << 22


async def search(client: Any, query: str, brand: str | None, size: int, **which: str) -> Page:
    """Ask for one page of recent search; `which` says from where (`since_id`, `start_time`, `until_id`, `next_token`).

    Raises:
        CollectorError, tweepy.HTTPException: X refused, or answered what is no page.
    """
    answer = await client.search_recent_tweets(query, max_results=size, **FIELDS, **which)
    meta, items, users = meta_of(answer), data_of(answer), users_of(answer)
    read = [read_or_none(item, users, brand) for item in items]
    mentions = {mention.id: mention for mention in read if mention is not None}
    ids = [found for item in items if (found := number(item.get("id")))]
    token = meta.get("next_token") if items else None
    return Page(
        mentions=list(mentions.values()),
        sound=meta.get("result_count") == len(items),
        came=len(items),
        skipped=read.count(None),
        newest=max(number(meta.get("newest_id")), *ids, 0),
        oldest=min(ids, default=0),
        token=token if isinstance(token, str) else None,
    )


def read_or_none(item: Mapping[str, Any], users: Mapping[str, Author], brand: str | None) -> Mention | None:
    """One post as a mention, None where it lacks what a mention needs."""
    try:
        return read_post(item, users, brand)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def read_post(item: Mapping[str, Any], users: Mapping[str, Author], brand: str | None) -> Mention:
    """One post of an answer as a mention of `brand`, whose query X has matched; None where it must be matched again.

    An edited post keeps the identity of its first version.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError: it lacks what a mention needs.
    """
    import tweepy

    versions = [int(version) for version in item.get("edit_history_tweet_ids") or [item["id"]]]
    first, last = min(versions), max(versions)
    post = tweepy.Tweet({"edit_history_tweet_ids": versions, **item})
    refers = {reference.type: str(reference.id) for reference in post.referenced_tweets or []}
    author = str(post.author_id) if post.author_id is not None else None
    return Mention(
        id=str(first),
        source=SOURCE,
        text=post.text,
        published_at=post.created_at or posted_at(first),
        updated_at=posted_at(last) if first != last else None,
        url=f"https://x.com/i/status/{post.id}",
        author=users.get(author, Author(id=author)) if author else None,
        language=post.lang if post.lang not in NO_LANGUAGE else None,
        engagement=_engagement(post.public_metrics),
        reply_to=refers.get("replied_to"),
        repost_of=refers.get("retweeted"),
        brands=[brand] if brand else None,
    )


def _engagement(metrics: Mapping[str, int] | None) -> int | None:
    names = ("retweet_count", "reply_count", "like_count", "quote_count")
    return sum(metrics.get(name, 0) for name in names) if metrics else None


def users_of(answer: Mapping[str, Any]) -> dict[str, Author]:
    """Authors of an answer, by id; one that cannot be read is left out."""
    includes = answer.get("includes")
    users = includes.get("users") if isinstance(includes, dict) else None
    found: dict[str, Author] = {}
    for user in users if isinstance(users, list) else []:
        try:
            followers = (user.get("public_metrics") or {}).get("followers_count")
            found[user["id"]] = Author(id=user["id"], name=user.get("username"), followers=followers)
        except (AttributeError, KeyError, TypeError, ValidationError):
            continue  # the post is kept, with its author's id alone
    return found


def data_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the items of an answer.

    Raises:
        CollectorError: it has something else in their place.
    """
    data = answer.get("data", [])
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise CollectorError("X answered with data that is not a list of objects")
    return data


def meta_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an answer says of itself."""
    meta = answer.get("meta")
    return meta if isinstance(meta, dict) else {}


def number(identifier: object) -> int:
    """An id as a number, 0 for what is none."""
    if not isinstance(identifier, str) or len(identifier) > LONGEST_ID:
        return 0
    return int(identifier) if identifier.isascii() and identifier.isdigit() else 0
