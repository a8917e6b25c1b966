"""Every source by name: what a brand may configure, what the source can do, and how its collector is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

from collectors import feeds, x
from collectors.collector import Collector, CollectorError, Declaration
from collectors.feeds import FeedCollector, FeedSettings
from collectors.outbound import Outbound
from collectors.x import XCollector, XSettings

#: A source in a brand's file, told apart by `type`.
SourceConfig = Annotated[XSettings | FeedSettings, Field(discriminator="type")]


@dataclass(frozen=True)
class Source:
    """A row of the registry; `build` takes settings, brand, query, outbound and secrets."""

    settings: type[BaseModel]
    declaration: Declaration
    build: Callable[[Any, str, str, Outbound, Mapping[str, str]], Collector]


def _build_x(settings: XSettings, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]) -> XCollector:
    token = secrets.get("x_bearer_token")
    if not token:
        raise CollectorError("X needs a bearer token; set FORESHOCK_X_BEARER_TOKEN")
    return XCollector(settings, brand, query, outbound, token, secrets.get("x_base_url", x.BASE_URL))


def _build_feed(
    settings: FeedSettings, _brand: str, _query: str, outbound: Outbound, _secrets: Mapping[str, str]
) -> FeedCollector:
    return FeedCollector(settings, outbound)


SOURCES: dict[str, Source] = {
    "feed": Source(FeedSettings, feeds.DECLARATION, _build_feed),
    "x": Source(XSettings, x.DECLARATION, _build_x),
}


def build(config: SourceConfig, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]) -> Collector:
    """Make the collector of one source of one brand.

    `secrets` are the operator's, never a brand's: `x_bearer_token`, and `x_base_url` (where the token is sent, and so
    no setting of a brand either).

    Raises:
        CollectorError: a secret that the source needs is missing.
    """
    return SOURCES[config.type].build(config, brand, query, outbound, secrets)
