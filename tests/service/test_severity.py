"""How severe an episode is, in one sentence, and what is so much more that somebody is paged again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.verdict import Verdict
from service import policy
from service.severity import AGAIN_SECONDS, Spread, carrying, doubled, grade, most, rates

spreads = st.builds(
    Spread,
    doubling=st.none() | st.floats(0.1, 1e4),
    reached=st.floats(0.0, 1e9),
    sources=st.integers(0, 9),
    languages=st.integers(0, 9),
    authors=st.integers(0, 1000),
)


def verdict(observed: float, window: float = 300.0, detector: str = "volume", score: float = 60.0) -> Verdict:
    return Verdict(detector, score, observed, 5.0, 1.0, 10.0, 0.001, window, "why")


@given(st.floats(50.0, 100.0), spreads)
def test_the_score_alone_gives_as_much_as_ever_and_the_rest_only_adds(score: float, spread: Spread) -> None:
    assert grade(score, Spread()).degree == policy.severity(score)
    assert policy.severity(score) <= grade(score, spread).degree <= min(5, policy.severity(score) + 3)


def test_the_rule_names_what_it_rests_on_and_adds_up() -> None:
    broad = Spread(doubling=1.2, reached=1_234_567, sources=3, languages=2, authors=412)
    assert grade(52.0, broad).rule == (
        "4 of 5: 1 for how rare it is (score 52), +1 for doubling every minute, +1 for 1,200,000 people reached, "
        "+1 for 3 sources, 412 authors"
    )
    assert grade(99.0, Spread(doubling=20.0)).rule.startswith("5 of 5: 5 for how rare it is (score 99), +1 for")
    assert grade(30.0, Spread()).rule == "1 of 5: 1 for how rare it is (score 30)"


@pytest.mark.parametrize(
    ("spread", "more"),
    [
        (Spread(doubling=30.0), 1),
        (Spread(doubling=31.0), 0),
        (Spread(reached=100_000), 1),
        (Spread(reached=99_999), 0),
        (Spread(sources=3), 1),
        (Spread(languages=3), 1),
        (Spread(sources=2, languages=2, authors=299), 0),
        (Spread(sources=3, languages=3, authors=300), 1),
    ],
)
def test_each_of_growth_reach_and_breadth_is_worth_one(spread: Spread, more: int) -> None:
    assert grade(55.0, spread).degree == 1 + more


def test_a_stray_post_makes_no_source_and_an_unknown_language_is_none() -> None:
    assert carrying({"x": 95, "reddit": 4, "feed": 1}) == 1
    assert carrying({"en": 40, "de": 30, "unknown": 30}) == 2
    assert carrying({}) == 0


@pytest.mark.parametrize(
    ("now", "after", "twice"),
    [
        (verdict(80.0), AGAIN_SECONDS, True),
        (verdict(79.0), AGAIN_SECONDS, False),
        (verdict(80.0), AGAIN_SECONDS - 1.0, False),
        (verdict(80.0), -3600.0, True),
        (verdict(160.0, window=900.0), AGAIN_SECONDS, False),
        (verdict(240.0, window=900.0), AGAIN_SECONDS, True),
        (verdict(80.0, score=49.0), AGAIN_SECONDS, False),
        (verdict(80.0, detector="voice"), AGAIN_SECONDS, False),
    ],
)
def test_twice_as_much_a_minute_pages_again_ten_minutes_after_the_last_page(
    now: Verdict, after: float, twice: bool
) -> None:
    assert doubled(now, rates([verdict(40.0)]), 1000.0, 1000.0 + after) == twice


def test_a_few_counts_below_what_is_normal_are_not_doubled_by_a_few_more() -> None:
    assert rates([verdict(2.0)]) == {"volume": 2.0}
    assert not doubled(verdict(8.0), rates([verdict(2.0)]), 0.0, 1e6)


def test_of_two_rates_the_higher_is_what_people_know_of() -> None:
    assert most({"volume": 1.0, "revolt": 5.0}, {"volume": 3.0, "voice": 1.0}) == {
        "volume": 3.0,
        "revolt": 5.0,
        "voice": 1.0,
    }
