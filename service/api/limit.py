"""No request is read beyond a bound, whoever sends it: bodies are read before keys are looked at."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import answer

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request: some 20,000 short mentions."""
DETAIL = f"the body is over {MAX_BODY} bytes; send it in parts"


class LimitBody:
    """Refuses a body over MAX_BODY: at once where it says its length, else when it gets there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said) > MAX_BODY:
            await answer(413, DETAIL)(scope, receive, send)
            return
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise HTTPException(413, DETAIL)
            return message

        await self._app(scope, limited, send)
