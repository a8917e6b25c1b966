"""Names that routes and duties use must be there: channels and duties share one space of names."""

from collections.abc import Collection, Iterator, Sequence

from service.notify.on_call import Duty
from service.notify.route import Route

Place = tuple[int | str, ...]
"""Where something stands in `foreshock.yaml`."""


def unknown(channels: Collection[str], duties: Sequence[Duty], routes: Sequence[Route]) -> Iterator[tuple[Place, str]]:
    """Give each name that is used and not there: its place, and one line that says what would be right."""
    for n, duty in enumerate(duties):
        people = [(("people", i), p.channel) for i, p in enumerate(duty.people)]
        overrides = [(("overrides", i), o.channel) for i, o in enumerate(duty.overrides) if o.channel is not None]
        for place, name in people + overrides:
            if name not in channels:
                yield ("duties", n, *place, "channel"), _missing("channel", name, channels)
    names = {*channels, *(duty.name for duty in duties)}
    for n, route in enumerate(routes):
        yield from _to(("routes", n), route.to, names)
        for i, level in enumerate(route.escalate):
            yield from _to(("routes", n, "escalate", i), level.to, names)


def uses(name: str, duties: Sequence[Duty], routes: Sequence[Route]) -> Iterator[str]:
    """Give the duties and routes that name a channel or a duty."""
    yield from (f"duty {duty.name}" for duty in duties if name in duty.everybody())
    yield from (f"route {route.name}" for route in routes if name in route.named())


def _to(place: Place, to: Sequence[str], names: Collection[str]) -> Iterator[tuple[Place, str]]:
    for i, name in enumerate(to):
        if name not in names:
            yield (*place, "to", i), _missing("channel or duty", name, names)


def _missing(what: str, name: str, names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:20])
    return f"there is no {what} {name!r}; there is {shown}" if shown else f"there is no {what} {name!r}"
