"""One running service for the tests that do not break it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.acceptance.running import Service, running

BRANDS = """\
brands:
  - name: acme-air
    query: '"acme air" OR acmeair'
    timezone: Europe/Berlin
  - name: quiet-brand
    query: quietbrand
"""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on the system's clock that watches two brands."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "foreshock.yaml").write_text(BRANDS)
    with running(folder / "data", "--config", str(folder / "foreshock.yaml")) as found:
        yield found


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """A REST client with the admin key."""
    with service.client() as found:
        yield found
