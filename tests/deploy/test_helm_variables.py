"""The chart knows every environment variable that the service reads, and the doctor every key that a source needs."""

import asyncio
import json
from collections.abc import Iterator, Mapping

import helm_python as helm
import pytest

from service.brand import Brand
from service.given import ready, variables
from service.settings import CHANNEL, HOOK, Settings, from_environment
from tests.deploy.chart import CHART, EVERYTHING, Object, render

ROLES = ("api", "worker", "collect")
ELSEWHERE = {
    "FORESHOCK_STORE_MEMORY",  # of the embedded store, which the chart does not run
    "FORESHOCK_FILES_DIR",  # files would have to be in the pod
}


class Asked(Mapping[str, str]):
    """An environment without variables that remembers which were asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def settable() -> set[str]:
    asked = Asked()
    from_environment(asked)
    return asked.names


def in_schema() -> set[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    return set(schema["properties"]["sourceKeys"]["properties"]["values"]["propertyNames"]["enum"])


def test_the_chart_can_set_every_variable_that_the_service_reads() -> None:
    values = EVERYTHING | {
        "accept": "disk",
        "sourceKeys": {"values": dict.fromkeys(in_schema(), "a-value")},
    }
    rendered = render(values)
    given = {entry["name"] for role in ROLES for entry in rendered.container(role)["env"]}
    assert settable() - ELSEWHERE - given == set()
    assert {name for name in given if not name.startswith((HOOK, CHANNEL))} <= settable()


def test_every_variable_of_a_source_is_read_and_can_be_given() -> None:
    assert set(variables()) <= settable()
    assert in_schema() | {"FORESHOCK_X_BEARER_TOKEN"} | ELSEWHERE >= set(variables())


@pytest.mark.parametrize(
    "values",
    [
        {"sourceKeys": {"values": {"FORESHOCK_REDIT_KEY": "x"}}},
        {"hookSecrets": {"values": {"FACEBOOK_SECRET": "x"}}},
        {"channelSecrets": {"values": {"FORESHOCK_SLACK": "x"}}},
    ],
    ids=["misspelt key", "misspelt hook", "misspelt channel"],
)
def test_a_name_that_nothing_reads_is_refused(values: Object) -> None:
    with pytest.raises(helm.HelmError):
        render(values)


def told(settings: Settings, *sources: str) -> list[tuple[bool, str]]:
    brands = [
        Brand.model_validate({"name": name, "query": name, "sources": [{"type": source} for source in sources]})
        for name in ("acme", "globex")
    ]
    return asyncio.run(ready(brands, settings))


def test_the_doctor_says_of_each_source_whether_its_key_is_there() -> None:
    assert told(Settings(), "x", "hackernews") == [
        (False, "x of acme, globex: X needs a bearer token; set FORESHOCK_X_BEARER_TOKEN"),
        (True, "hackernews of acme, globex: needs no key"),
    ]
    assert told(Settings(x_bearer_token="a-token"), "x") == [(True, "x of acme, globex: its key is there")]
