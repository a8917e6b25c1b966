"""Fixtures of every room's tests: a real store, emptied for each test."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, settings

from service.embedded import EmbeddedStore

# How long an example takes says something of the machine, not of the code: what must be quick has a bench.
settings.register_profile("foreshock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("foreshock")


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """A server for the whole run; take `store_url` unless the test is about the server itself."""
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def store_url(valkey_server: EmbeddedStore) -> str:
    """Address of a store without keys and functions."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
        client.function_flush("SYNC")
    return valkey_server.url
