"""WebSub (W3C Recommendation, 23 January 2018): who pushes a feed, what a hub is asked, and what proves a delivery."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode, urljoin, urlsplit

from collectors.collector import CollectorError
from collectors.hook import digest, same

if TYPE_CHECKING:
    from collectors.outbound import Outbound

LEASE = timedelta(days=10)
"""What a hub is asked for; it decides itself. Most give between 1 and 15 days."""
SHORTEST, LONGEST, UNSAID = timedelta(minutes=5), timedelta(days=90), timedelta(days=1)
"""What we take a hub's lease for, whatever it says; and where it says none."""
MAX_LINK = 8_192
"""Characters of a Link header that are looked at."""
MAX_URL = 2_048
MAX_CHALLENGE = 2_048
ALGORITHMS = frozenset({"sha1", "sha256", "sha384", "sha512"})
"""Section 7, authenticated content distribution: the methods that a hub may sign with."""

Mode = Literal["subscribe", "unsubscribe"]

_LINK = re.compile(r"<([^<>]{1,2048})>([^<]*)")
_REL = re.compile(r'(?:^|[;\s])rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))', re.IGNORECASE)


class NoIntent(Exception):
    """What came to the callback is no question or word of a hub."""


@dataclass(frozen=True)
class Hub:
    """Who pushes a feed (`url`), and the address that it knows the feed by (`topic`)."""

    url: str
    topic: str


@dataclass(frozen=True)
class Intent:
    """What a hub asks or says at the callback; `lease` in seconds, bounded; `reason` of a denial."""

    mode: Literal["subscribe", "unsubscribe", "denied"]
    topic: str
    challenge: str = ""
    lease: float = 0.0
    reason: str = ""


def hub_of(link: str, hub: str, topic: str, base: str) -> Hub | None:
    """Return who pushes a feed, from its Link header before its own `hub` and `topic` (section 4, discovery).

    Without an address of its own that the feed names, nothing is subscribed to: ours may hold a key.
    """
    told = {"hub": hub, "self": topic} | _relations(link)
    urls = [_absolute(base, told[rel]) for rel in ("hub", "self")]
    return Hub(*urls) if all(urls) else None


def _relations(link: str) -> dict[str, str]:
    """Return the first address of each relation in a Link header (RFC 8288)."""
    found: dict[str, str] = {}
    for url, parameters in _LINK.findall(link[:MAX_LINK]):
        rel = _REL.search(parameters)
        for name in (rel[1] or rel[2] or "").lower().split() if rel else ():
            found.setdefault(name, url.strip())
    return {name: url for name, url in found.items() if name in ("hub", "self")}


def _absolute(base: str, url: str) -> str:
    """Return an address of the web that may be sent and stored, or nothing."""
    try:
        found = urljoin(base, url.strip()) if url.strip() else ""
        parts = urlsplit(found)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
    except ValueError:
        return ""
    return found if sound and len(found) <= MAX_URL and found.isascii() and found.isprintable() else ""


async def ask(outbound: "Outbound", mode: Mode, hub: Hub, callback: str, secret: str) -> None:
    """Ask a hub to push a feed to `callback` from now on, or no more (section 5.1); it answers there.

    Raises:
        CollectorError: the hub could not be reached, or refused.
    """
    form = {"hub.callback": callback, "hub.mode": mode, "hub.topic": hub.topic}
    if mode == "subscribe":
        form |= {"hub.lease_seconds": str(int(LEASE.total_seconds())), "hub.secret": secret}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await outbound.fetch("POST", hub.url, headers=headers, content=urlencode(form).encode())
    if not 200 <= answer.status < 300:
        raise CollectorError(f"the hub answered {answer.status}")


def read_intent(parameters: Mapping[str, str]) -> Intent:
    """Read what a hub asks at the callback (sections 5.2 and 5.3).

    Raises:
        NoIntent: a mode is unknown, or the topic or challenge is missing.
    """
    mode, topic = parameters.get("hub.mode", ""), parameters.get("hub.topic", "")
    if not topic:
        raise NoIntent("hub.topic is missing")
    if mode == "denied":
        reason = "".join(c for c in parameters.get("hub.reason", "")[:200] if c.isprintable())
        return Intent("denied", topic, reason=reason)
    if mode not in ("subscribe", "unsubscribe"):
        raise NoIntent("hub.mode is none of subscribe, unsubscribe and denied")
    challenge = parameters.get("hub.challenge", "")
    if not 0 < len(challenge) <= MAX_CHALLENGE:
        raise NoIntent(f"hub.challenge is missing, or longer than {MAX_CHALLENGE}")
    said = parameters.get("hub.lease_seconds", "")
    seconds = float(said[:12]) if said.isascii() and said.isdigit() else UNSAID.total_seconds()
    asked: Mode = "subscribe" if mode == "subscribe" else "unsubscribe"
    return Intent(asked, topic, challenge, min(max(seconds, SHORTEST.total_seconds()), LONGEST.total_seconds()))


def proven(signature: str, body: bytes, secret: str) -> bool:
    """Whether `X-Hub-Signature` (`method=hex`) is the HMAC of this body with our secret."""
    method, _, given = signature.strip().partition("=")
    method = method.lower()
    return method in ALGORITHMS and same(given.lower(), digest(secret.encode(), body, algorithm=method))
