"""`foreshock serve --watch "Your Brand"`: a brand from its name alone, on all sources that need nothing more."""

import re
import unicodedata

from pydantic import BaseModel, ValidationError

from collectors.registry import SOURCES
from service.brand import Brand
from service.registry import Registry


def keyless() -> list[BaseModel]:
    """Return the sources that need neither a key nor a setting."""
    found: list[BaseModel] = []
    for source in SOURCES.values():
        if source.declaration.needs_key:
            continue
        try:
            found.append(source.settings())
        except ValidationError:
            continue  # it must be told where to look
    return found


def brand_of(words: str) -> Brand:
    """Return a brand that is spoken of as `words`, written apart or together.

    Raises:
        ValueError: there is no letter and no digit in them.
    """
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].strip("-")
    spoken = re.findall(r"\w+", words)
    if not spoken:
        raise ValueError(f"--watch {words!r} has no word in it; write the brand's name, as in --watch 'Acme Air'")
    if not name:  # of another script: the name is for addresses and metrics alone
        name = "brand-" + "-".join(f"{ord(letter):x}" for letter in "".join(spoken))[:50].strip("-")
    phrase = " ".join(re.sub(r'["*\\]', " ", words).split())
    ways = dict.fromkeys((phrase, " ".join(spoken), "".join(spoken)))
    query = " OR ".join(f'"{way}"' for way in ways)
    return Brand.model_validate({"name": name, "query": query, "sources": keyless()})


async def watch(registry: Registry, brands: list[Brand]) -> None:
    """Watch the brands that are not watched yet; one that is stays as it was made."""
    await registry.refresh()
    for brand in brands:
        if brand.name not in registry.brands:
            await registry.put_brand(brand)
