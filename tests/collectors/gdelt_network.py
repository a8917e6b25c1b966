"""A local server that answers as GDELT's DOC API does."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.collectors.networks import Asked, Network, Reply

SLOT = timedelta(minutes=15)


class GdeltNetwork(Network):
    """The DOC API over `articles` (instant, name); knows quarters up to `read`, of which `blank` were not read."""

    def __init__(self, read: datetime) -> None:
        super().__init__()
        self.read = read
        self.articles: list[tuple[datetime, str]] = []
        self.blank: set[datetime] = set()
        self.shuffled = False

    def answer(self, asked: Asked) -> Reply:
        known = asked.params
        start, end = (
            datetime.strptime(known[name], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            for name in ("startdatetime", "enddatetime")
        )
        if known["mode"] == "timelinevolraw":
            return self._timeline(start, end)
        found = sorted((at, name) for at, name in self.articles if start <= at <= min(end, self.read))
        items = [article(at, name) for at, name in found[: int(known["maxrecords"])]]
        items = items[::-1] + items[:7] if self.shuffled else items
        return Reply(200, json.dumps({"articles": items} if items else {}).encode())

    def _timeline(self, start: datetime, end: datetime) -> Reply:
        data, at = [], start
        while at <= end and at < self.read:
            inside = sum(at <= when < at + SLOT for when, _ in self.articles)
            data.append({"date": stamp(at), "value": inside, "norm": 0 if at in self.blank else 1400})
            at += SLOT
        if not sum(point["value"] for point in data):
            return Reply(200, b"{}")
        return Reply(200, json.dumps({"timeline": [{"series": "Article Count", "data": data}]}).encode())


def stamp(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


def article(at: datetime, name: str, **more: Any) -> dict[str, Any]:
    return {
        "url": f"https://news.example/{name}", "title": f"Acme  Air {name}", "seendate": stamp(at),
        "domain": "news.example", "language": "English", "sourcecountry": "Japan", **more,
    }  # fmt: skip
