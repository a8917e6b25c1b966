import json
from dataclasses import asdict

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from collectors.collector import CollectorError
from collectors.feeds import FeedCollector, FeedSettings
from collectors.outbound import Outbound
from collectors.registry import PUSHED, SOURCES, SourceConfig, build
from collectors.x import XCollector
from collectors.x_settings import XSettings


class Brand(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sources: list[SourceConfig]


def read(*sources: dict[str, object]) -> Brand:
    return Brand.model_validate({"sources": sources})


def test_a_brands_sources_are_told_apart_by_type_and_survive_json() -> None:
    brand = read({"type": "feed", "url": "https://example.org/feed"}, {"type": "x"})
    assert brand.sources == [FeedSettings(url="https://example.org/feed"), XSettings()]
    assert Brand.model_validate_json(brand.model_dump_json()) == brand


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ({"type": "myspace"}, "sources.0"),
        ({}, "sources.0"),
        ({"type": "feed"}, "sources.0.feed.url"),
        ({"type": "feed", "url": "ftp://example.org/"}, "sources.0.feed.url"),
        ({"type": "feed", "url": "example.org/feed"}, "sources.0.feed.url"),
        ({"type": "feed", "url": "https:///feed"}, "sources.0.feed.url"),
        ({"type": "feed", "url": "https://[::1/feed"}, "sources.0.feed.url"),
        ({"type": "feed", "url": "https://a/", "colour": 1}, "sources.0.feed.colour"),
        ({"type": "feed", "url": "https://a/", "source": "No Spaces"}, "sources.0.feed.source"),
        ({"type": "x", "base_url": "https://thief.example/"}, "sources.0.x.base_url"),
        ({"type": "x", "price_per_post": -1}, "sources.0.x.price_per_post"),
        ({"type": "x", "posts_per_poll": 10**9}, "sources.0.x.posts_per_poll"),
    ],
)
def test_a_wrong_source_is_refused_where_it_is_wrong(source: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as error:
        read(source)
    assert [".".join(map(str, found["loc"])) for found in error.value.errors()] == [where]


def test_every_source_declares_itself_under_its_own_name() -> None:
    assert set(SOURCES) >= {
        "appstore",
        "bluesky",
        "discourse",
        "feed",
        "file",
        "gdelt",
        "hackernews",
        "stackexchange",
        "x",
    }
    for name, source in SOURCES.items():
        assert source.declaration.name == name
        assert source.settings.model_fields["type"].default == name
        assert source.settings.model_config["extra"] == "forbid"
        assert source.declaration.poll_seconds > 0


def test_collectors_are_built_from_what_a_brand_says() -> None:
    outbound = Outbound()
    feed = build(FeedSettings(url="https://example.org/"), "acme", "acme", outbound, {})
    x = build(XSettings(), "acme", "acme", outbound, {"x_bearer_token": "t"})
    assert isinstance(feed, FeedCollector)
    assert isinstance(x, XCollector)
    assert (feed.declaration.name, x.declaration.name) == ("feed", "x")


def test_x_without_its_token_says_what_to_set() -> None:
    for secrets in ({}, {"x_bearer_token": ""}):
        with pytest.raises(CollectorError, match="FORESHOCK_X_BEARER_TOKEN"):
            build(XSettings(), "acme", "acme", Outbound(), secrets)


def test_declarations_can_be_printed() -> None:
    rows = [asdict(declaration) for declaration in (*(s.declaration for s in SOURCES.values()), *PUSHED.values())]
    assert {"name", "reads", "needs_key", "push", "counts", "backfill", "price"} <= set(json.loads(json.dumps(rows))[0])
