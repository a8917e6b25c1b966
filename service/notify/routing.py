"""The routing of what is configured: who is told of an event, by all routes, duties, mutes and channels there are."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.brand import Brand, Webhook
from service.episode import Event, EventType
from service.notify.channel import Channel, WebhookChannel, of_webhook
from service.notify.mute import Mute, of_brand
from service.notify.on_call import Duty, OnCall
from service.notify.route import Route, Told, notices

DEFAULT = "default"
"""The route that is there where none is configured."""


class Configured(Protocol):
    """What is configured, as the registry has it."""

    @property
    def brands(self) -> Mapping[str, Brand]:
        """Brands by name."""
        ...

    @property
    def webhooks(self) -> Mapping[str, Webhook]:
        """Receivers of every event, by name."""
        ...

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Channels by name."""
        ...

    @property
    def duties(self) -> Mapping[str, Duty]:
        """Duties by name."""
        ...

    @property
    def routes(self) -> Sequence[Route]:
        """All routes."""
        ...

    @property
    def mutes(self) -> Sequence[Mute]:
        """All mutes."""
        ...


def receivers(has: Configured) -> dict[str, Channel]:
    """Return all that can be told something, by name: the channels, and the webhooks as channels."""
    return {**{name: of_webhook(webhook) for name, webhook in has.webhooks.items()}, **has.channels}


def all_routes(has: Configured) -> list[Route]:
    """Return the routes that are there: the configured ones; where there are none, every page to every channel.

    Each webhook has a route of its own beside them: it receives every event, also of what is muted for people.
    """
    routes = list(has.routes)
    if not routes and has.channels:
        routes = [Route(name=DEFAULT, to=sorted(has.channels))]
    webhooks = sorted(set(has.webhooks) - set(has.channels))
    return routes + [Route(name=name, to=[name], events="all", despite_mutes=True) for name in webhooks]


def told(has: Configured, event: Event, at: float | None = None) -> list[Told]:
    """Return who is told of an event; `at` (POSIX seconds) is when it is looked at, by default when it happened."""
    brand = has.brands.get(event.brand)
    mutes = list(of_brand(has.mutes, brand)) if brand else []
    zone = brand.timezone if brand else "UTC"
    at = event.at.timestamp() if at is None else at
    to = receivers(has)
    found = notices(event, all_routes(has), OnCall(has.duties), mutes, zone, at)
    return [one for one in found if one.channel in to and takes(to[one.channel], event.type)]


def takes(channel: Channel, event: EventType) -> bool:
    """Say whether a channel takes events of a type: a webhook may be configured for some only."""
    return not isinstance(channel, WebhookChannel) or channel.events is None or event in channel.events


def brands_of(has: Configured, channel: str) -> frozenset[str] | None:
    """Return the brands that a channel hears of, None where that is all: brand names are names of clients."""
    duty = OnCall(has.duties)
    routes = [route for route in all_routes(has) if channel in duty.everybody(route.named())]
    if any(not route.brands for route in routes):
        return None
    return frozenset(brand for route in routes for brand in route.brands)


def seen_by(has: Configured, channel: str, event: Event) -> Event:
    """Return an event as a channel may see it: of other brands in crisis, those that it hears of."""
    others = event.episode.evidence.get("others")
    if not others:
        return event
    known = brands_of(has, channel)
    if known is None or known.issuperset(others):
        return event
    evidence = {**event.episode.evidence, "others": [brand for brand in others if brand in known]}
    return event.model_copy(update={"episode": event.episode.model_copy(update={"evidence": evidence})})
