"""Keys are stored hashed, shown once, and allow what they say."""

from service import keys
from service.access import ApiKey, digest, ensure_admin, find_key, make_key
from service.store import Store
from tests.service.live import with_store


def test_the_first_start_makes_one_admin_key_and_shows_it_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        made = await ensure_admin(store, None)
        assert made is not None
        assert made.startswith("fsk_")
        assert await ensure_admin(store, None) is None
        found = await find_key(store, made)
        assert found is not None
        assert found.scope == "admin"

    with_store(store_url, body)


def test_no_key_stands_in_the_store(store_url: str) -> None:
    async def body(store: Store) -> None:
        made = await make_key(store, ApiKey(name="shop", scope="ingest", sources=["shop"]))
        stored = await store.do("HGETALL", keys.API_KEYS)
        assert list(stored) == [digest(made).encode()]
        assert made.encode() not in b"".join([*stored, *stored.values()])
        assert await find_key(store, digest(made)) is None

    with_store(store_url, body)


def test_a_given_key_is_the_admin_key_and_adds_no_other(store_url: str) -> None:
    async def body(store: Store) -> None:
        assert await ensure_admin(store, "mine") is None
        assert await find_key(store, "mine") is not None
        assert await ensure_admin(store, None) is None

    with_store(store_url, body)


def test_an_ingest_key_writes_only_the_sources_it_names() -> None:
    key = ApiKey(name="shop", scope="ingest", sources=["shop"])
    assert key.may_write("shop")
    assert not key.may_write("x")
    assert ApiKey(name="a", scope="admin").may_write("x")
