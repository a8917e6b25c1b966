"""A local server that pages customers' reviews as Apple's feed does."""

import json
from datetime import datetime
from typing import Any

from tests.collectors.networks import Asked, Network, Reply

SIZE = 50


def review(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    return {
        "author": {"uri": {"label": f"https://example.com/de/reviews/id{number + 1000}"}, "name": {"label": "Ada"}},
        "updated": {"label": at.isoformat()},
        "im:rating": {"label": "1"},
        "id": {"label": str(number)},
        "title": {"label": "Broken"},
        "content": {"label": f"Crashes at start {number}", "attributes": {"type": "text"}},
        "im:voteCount": {"label": "4"},
        **more,
    }  # fmt: skip


class AppStore(Network):
    """Ten pages of fifty over `reviews`, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.reviews: list[dict[str, Any]] = []
        self.shuffled = False

    def answer(self, asked: Asked) -> Reply:
        parts = asked.path.split("/")
        assert parts[1] == "de"
        assert parts[5:] == ["id=42", "sortby=mostrecent", "json"]
        page = int(parts[4].removeprefix("page="))
        found = sorted(self.reviews, key=lambda r: r["updated"]["label"], reverse=True)[SIZE * (page - 1) : SIZE * page]
        found = found[::-1] + found[:7] if self.shuffled else found
        entry: dict[str, Any] = {"entry": found if len(found) != 1 else found[0]} if found else {}
        return Reply(200, json.dumps({"feed": {"updated": {"label": "x"}, **entry}}).encode())
