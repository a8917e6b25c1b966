"""robots.txt (RFC 9309): what a website asks programs not to read, and how long to pause between two requests."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from protego import Protego

from collectors.guard import OutboundError, OutboundRefused, origin
from collectors.outbound import PATIENCE, Outbound

PRODUCT = "foreshock"
"""Our product token: what a site's group of rules is named after, and what `USER_AGENT` begins with."""
MAX_BYTES = 500 * 2**10
"""Bytes of a file that are looked at (section 2.5 asks for no less)."""
KEPT = 86_400.0
"""Seconds that an answer stands (section 2.4 allows no more)."""
AGAIN = 60.0
"""Seconds until a site is asked again that gave no answer: several of its feeds ask it once."""
MAX_SITES = 1_000
"""Sites remembered, some kilobytes each; the one that was not read for longest is forgotten."""
LONGEST = 86_400.0
"""Seconds of pause that a site can ask for: a mistyped number must not end a source."""

_AGENT = re.compile(r"\s*user[-\s]*agent\b[\s:]*(\*(?=\s|#|$)|[a-z_-]*)", re.IGNORECASE)


@dataclass
class _Site:
    """What is known of an origin: its rules, or `why` not, when it is `due` again; the last request was at `asked`."""

    rules: Protego | None = None
    why: str = ""
    due: float = 0.0
    asked: float = 0.0
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Robots:
    """The rules of the `most` sites that were read last; `outbound` fetches them, `now` gives POSIX seconds.

    Hosts that the operator excepted are its own, and are not asked.
    """

    def __init__(self, outbound: Outbound, now: Callable[[], float] = time.time, most: int = MAX_SITES) -> None:
        self._outbound = outbound
        self._now = now
        self._most = most
        self._sites: dict[str, _Site] = {}

    async def heed(self, url: httpx.URL) -> None:
        """Return when `url` may be read, after the pause that its site asks for.

        Raises:
            OutboundRefused: the site is at an address that may not be reached.
            OutboundError: the site does not want it to be read, or asks for a long pause (`retry_after`), or does not
                say: then nothing may be read (section 2.3.1.4).
        """
        if self._outbound.excepted(str(url)):
            return
        at = origin(url)
        site = self._sites.pop(at, None) or _Site()
        self._sites[at] = site
        if len(self._sites) > self._most:
            del self._sites[next(iter(self._sites))]
        async with site.reading:
            if site.due <= self._now():
                await self._read(at, site)
        if site.rules is None:
            raise OutboundError(site.why)
        if not site.rules.can_fetch(str(url), PRODUCT):
            # The path is not named: that of a private feed is a secret.
            raise OutboundError(f"{at} asks robots not to read this address (robots.txt)", unpaid=True)
        await self._pause(at, site, min(site.rules.crawl_delay(PRODUCT) or 0.0, LONGEST))

    async def _read(self, at: str, site: _Site) -> None:
        """Ask for the rules; where there is no answer, those that were known stay (section 2.4)."""
        try:
            answer = await self._outbound.fetch("GET", f"{at}/robots.txt")
        except OutboundRefused:
            raise
        except OutboundError as error:
            why = error.reason
        else:
            if answer.status < 500:
                # "Unavailable" allows everything (section 2.3.1.3).
                text = answer.body if 200 <= answer.status < 300 else b""
                site.rules = await asyncio.to_thread(rules, text)  # one that is made to be slow takes 1.5 s
                site.due = self._now() + KEPT
                return
            why = f"it answered {answer.status}"
        site.why = f"{at}/robots.txt could not be read, so that nothing of the site may be: {why}"
        site.due = self._now() + AGAIN

    async def _pause(self, at: str, site: _Site, delay: float) -> None:
        while (wait := site.asked + delay - self._now()) > 0.0:
            if wait > PATIENCE:
                asks = f"{at} asks robots to pause {delay:g} seconds between requests (robots.txt)"
                raise OutboundError(asks, wait, unpaid=True)
            await asyncio.sleep(wait)
        site.asked = self._now()


def rules(body: bytes) -> Protego:
    """Read the rules of a file, UTF-8, however broken it is.

    All groups that are for others count as one: thousands of names before thousands of rules would fill the memory.
    """
    cut = body[:MAX_BYTES]
    if len(body) > MAX_BYTES:
        cut = cut[: max(cut.rfind(b"\n"), cut.rfind(b"\r")) + 1]  # half a rule says something else
    return Protego.parse("\n".join(map(_ours, cut.decode("utf-8-sig", "replace").splitlines())))


def _ours(line: str) -> str:
    """Return a line, with the name of any other program replaced; names are compared whole (section 2.2.1)."""
    found = _AGENT.match(line)
    if found is None:
        return line
    name = found[1].lower()
    return f"User-agent: {name if name in ('*', PRODUCT) else 'other'}"
