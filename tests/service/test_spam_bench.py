"""What `foreshock bench spam` judges is what it says."""

import pytest

from collectors.near_copies import signature
from collectors.suspects import doubts_of, excluded
from service.bench.campaigns import AT, CAMPAIGNS, campaign
from service.bench.spam import _told


@pytest.mark.parametrize("kind", CAMPAIGNS)
def test_a_campaign_is_one_hour_of_doubtful_accounts_and_the_same_seed_gives_the_same(kind: str) -> None:
    posts = campaign(kind, 20, 3)
    assert posts == campaign(kind, 20, 3)
    assert posts != campaign(kind, 20, 4)
    assert {int(post.at // 3600) for post in posts} == {int(AT // 3600)}
    assert all(doubts_of(post.author, post.source, post.at) for post in posts)


def test_near_copies_are_left_out_that_no_exact_signature_finds() -> None:
    posts = campaign("swapped_3", 100, 1)
    assert len({signature(post.text) for post in posts}) > 90
    assert sum(excluded(posts)) > 80


def test_the_interval_is_around_the_mean_of_the_campaigns() -> None:
    told = _told("swapped_1", [campaign("swapped_1", 20, seed) for seed in range(10)])
    assert 70 < told["swapped_1_low"] <= told["swapped_1"] <= told["swapped_1_high"] <= 100
    assert _told("one", [campaign("copies", 40, 1)])["one"] == 100
