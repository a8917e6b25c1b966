"""A mute has an end; a campaign's ends with the campaign and leaves what is negative armed."""

import pytest
from pydantic import ValidationError

from service.brand import Brand
from service.notify.mute import Mute, of_brand
from tests.service.notify.routed import at, event

SALES = [
    {"name": "Sale", "start": "2026-03-01T00:00:00Z", "end": "2026-03-03T00:00:00Z"},
    {"name": "Sale", "start": "2026-04-01T00:00:00Z", "end": "2026-04-03T00:00:00Z"},
    {"name": "Fair", "start": "2026-03-02T00:00:00Z", "end": "2026-03-05T00:00:00Z"},
]
ACME = Brand.model_validate({"name": "acme", "query": "acme", "campaigns": SALES})
OTHER = Brand.model_validate({"name": "other", "query": "other", "campaigns": SALES})
VOLUME, REVOLT = event(detector="volume").episode, event(detector="revolt").episode


def mute(**given: object) -> Mute:
    return Mute.model_validate({"name": "m", **given})


def test_it_holds_from_its_first_second_to_before_its_last() -> None:
    short = mute(start="2026-03-01T12:00:00Z", end="2026-03-01T13:00:00Z")
    assert short.end_of(REVOLT, at("2026-03-01T11:59:59Z")) is None
    assert short.end_of(REVOLT, at("2026-03-01T12:00:00Z")) == at("2026-03-01T13:00:00Z")
    assert short.end_of(REVOLT, at("2026-03-01T12:59:59Z")) == at("2026-03-01T13:00:00Z")
    assert short.end_of(REVOLT, at("2026-03-01T13:00:00Z")) is None


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({}, True),
        ({"brands": ["acme"]}, True),
        ({"brands": ["other"]}, False),
        ({"detectors": ["revolt", "voice"]}, True),
        ({"detectors": ["volume"]}, False),
        ({"kinds": ["crisis"]}, True),
        ({"kinds": ["blind", "opportunity"]}, False),
        ({"brands": ["acme"], "detectors": ["volume"]}, False),
    ],
)
def test_it_holds_for_what_fits_all_that_it_names(given: dict[str, object], holds: bool) -> None:
    found = mute(end="2026-03-02T00:00:00Z", **given).end_of(REVOLT, at("2026-03-01T00:00:00Z"))
    assert (found is not None) == holds


def test_a_campaigns_mute_holds_while_it_lasts_each_time_and_for_volume_alone() -> None:
    found = list(of_brand([mute(campaign="Sale")], ACME))
    assert [m.end_of(VOLUME, at("2026-03-02T00:00:00Z")) for m in found] == [at("2026-03-03T00:00:00Z"), None]
    assert [m.end_of(VOLUME, at("2026-04-02T00:00:00Z")) for m in found] == [None, at("2026-04-03T00:00:00Z")]
    assert not any(m.end_of(VOLUME, at("2026-03-04T00:00:00Z")) for m in found)
    assert not any(m.end_of(REVOLT, at("2026-03-02T00:00:00Z")) for m in found)


def test_what_a_campaigns_mute_names_itself_counts() -> None:
    (named,) = of_brand([mute(campaign="Fair", detectors=["revolt"], end="2026-03-04T00:00:00Z")], ACME)
    assert named.end_of(REVOLT, at("2026-03-03T00:00:00Z")) == at("2026-03-04T00:00:00Z")
    (kinds,) = of_brand([mute(campaign="Fair", kinds=["crisis"], start="2026-03-03T00:00:00Z")], ACME)
    assert kinds.end_of(REVOLT, at("2026-03-02T12:00:00Z")) is None
    assert kinds.end_of(REVOLT, at("2026-03-03T00:00:00Z")) == at("2026-03-05T00:00:00Z")


def test_only_the_mutes_of_a_brand_are_asked_and_a_campaign_that_is_not_there_mutes_nothing() -> None:
    mutes = [mute(brands=["acme"], end="2026-03-02T00:00:00Z"), mute(campaign="Gala"), mute(campaign="Fair")]
    assert len(list(of_brand(mutes, OTHER))) == 1
    assert mute(campaign="Fair").end_of(VOLUME, at("2026-03-03T00:00:00Z")) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "needs an end"),
        ({"brands": ["acme"]}, "needs an end"),
        ({"start": "2026-03-02T00:00:00Z", "end": "2026-03-02T00:00:00Z"}, "later than start"),
        ({"end": "2026-03-02T00:00:00"}, "end"),
        ({"end": "9999-12-31T00:00:00Z"}, "before the year 2100"),
        ({"end": "2026-03-02T00:00:00Z", "kinds": ["boredom"]}, "crisis"),
    ],
)
def test_a_wrong_mute_says_what_would_be_right(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        mute(**given)
