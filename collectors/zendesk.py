"""Zendesk, asked by ourselves: how many new tickets there are each minute, and on demand the tickets.

Counts come from the export of a search by creation, which lists each new ticket once; tickets from the incremental
export, which tells of every change, deletions included. Ids are those of the webhook: what both tell counts once.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collectors.collector import Batch, CollectorError, Declaration, Limit
from collectors.mention import Author, Count, Mention
from collectors.stretch import UNREADABLE, read_json, read_list

if TYPE_CHECKING:
    from collectors.outbound import Answer, Outbound

WHAT = "Zendesk"
PAGE = 100
"""Tickets a page: as many of the longest (64 kB each) stay below what one answer may hold."""
PAGES = 30
"""Pages of one span of time; where it has more, a shorter one is asked for."""
BACKFILL = timedelta(days=7)
LAG = timedelta(minutes=2)
"""Most new tickets are found by the search within it."""
AGAIN = timedelta(minutes=15)
"""Counted anew at each poll: the search may take "up to a few minutes", as its documentation says."""
UNSETTLED = timedelta(minutes=1)
"""The incremental export leaves out the youngest minute."""
DAY, MINUTE = 86_400, 60
LOST = frozenset({400, 404, 410, 422})
"""What is answered to a cursor that is known no more."""

DECLARATION = Declaration(
    name="zendesk",
    reads="counts of new tickets, and the tickets where set",
    needs_key=True,
    push=False,
    counts=True,
    backfill="7 days",
    price="free",
    poll_seconds=300.0,
    limit=Limit(10, 60.0, per="path"),
)


class ZendeskSettings(BaseModel):
    """A brand's source `{type: zendesk}`: all tickets of the desk, or of one of its brands, are about the brand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["zendesk"] = "zendesk"
    counts: bool = Field(default=True, description="minute counts are the volume")
    tickets: bool = Field(default=False, description="read the tickets' subjects and first comments too")
    brand_id: int | None = Field(default=None, ge=1, description="Zendesk's number of a brand, of several on a desk")

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if not (self.counts or self.tickets):
            raise ValueError("neither counts nor tickets are read; set one of them to true")
        return self


@dataclass(frozen=True)
class Desk:
    """The operator's desk: its address, and who asks."""

    url: str
    email: str
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What proves us: Basic authentication with the token in place of a password."""
        told = b64encode(f"{self.email}/token:{self.token}".encode()).decode()
        return {"Authorization": f"Basic {told}", "Accept": "application/json"}


class ZendeskCollector:
    """The cursor holds `counted` (POSIX seconds), `step` (seconds), whether counts are `behind`, and whose `turn` is.

    Of the incremental export it holds the cursor (`after`) and from when to go on without it (`posted`, POSIX seconds).
    """

    def __init__(
        self, settings: ZendeskSettings, brand: str, outbound: "Outbound", desk: Desk, pages: int = PAGES
    ) -> None:
        self.declaration = DECLARATION
        self._settings = settings
        self._brand = brand
        self._outbound = outbound
        self._desk = desk
        self._pages = pages

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the counts of one span of time, or one page of tickets.

        Raises:
            CollectorError: Zendesk could not be read; nothing was taken, the cursor stays.
        """
        if self._settings.tickets and (cursor.get("turn") == "tickets" or not self._settings.counts):
            return await self._changed(cursor, now)
        return await self._counted(cursor, now)

    async def _counted(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        target = int((now - LAG).timestamp()) // MINUTE * MINUTE
        earliest = target - int(BACKFILL.total_seconds())
        counted = int(cursor.get("counted", earliest))
        step = int(cursor.get("step", DAY))
        again = 0 if cursor.get("behind", True) else int(AGAIN.total_seconds())
        begin = max(earliest, counted - again)
        end = min(target, max(begin, counted) + step)
        if end <= begin:
            return Batch(cursor=cursor)
        created = await self._created(begin, end, now)
        if created is None:
            if step <= MINUTE:
                raise CollectorError(f"{WHAT} has more than {PAGE * self._pages:,} new tickets in a quarter of an hour")
            return Batch(cursor={**cursor, "step": max(MINUTE, step // 2 // MINUTE * MINUTE)}, more=True)
        minutes = dict.fromkeys(range(begin, end, MINUTE), 0)
        for at in created:
            minutes[int(at.timestamp()) // MINUTE * MINUTE] += 1
        counts = [self._count(start, count) for start, count in minutes.items()]
        done = end >= target
        after = {**cursor, "counted": end, "step": min(DAY, 2 * step), "behind": not done}
        if done and self._settings.tickets:
            after["turn"] = "tickets"
        return Batch(
            counts=counts,
            cursor=after,
            complete_until=_utc(end) if done else None,
            more=not done or self._settings.tickets,
            missed=(_utc(counted), _utc(begin)) if begin > counted else None,
        )

    async def _created(self, begin: int, end: int, now: datetime) -> list[datetime] | None:
        """Return when each ticket of a span was made, None where they are too many to be listed."""
        query = f"created>={_utc(begin):%Y-%m-%dT%H:%M:%SZ} created<{_utc(end):%Y-%m-%dT%H:%M:%SZ}"
        params = {"query": query, "filter[type]": "ticket", "page[size]": str(PAGE)}
        found: dict[str, datetime] = {}
        for _ in range(self._pages):
            answer = read_json(await self._ask("/api/v2/search/export.json", params, now), WHAT, now)
            for ticket in read_list(answer, "results", WHAT):
                if self._ours(ticket):
                    at = _read(ticket, "created_at")
                    if begin <= at.timestamp() < end:
                        found[str(ticket.get("id"))] = at
            meta = answer.get("meta")
            if not isinstance(meta, dict) or not isinstance(meta.get("has_more"), bool):
                raise CollectorError(f"{WHAT} did not say whether there are more tickets")
            if not meta["has_more"]:
                return list(found.values())
            params["page[after]"] = str(meta.get("after_cursor"))
        return None

    def _count(self, start: int, count: int) -> Count:
        return Count(brand=self._brand, source=DECLARATION.name, start=_utc(start), seconds=MINUTE, count=count)

    async def _changed(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read a page of tickets that were made, changed or deleted."""
        posted = cursor.get("posted", int((now - BACKFILL).timestamp()))
        params = {"per_page": str(PAGE)}
        params |= {"cursor": cursor["after"]} if "after" in cursor else {"start_time": str(int(posted))}
        told = await self._ask("/api/v2/incremental/tickets/cursor.json", params, now)
        if told.status in LOST and "after" in cursor:
            return Batch(cursor={name: value for name, value in cursor.items() if name != "after"}, more=True)
        answer = read_json(told, WHAT, now)
        mentions: dict[str, Mention] = {}
        skipped = 0
        for ticket in read_list(answer, "tickets", WHAT):
            try:
                found = self._mention(ticket, now) if self._ours(ticket) else None
            except (*UNREADABLE, CollectorError):
                skipped += 1
                continue
            if found is not None:
                mentions[found.id] = found
        if not isinstance(answer.get("end_of_stream"), bool):
            raise CollectorError(f"{WHAT} did not say whether there are more tickets")
        after = {name: value for name, value in cursor.items() if name != "turn"}
        if isinstance(answer.get("after_cursor"), str):
            after["after"] = answer["after_cursor"]
        if not answer["end_of_stream"]:
            kept = {**after, "turn": "tickets"}
            return Batch(mentions=list(mentions.values()), cursor=kept, more=True, skipped=skipped)
        until = now - UNSETTLED
        after["posted"] = int((until - AGAIN).timestamp())
        said = None if self._settings.counts else until  # counts have said it
        return Batch(mentions=list(mentions.values()), cursor=after, complete_until=said, skipped=skipped)

    def _ours(self, ticket: Any) -> bool:
        return self._settings.brand_id is None or (
            isinstance(ticket, dict) and ticket.get("brand_id") == self._settings.brand_id
        )

    def _mention(self, ticket: Mapping[str, Any], now: datetime) -> Mention | None:
        """Return a ticket as the webhook gives it; None for an old one that was only worked on."""
        made, changed = _read(ticket, "created_at"), _read(ticket, "updated_at")
        gone = ticket.get("status") == "deleted"
        if made < now - BACKFILL and not gone:
            return None
        words = [part for part in (ticket.get("subject"), ticket.get("description")) if isinstance(part, str) and part]
        requester = ticket.get("requester_id")
        return Mention(
            id=str(int(ticket["id"])),
            source=DECLARATION.name,
            text="" if gone else "\n\n".join(words),
            published_at=made,
            updated_at=max(changed, made) if gone or changed > made else None,
            deleted=gone,
            author=Author(id=str(int(requester))) if requester else None,
            kind="ticket",
            brands=[self._brand],
        )

    async def _ask(self, path: str, params: Mapping[str, str], now: datetime) -> "Answer":
        """Ask the desk.

        Raises:
            CollectorError: it could not be reached, or does not know who asks.
        """
        answer = await self._outbound.fetch("GET", self._desk.url + path, headers=self._desk.headers, params=params)
        if answer.status in (401, 403):
            hint = "see FORESHOCK_ZENDESK_SUBDOMAIN, _EMAIL and _TOKEN, of one who may export tickets"
            raise CollectorError(f"{WHAT} refused the token ({answer.status}); {hint}", answer.retry_after(now))
        return answer


def _read(ticket: Any, name: str) -> datetime:
    try:
        when = datetime.fromisoformat(ticket[name])
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    except UNREADABLE:
        raise CollectorError(f"{WHAT} listed a ticket without {name}") from None


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
