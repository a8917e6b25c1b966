"""What the operator gave the sources: keys, and addresses of test servers; never a brand's."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from collectors.collector import CollectorError
from collectors.outbound import Outbound
from collectors.registry import SOURCES, build, parts
from service.brand import Brand
from service.settings import Settings

NAMES = (
    "x_bearer_token", "x_base_url", "mastodon_tokens", "reddit_client_id", "reddit_client_secret", "reddit_base_url",
    "youtube_api_key", "youtube_base_url", "stackexchange_key", "stackexchange_base_url", "zendesk_subdomain",
    "zendesk_email", "zendesk_token", "zendesk_base_url", "hackernews_base_url", "gdelt_base_url", "appstore_base_url",
    "facebook_token", "facebook_base_url", "files_dir",
)  # fmt: skip
"""Settings that collectors are built with."""
SHOWN = 5
"""Brands that are named in one line."""


def given(settings: Settings) -> dict[str, str]:
    """Return those that are set."""
    return {name: str(value) for name in NAMES if (value := getattr(settings, name))}


async def ready(brands: Iterable[Brand], settings: Settings) -> list[tuple[bool, str]]:
    """Say of each source of each brand whether what it needs was given; brands with the same answer share a line."""
    found: dict[tuple[bool, str, str], list[str]] = defaultdict(list)
    async with Outbound() as out:
        for brand in brands:
            for config in brand.sources:
                for part in parts(config):
                    needs_key = SOURCES[part.type].declaration.needs_key
                    try:
                        build(part, brand.name, brand.query, out, given(settings))
                    except CollectorError as error:
                        found[False, part.type, str(error)].append(brand.name)
                    else:
                        said = "its key is there" if needs_key else "needs no key"
                        found[True, part.type, said].append(brand.name)
    return [(sound, f"{source} of {_some(names)}: {said}") for (sound, source, said), names in found.items()]


def _some(names: list[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = len(unique) - SHOWN
    return ", ".join(unique[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def variables() -> Iterator[str]:
    """Yield the environment variables of all sources."""
    yield from (f"FORESHOCK_{name.upper()}" for name in NAMES)
