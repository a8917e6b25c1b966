"""A brand from its name alone."""

import pytest

from collectors.match import Matcher
from collectors.query import parse
from collectors.registry import SOURCES
from service.brand import Brand
from service.registry import Registry
from service.store import Store
from service.watching import brand_of, keyless, watch
from tests.service.live import with_store
from tests.test_command import run


def test_a_brand_is_listened_to_wherever_neither_key_nor_setting_is_needed() -> None:
    types = {source.type for source in brand_of("Acme Air").sources}
    assert len(types) == len(keyless()) >= 5
    assert {"x", "feed", "reddit", "youtube"}.isdisjoint(types), "they need a key, or an address"
    assert {"bluesky", "hackernews"} <= types
    assert not any(SOURCES[name].declaration.needs_key for name in types)


@pytest.mark.parametrize(
    ("words", "name", "said", "not_said"),
    [
        ("Acme Air", "acme-air", ["I love ACME air!", "#AcmeAir lost my bag"], ["acme and air"]),
        ("Häagen-Dazs", "haagen-dazs", ["Häagen-Dazs melts", "häagen dazs"], ["dazs"]),
        ("  O'Reilly & Sons ", "o-reilly-sons", ["O'Reilly & Sons"], ["sons"]),
        ("ソニー", "brand-30bd-30cb-30fc", ["ソニーのテレビ"], ["テレビ"]),
        ('say "this" OR (that', "say-this-or-that", ["say this or that"], ["this"]),
        ("a" * 100, "a" * 63, ["a" * 100], ["a" * 63]),
    ],
)
def test_a_name_becomes_a_query_that_finds_it(words: str, name: str, said: list[str], not_said: list[str]) -> None:
    brand = brand_of(words)
    assert brand.name == name
    matcher = Matcher({brand.name: parse(brand.query)})
    assert [text for text in said if brand.name not in matcher.match(text)] == []
    assert [text for text in not_said if brand.name in matcher.match(text)] == []


@pytest.mark.parametrize("words", ["", "  ", "!?"])
def test_a_name_without_a_word_is_bad_input(words: str) -> None:
    found = run("serve", "--watch", words)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "has no word in it" in found.stderr


def test_a_brand_that_is_there_already_stays_as_it_is(store_url: str) -> None:
    async def body(store: Store) -> None:
        registry = Registry(store)
        mine = Brand(name="acme-air", query="acmeair", budget=2.0)
        await registry.put_brand(mine)
        await watch(Registry(store), [brand_of("Acme Air"), brand_of("Globex")])
        await registry.refresh()
        assert registry.brands["acme-air"] == mine
        assert registry.brands["globex"].query == '"Globex"'

    with_store(store_url, body)
