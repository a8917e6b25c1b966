"""Tweepy's client over our one way out, and what X refuses as errors of one line."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http.client import responses
from typing import TYPE_CHECKING, Any, TypeVar

from collectors.collector import CollectorError

if TYPE_CHECKING:
    from collectors.outbound import Answer, Outbound

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """The part of an HTTP answer that tweepy looks at."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    async def json(self) -> dict[str, Any]:
        """The answer's object.

        Raises:
            CollectorError: it is none, or was cut off.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise CollectorError("X answered with something that is not a JSON object")
        return found

    async def complaint(self) -> dict[str, Any]:
        """What tweepy's errors read of a refused request, as far as it has the documented shape."""
        try:
            found = await self.json()
        except CollectorError:
            return {}
        errors = found.get("errors")
        kept = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        said = [{"message": str(error["message"])} for error in kept if "message" in error]
        return {"errors": said, "detail": str(found.get("detail", found.get("title", "")))}


@cache
def _client_class() -> Any:
    """Made when first used, since tweepy takes a second to import."""
    from tweepy import errors
    from tweepy.asynchronous import AsyncClient, AsyncStreamingClient

    refused = {400: errors.BadRequest, 401: errors.Unauthorized, 403: errors.Forbidden, 404: errors.NotFound}

    # Of the streaming client only the rules are used: its `filter` opens an aiohttp session that no guard can be put
    # under, and to a fixed address; the stream itself is opened by `Outbound.stream`.
    class Client(AsyncClient, AsyncStreamingClient):  # type: ignore[misc]  # tweepy has no types
        def __init__(self, bearer_token: str, outbound: "Outbound", base_url: str) -> None:
            super().__init__(bearer_token, return_type=dict)
            self._outbound = outbound
            self._base_url = base_url.rstrip("/")

        async def request(
            self,
            method: str,
            route: str,
            params: Mapping[str, Any] | None = None,
            json: Any = None,
            user_auth: bool = False,
        ) -> Reply:
            if user_auth:
                raise NotImplementedError("X is asked with a bearer token")
            headers = {"Authorization": f"Bearer {self.bearer_token}"}
            answer = await self._outbound.fetch(
                method,
                self._base_url + route,
                params={name: str(value) for name, value in (params or {}).items()},
                headers=headers if json is None else {**headers, "Content-Type": "application/json"},
                content=None if json is None else _encoded(json),
            )
            status = answer.status
            reply = Reply(status, responses.get(status, ""), answer.headers, answer.body)
            if 200 <= status < 300:
                return reply
            complaint = await reply.complaint()
            if status == 429:
                reset = answer.headers.get("x-rate-limit-reset", "")
                at = int(reset[:12]) if reset.isascii() and reset.isdigit() else None
                raise errors.TooManyRequests(reply, response_json=complaint, reset_time=at)
            kind = errors.TwitterServerError if status >= 500 else refused.get(status, errors.HTTPException)
            raise kind(reply, response_json=complaint)

    return Client


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def client(bearer_token: str, outbound: "Outbound", base_url: str) -> Any:
    """Tweepy's asynchronous client, rules of the stream included; its answers are plain objects."""
    return _client_class()(bearer_token, outbound, base_url)


async def asked(token: str, now: datetime, request: Callable[[], Awaitable[T]]) -> T:
    """Do what asks X something.

    Raises:
        CollectorError: X refused, in one line without the token; what was refused is not billed.
    """
    import tweepy

    try:
        return await request()
    except tweepy.TooManyRequests as error:
        wait = told_to_wait(error.response.headers, now)
        raise CollectorError("X asks to wait: too many requests (429)", wait, unpaid=True) from None
    except tweepy.HTTPException as error:
        raise CollectorError(plain(f"X refused the request: {error}", token), unpaid=True) from None


def refused(answer: "Answer", token: str, now: datetime) -> CollectorError:
    """What the head of an answer that is no stream says."""
    if answer.status == 429:
        wait = told_to_wait(answer.headers, now)
        return CollectorError("X asks to wait: too many requests or connections (429)", wait or 60.0, unpaid=True)
    reason = responses.get(answer.status, "")
    return CollectorError(plain(f"X refused the stream: {answer.status} {reason}", token), unpaid=True)


def told_to_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that `x-rate-limit-reset` (an instant) or `Retry-After` ask for."""
    reset, told = headers.get("x-rate-limit-reset", ""), headers.get("retry-after", "")
    if reset.isascii() and reset.isdigit():
        return max(1.0, int(reset[:12]) - now.timestamp())
    return float(told[:6]) if told.isascii() and told.isdigit() else None


def plain(text: str, token: str) -> str:
    """One line of bounded length without the token, which a server may repeat."""
    return " ".join(text.split()).replace(token, "***")[:300]
