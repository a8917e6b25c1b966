"""Stack Exchange: questions and answers of several sites by API 2.3's search, and on demand all comments of a site.

Its quota is of requests a day and shared by all that ask from one address: a turn is followed by a pause in which the
quota that is left lasts until midnight (UTC), when it begins anew.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from collectors.collector import CollectorError, Declaration, Limit
from collectors.feed_document import plain_text
from collectors.mention import Author, Mention
from collectors.query import parse
from collectors.search_words import search_words
from collectors.stretch import UNREADABLE, Page, Stretch, read_json, read_list

if TYPE_CHECKING:
    from collectors.outbound import Answer, Outbound

BASE_URL = "https://api.stackexchange.com"
WHAT = "Stack Exchange"
PAGE = 100
"""Posts a page, the most that the API gives."""
AGAIN = timedelta(hours=24)
"""Edits come in the first day; a brand's posts of a day are hardly ever more than a page."""
LAG = timedelta(minutes=5)
"""What the search may be behind; answers are cached for a minute or so."""
DAY = 86_400.0
OWN_DOMAINS = {
    "askubuntu": "askubuntu.com",
    "mathoverflow": "mathoverflow.net",
    "serverfault": "serverfault.com",
    "stackapps": "stackapps.com",
    "stackoverflow": "stackoverflow.com",
    "superuser": "superuser.com",
}
"""Sites that are not at their name under stackexchange.com."""

DECLARATION = Declaration(
    name="stackexchange",
    reads="questions and answers that a search finds, and all comments of a site where set",
    needs_key=False,
    push=False,
    counts=False,
    backfill="7 days (as many hours as are set)",
    price="free: 300 requests a day, 10,000 with a free key",
    poll_seconds=300.0,
    limit=Limit(20, 1.0),
)

_AVAILABLE = re.compile(r"in (\d{1,6}) seconds")
_LINKED = re.compile(r"/(?:questions|a|q)/(\d+)")
Site = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=100)]


class StackExchangeSettings(BaseModel):
    """A brand's source `{type: stackexchange, sites: [stackoverflow, superuser]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["stackexchange"] = "stackexchange"
    sites: tuple[Site, ...] = Field(default=("stackoverflow",), min_length=1, max_length=20)
    comments: bool = Field(default=False, description="read all comments of these sites; for sites with few")
    backfill_hours: int = Field(default=168, ge=25, le=180, description="read back when the source is new")


@dataclass(frozen=True)
class _Question:
    """What is asked of one site; no words ask for its comments."""

    site: str
    words: str | None


class StackExchange:
    """The listing: a question for each site and alternative of the query; bounds are POSIX seconds."""

    def __init__(
        self,
        settings: StackExchangeSettings,
        query: str,
        outbound: "Outbound",
        key: str | None = None,
        base_url: str = BASE_URL,
    ) -> None:
        kinds = frozenset({"post", "comment"})
        words = search_words(parse(query), DECLARATION.name, kinds, WHAT)
        asked: list[str | None] = [" ".join(f'"{word}"' if " " in word else word for word in each) for each in words]
        if settings.comments:
            asked.append(None)
        self._asked = [_Question(site, each) for site in settings.sites for each in asked]
        self.questions = len(self._asked)
        self._outbound = outbound
        self._key = key
        self._base_url = base_url.rstrip("/") + "/2.3"

    async def page(self, question: int, since: datetime, bound: int | None, now: datetime) -> Page:
        """Read up to 100 posts, by `creation_date`."""
        asked = self._asked[question]
        params = {"order": "desc", "sort": "creation", "pagesize": str(PAGE), "fromdate": str(int(since.timestamp()))}
        if bound is not None:
            params["todate"] = str(bound)
        if asked.words is None:
            answer = await self._ask("/comments", asked.site, {**params, "filter": "withbody"}, now)
        else:
            answer = await self._ask("/search/excerpts", asked.site, {**params, "q": asked.words}, now)
        mentions, skipped = [], 0
        for item in read_list(answer, "items", WHAT):
            try:
                mentions.append(read_item(item, asked.site, now))
            except UNREADABLE:
                skipped += 1
        oldest = min((mention.published_at for mention in mentions), default=now)
        # Whether todate itself is in it is nowhere said: a second more asks for some posts twice and misses none.
        rest = int(oldest.timestamp()) + 1 if answer.get("has_more") is True and mentions else None
        wait, left = _number(answer.get("backoff")), answer.get("quota_remaining")
        midnight = DAY - now.timestamp() % DAY
        pace = midnight * self.questions / max(1.0, _number(left)) if left is not None else 0.0
        return Page(mentions, rest, skipped, wait, min(pace, midnight))

    async def look_up(self, ids: Sequence[str], now: datetime) -> dict[str, Mention | None]:
        """Ask each site for these posts; what it does not have, as question, answer or comment, is gone."""
        gone, found = dict.fromkeys(ids), dict[str, Mention | None]()
        for site in {id_.partition(":")[0] for id_ in ids}:
            for kind, mark in (("question", ""), ("answer", ""), ("comment", "c")):
                wanted = re.compile(rf"{re.escape(site)}:{mark}(\d+)")
                sought = [match[1] for match in map(wanted.fullmatch, gone) if match]
                if not sought:
                    continue
                params = {"pagesize": str(PAGE), "filter": "withbody"}
                answer = await self._ask(f"/{kind}s/{';'.join(sought)}", site, params, now)
                for item in read_list(answer, "items", WHAT):
                    with suppress(*UNREADABLE):  # it is there, and nothing is known of its text
                        id_ = f"{site}:{mark}{item[f'{kind}_id']}"
                        gone.pop(id_, None)
                        found[id_] = read_item(item, site, now)
        return found | gone

    async def _ask(self, path: str, site: str, params: Mapping[str, str], now: datetime) -> dict[str, Any]:
        asked = {**params, "site": site, **({"key": self._key} if self._key else {})}
        answer = await self._outbound.fetch("GET", self._base_url + path, params=asked)
        if answer.status != 200:
            raise _refusal(answer, now)
        found = read_json(answer, WHAT, now)
        return found if isinstance(found, dict) else {}


def _refusal(answer: "Answer", now: datetime) -> CollectorError:
    """Read why it refused: a quota that is used up comes as 400 with the seconds in its message."""
    wait = answer.retry_after(now)
    text = answer.body[:2_000].decode("utf-8", "replace")
    if "throttle_violation" in text:
        seconds = _AVAILABLE.search(text)
        return CollectorError(f"{WHAT} asks to wait: too many requests", float(seconds[1]) if seconds else wait)
    if '"no_site"' in text or "No site found" in text:
        return CollectorError(f"{WHAT} knows no such site; write it as in its address, as superuser or dba")
    return CollectorError(f"{WHAT} answered {answer.status}", wait)


def read_item(item: Mapping[str, Any], site: str, now: datetime) -> Mention:
    """A question, answer or comment as a mention; one without a date is of now.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError: it lacks what a mention needs.
    """
    comment = "comment_id" in item
    post = _post(item)
    answer = "answer_id" in item
    at = _instant(item.get("creation_date")) or now
    active = _instant(item.get("last_activity_date")) or at
    owner = item.get("owner") or {}
    author, score, answers = owner.get("user_id"), item.get("score"), item.get("answer_count")
    body = _plain(item.get("body") or item.get("excerpt") or "")
    title = "" if comment or answer else _plain(item["title"])
    host = _domain(site)
    anchor = f"#comment{item['comment_id']}_{post}" if comment else ""
    parent = post if comment else item.get("question_id") if answer else None
    name = owner.get("display_name")
    return Mention(
        id=f"{site}:c{int(item['comment_id'])}" if comment else f"{site}:{post}",
        source=DECLARATION.name,
        text=f"{title}\n\n{body}".strip(),
        published_at=at,
        updated_at=active if active > at else None,
        url=f"https://{host}/{'a' if answer else 'q'}/{post}{anchor}",
        author=Author(id=f"{site}:{author}", name=unescape(name) if name else None) if author else None,
        kind="comment" if comment or answer else "post",
        engagement=max(0, score or 0) + (answers or 0) if score is not None else None,
        reply_to=f"{site}:{parent}" if parent else None,
    )


def _post(item: Mapping[str, Any]) -> int:
    """Return the number of the post that it is, or that it comments."""
    for name in ("post_id", "answer_id", "question_id"):
        if name in item:
            return int(item[name])
    found = _LINKED.search(item["link"])
    if found is None:
        raise ValueError("no number of a post")
    return int(found[1])


def _plain(html: str) -> str:
    return plain_text(re.sub(r"</?span[^>]*>", "", html))  # marks what the search found, amid a word too


def _domain(site: str) -> str:
    front, dot, name = site.rpartition(".")  # es.stackoverflow is a site, and meta.superuser.com an address
    if name in OWN_DOMAINS:
        return front + dot + OWN_DOMAINS[name]
    return site if name in ("com", "net") else f"{site}.stackexchange.com"


def _instant(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def collector(
    settings: StackExchangeSettings,
    query: str,
    outbound: "Outbound",
    key: str | None = None,
    base_url: str = BASE_URL,
) -> Stretch:
    """Make the collector of a brand; `key` is the operator's.

    Raises:
        CollectorError: the query cannot be searched for.
    """
    listing = StackExchange(settings, query, outbound, key, base_url)
    return Stretch(DECLARATION, listing, timedelta(hours=settings.backfill_hours), AGAIN, LAG)
