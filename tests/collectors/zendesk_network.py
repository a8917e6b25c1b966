"""A local Zendesk: the export of a search by creation, and the incremental export of tickets by cursor."""

import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.collectors.networks import Asked, Network, Reply
from tests.collectors.searched_networks import as_json

WHO = ("ann@acme.example", "let-me-in")


class ZendeskNetwork(Network):
    """A desk's tickets, in pages of at most `size`; a search finds those made `indexed` ago, cursors end by `lose`."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.now = now
        self.tickets: dict[int, dict[str, Any]] = {}
        self.size = 100
        self.indexed = timedelta(0)
        self.generation = 0

    def ticket(self, at: datetime, subject: str = "Refund", **fields: Any) -> str:
        number = 1 + len(self.tickets)
        made = _z(at)
        self.tickets[number] = {
            "id": number, "subject": subject, "description": "now", "status": "new", "requester_id": 7, "brand_id": 1,
            "created_at": made, "updated_at": made, **fields,
        }  # fmt: skip
        return str(number)

    def change(self, number: str, at: datetime, **fields: Any) -> None:
        self.tickets[int(number)] |= {"updated_at": _z(at), **fields}

    def lose(self) -> None:
        """Forget all cursors that were given."""
        self.generation += 1

    def answer(self, asked: Asked) -> Reply:
        expected = b64encode(f"{WHO[0]}/token:{WHO[1]}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {expected}":
            return as_json({"error": "Couldn't authenticate you"}, 401)
        if asked.path == "/api/v2/search/export.json":
            return self._search(asked.params)
        if asked.path == "/api/v2/incremental/tickets/cursor.json":
            return self._incremental(asked.params)
        return as_json({"error": "InvalidEndpoint"}, 404)

    def _search(self, params: dict[str, str]) -> Reply:
        bounds = re.fullmatch(r"created>=(\S+) created<(\S+)", params["query"])
        if bounds is None or params.get("filter[type]") != "ticket":
            return as_json({"error": "invalid"}, 422)
        low, high = bounds.groups()
        found = [
            ticket for ticket in self.tickets.values()
            if low <= ticket["created_at"] < high and ticket["status"] != "deleted"
            and ticket["created_at"] <= _z(self.now - self.indexed)
        ]  # fmt: skip
        begin = int(params.get("page[after]", 0))
        end = begin + min(self.size, int(params["page[size]"]))
        meta = {"has_more": end < len(found), "after_cursor": str(end)}
        return as_json({"results": found[begin:end], "meta": meta, "links": {}, "facets": None})

    def _incremental(self, params: dict[str, str]) -> Reply:
        if "cursor" in params:
            generation, at, last = params["cursor"].split("|")
            if int(generation) != self.generation:
                return as_json({"error": "InvalidCursor"}, 422)
            after = (at, int(last))
        else:
            if int(params["start_time"]) > self.now.timestamp() - 60:
                return as_json({"error": "StartTimeTooRecent"}, 422)
            after = (_z(datetime.fromtimestamp(int(params["start_time"]), UTC)), 0)
        changed = sorted((ticket["updated_at"], ticket["id"]) for ticket in self.tickets.values())
        waiting = [key for key in changed if key > after and key[0] < _z(self.now - timedelta(minutes=1))]
        page = waiting[: min(self.size, int(params["per_page"]))]
        at, last = page[-1] if page else after
        return as_json(
            {
                "tickets": [self.tickets[number] for _, number in page],
                "after_cursor": f"{self.generation}|{at}|{last}",
                "end_of_stream": len(page) == len(waiting),
            }
        )


def _z(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
