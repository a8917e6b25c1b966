"""What Facebook's Graph API answers: posts and comments as mentions, batches, and errors as one line.

An error's own message is never shown: Facebook repeats in it what it was sent, a token too.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from collectors.collector import CollectorError
from collectors.mention import Author, Mention

if TYPE_CHECKING:
    from collectors.outbound import Answer

SOURCE = "facebook"
THROTTLED = frozenset({4, 17, 32, 613})
"""Codes of limits: of the app, of the user, of the page, and of one's own making."""
BY_NOW = 300.0
"""Seconds to wait where a limit does not say how long: it is counted over a rolling hour or day."""
FULL = 90.0
"""Percent of a limit from which we wait before Facebook refuses: who goes beyond waits longer."""
LONGEST = 86_400.0
"""Seconds that a header can make us wait, the longest window of a limit."""
GONE = (100, 33)
"""Code and subcode of an object that is not there any more, or not shown to us."""
BROKEN = (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError)


class Refused(CollectorError):
    """Facebook refused what was asked for; `code` and `subcode` are its own, 0 where it said none."""

    def __init__(self, reason: str, code: int, subcode: int) -> None:
        super().__init__(reason)
        self.code = code
        self.subcode = subcode


def object_of(answer: "Answer", now: datetime) -> Any:
    """Return what an answer holds.

    Raises:
        Refused: what was asked for is refused, with Facebook's code.
        CollectorError: it cannot be answered now, or is no JSON.
    """
    found = _json(answer.body)
    if answer.status != 200 or (isinstance(found, dict) and "error" in found):
        raise refusal(answer.status, found, answer.retry_after(now), answer.headers)
    if found is None:
        raise CollectorError("Facebook answered with something that is not JSON")
    return found


def refusal(
    status: int, found: Any, told: float | None = None, headers: Mapping[str, str] | None = None
) -> CollectorError:
    """Return what an error means: its status, its document, what `Retry-After` said, and the answer's headers."""
    error = found.get("error") if isinstance(found, dict) else None
    code, subcode = (_whole(error.get(name)) if isinstance(error, dict) else 0 for name in ("code", "error_subcode"))
    said = f"{status}, code {code}" if code else str(status)
    if status == 429 or code in THROTTLED:
        wait = told if told is not None else _regained(headers or {}) or BY_NOW
        return CollectorError(f"Facebook asks to wait: too many requests ({said})", wait)
    if code == 190 or status == 401:
        why = "the token has expired or was withdrawn"
        return CollectorError(f"Facebook refused the token ({said}): {why}; set a new FORESHOCK_FACEBOOK_TOKEN")
    if code == 10 or 200 <= code <= 299:
        return CollectorError(
            f"Facebook does not let the token read this page ({said}); it needs pages_read_engagement and "
            "pages_read_user_content"
        )
    if status >= 500 or code in (1, 2):
        return CollectorError(f"Facebook cannot answer now ({said})", told)
    return Refused(f"Facebook refused the request ({said}); is the page's number right?", code, subcode)


def rest(headers: Mapping[str, str]) -> float:
    """Return the seconds to rest before the next request, by what is used of the limits; 0 for none."""
    used = [_usage(headers, "x-app-usage"), *_of_business(headers)]
    highest = max((value for some in used for value in _percents(some)), default=0.0)
    return (_regained(headers) or BY_NOW) if highest >= FULL else 0.0


def _percents(usage: Mapping[str, Any]) -> list[float]:
    told = (usage.get(name) for name in ("call_count", "total_time", "total_cputime"))
    return [float(value) for value in told if isinstance(value, int | float)]


def _regained(headers: Mapping[str, str]) -> float:
    """Return the seconds until a page's limit is open again; it is told in minutes."""
    minutes = (some.get("estimated_time_to_regain_access") for some in _of_business(headers))
    return min(max((60.0 * m for m in minutes if isinstance(m, int | float)), default=0.0), LONGEST)


def _of_business(headers: Mapping[str, str]) -> list[Mapping[str, Any]]:
    told = _usage(headers, "x-business-use-case-usage").values()
    return [some for listed in told if isinstance(listed, list) for some in listed if isinstance(some, dict)]


def _usage(headers: Mapping[str, str], name: str) -> dict[str, Any]:
    found = _json(headers.get(name, "").encode())
    return found if isinstance(found, dict) else {}


def data_of(page: Any) -> tuple[list[Any], str | None]:
    """Return a page's entries, and the cursor of the next page; its address is not taken, since it holds the token.

    Raises:
        CollectorError: it is no page.
    """
    data = page.get("data") if isinstance(page, dict) else None
    if not isinstance(data, list):
        raise CollectorError("Facebook answered with something that is not a list of posts or comments")
    paging = page.get("paging")
    cursors = paging.get("cursors", {}) if isinstance(paging, dict) and paging.get("next") else None
    if cursors is None:
        return data, None
    token = cursors.get("after") if isinstance(cursors, dict) else None
    if not isinstance(token, str) or not token:
        raise CollectorError("Facebook named a next page without its cursor")
    return data, token


def batch_of(found: Any, asked: int) -> list[tuple[int, Any]]:
    """Return status and document of each request of a batch; status 0 for one that Facebook did not come to.

    Raises:
        CollectorError: these are not the answers to `asked` requests.
    """
    if not isinstance(found, list) or len(found) != asked:
        raise CollectorError("Facebook answered a batch with something else than its answers")
    answers: list[tuple[int, Any]] = []
    for part in found:
        body = part.get("body") if isinstance(part, dict) else None
        known = _json(body.encode("utf-8", "replace")) if isinstance(body, str) else None
        answers.append((_whole(part.get("code")), known) if isinstance(part, dict) and known is not None else (0, None))
    return answers


def read_post(item: Any, brand: str | None = None) -> Mention:
    """Read a post as a mention of `brand`, or of whom it matches, under the webhook's id.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError: it lacks what a mention needs.
    """
    told = [
        _total(item.get("reactions")),
        _total(item.get("comments")),
        _whole((item.get("shares") or {}).get("count")),
    ]
    return _mention(item, brand, kind="post", engagement=sum(told))


def read_comment(item: Any, post: str | None, brand: str | None = None) -> Mention:
    """Read a comment on `post`, as `read_post`."""
    parent = (item.get("parent") or {}).get("id") or post
    engagement = _whole(item.get("like_count")) + _whole(item.get("comment_count"))
    return _mention(item, brand, kind="comment", engagement=engagement, reply_to=parent)


def _mention(item: Any, brand: str | None, **fields: Any) -> Mention:
    writer, link = item.get("from") or {}, item.get("permalink_url")
    when = datetime.fromisoformat(item["created_time"])
    return Mention(
        id=item["id"],
        source=SOURCE,
        text=item.get("message") or "",
        published_at=when if when.tzinfo else when.replace(tzinfo=UTC),
        url=link if isinstance(link, str) and link.startswith("https://") else f"https://www.facebook.com/{item['id']}",
        author=Author(id=str(writer["id"]), name=writer.get("name") or None) if writer.get("id") else None,
        brands=[brand] if brand else None,
        **fields,
    )


def _total(listed: Any) -> int:
    return _whole((listed.get("summary") or {}).get("total_count")) if isinstance(listed, dict) else 0


def _whole(value: Any) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
