"""What a channel for people takes in a minute, and the one message that names all where there is more: pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.notify.notice import Message

WINDOW = 60.0
"""Seconds in which a channel's messages are counted."""
URGENT = 4
"""Severity from which on a page stands for itself."""
NAMED = 50
"""Lines of a digest; what is more is a number."""


@dataclass
class Allowance:
    """How many messages a channel takes now; `sent` are the instants of the last minute's (POSIX seconds).

    A channel that said it was too much (429) takes none until `closed_until`, and then one at a time until one arrives.
    """

    sent: list[float] = field(default_factory=list)
    closed_until: float = 0.0
    careful: bool = False

    def left(self, per_minute: int, now: float) -> int:
        """Return how many messages may go now."""
        if now < self.closed_until:
            return 0
        self.sent = [at for at in self.sent if at > now - WINDOW]
        left = max(per_minute - len(self.sent), 0)
        return min(left, 1) if self.careful else left

    def opens(self, per_minute: int, now: float) -> float:
        """Return when one more may go."""
        return self.sent[-per_minute] + WINDOW if len(self.sent) >= per_minute else now + 1.0

    def told(self, now: float, after: float | None) -> None:
        """Take a try into account; `after` are the seconds that the receiver asked to wait."""
        self.careful = after is not None
        if after is not None:
            self.closed_until = max(self.closed_until, now + after)


def merged(messages: Sequence[Message], url: str) -> Message:
    """Return one message that names all; the worst stands first."""
    worst = sorted(messages, key=lambda m: (m.resolved, -m.severity))
    lines = [f"{m.title}: {m.summary}" if m.summary else m.title for m in worst[:NAMED]]
    if len(worst) > NAMED:
        lines.append(f"and {len(worst) - NAMED} more")
    return Message(
        title=f"{len(messages)} alerts",
        summary=f"{len(messages)} messages in one, since this channel takes no more at a time; the worst stands first.",
        lines=lines,
        url=url,
        severity=max(m.severity for m in messages),
        resolved=all(m.resolved for m in messages),
    )
