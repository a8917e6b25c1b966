"""A receiver of webhooks on this machine, as somebody else's system would be: real HTTP, real signatures."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = "whsec_Rm9yZXNob2NrIGFjY2VwdGFuY2UgdGVzdHMgb25seQ=="


@dataclass
class Receiver:
    """What came, verified; `failing` is how many more requests get a 503."""

    port: int
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: int = 0
    failing: int = 0

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def allowed(self) -> str:
        """What an operator allows for it."""
        return f"127.0.0.1:{self.port}"

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Verify one request; return the status."""
        if self.failing > 0:
            self.failing -= 1
            self.refused += 1
            return 503
        event = Webhook(SECRET).verify(body, headers)
        self.received.append((headers["webhook-id"], event))
        return 204

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return what came of one type."""
        return [event for _, event in self.received if event["type"] == kind]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver for the body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                status = found.take({k.lower(): v for k, v in self.headers.items()}, body)
            except (WebhookVerificationError, KeyError, ValueError) as error:
                found.received.append(("", {"type": "unverified", "why": repr(error)}))
                status = 400
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(int(server.server_address[1]))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
