"""A web server with a feed and the hub that pushes it; the hub notes what it is asked and calls nobody by itself."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from tests.collectors.networks import Asked, FeedNetwork, Reply


class HubNetwork(FeedNetwork):
    """`wishes` are the forms that came to /hub, answered with `status`; the feed names hub and itself in its XML."""

    def __init__(self, *items: str) -> None:
        super().__init__()
        self.wishes: list[dict[str, str]] = []
        self.status = 202
        self.named, self.hub = True, "/hub"
        self.wished: Callable[[], None] = lambda: None
        self.publish(*items)

    def publish(self, *items: str) -> None:
        self.body, self.etag = self.document(*items), f'"{len(self.asked)}"'

    def document(self, *items: str) -> bytes:
        links = f"<link rel='hub' href='{self.hub}'/><link rel='self' href='/feed.xml?self'/>" if self.named else ""
        return f"<feed xmlns='http://www.w3.org/2005/Atom'>{links}{''.join(items)}</feed>".encode()

    def answer(self, asked: Asked) -> Reply:
        if asked.path != "/hub":
            return super().answer(asked)
        self.wishes.append(dict(parse_qsl(asked.body.decode())))
        self.wished()
        return Reply(self.status)

    def name(self) -> str:
        """The callback that it was last asked to call."""
        return self.wishes[-1]["hub.callback"].rpartition("/")[2]

    def intent(self, **more: Any) -> dict[str, str]:
        """What it asks at that callback."""
        wish = self.wishes[-1]
        told = {"mode": wish["hub.mode"], "topic": wish["hub.topic"], "challenge": "c" * 32, **more}
        return {f"hub.{name}": str(value) for name, value in told.items()}

    def signature(self, body: bytes, method: str = "sha256") -> dict[str, str]:
        secret = next(wish["hub.secret"] for wish in reversed(self.wishes) if "hub.secret" in wish)
        made = hmac.new(secret.encode(), body, getattr(hashlib, method)).hexdigest()
        return {"X-Hub-Signature": f"{method}={made}", "Content-Type": "application/atom+xml"}


def entry(identity: str, text: str, updated: str = "2026-03-08T11:59:00Z") -> str:
    return f"<entry><id>{identity}</id><title>{text}</title><updated>{updated}</updated></entry>"
