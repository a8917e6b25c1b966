"""One POST of JSON to a service, and what its answer means."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from collectors.outbound import Outbound, OutboundError, OutboundRefused
from service.notify.notice import Outcome

GOOD = (200, 201, 202, 204)
LIMITED, LIMITED_SECONDS = 429, 60.0
"""How long a service rests that says that it is too much and not for how long."""


def may_have_arrived(error: OutboundError) -> bool:
    """Say whether what was sent may be there all the same: where nothing was connected it is not."""
    return not (error.unpaid or isinstance(error, OutboundRefused))


async def post(
    outbound: Outbound,
    url: str,
    content: bytes,
    headers: Mapping[str, str] | None = None,
    good: Collection[int] = GOOD,
    name: str = "the receiver",
) -> Outcome:
    """Try once; `name` is how the service is called in what is said of it."""
    sent = {"content-type": "application/json", **(headers or {})}
    try:
        answer = await outbound.fetch("POST", url, content=content, headers=sent)
    except OutboundError as error:
        return Outcome("again", str(error), maybe=may_have_arrived(error))
    if answer.status in good:
        return Outcome("delivered", str(answer.status))
    after = answer.retry_after(datetime.now(UTC))
    if after is None and answer.status == LIMITED:
        after = LIMITED_SECONDS
    return Outcome("again", f"{name} answered {answer.status}", after=after)
