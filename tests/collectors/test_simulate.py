import math
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from statistics import fmean, pvariance

import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from collectors.mention import Mention
from collectors.simulate import MAIN_SOURCE, Recording, Span, recording
from collectors.simulated_shape import HOURS, WEEKDAYS, growth, poisson, rhythm
from collectors.simulated_text import Words

START = datetime(2025, 9, 8, 13, 0, tzinfo=UTC)


@cache
def _recording(seed: int, days: float) -> Recording:
    return recording(seed, START, days)


def _full() -> Recording:
    return _recording(seed=1, days=10)


def _within(span: Span, of: Recording | None = None) -> list[Mention]:
    return [mention for mention in (of or _full()).mentions if mention.published_at in span]


def _rate(span: Span, of: Recording | None = None) -> float:
    return len(_within(span, of)) / ((span.end - span.start) / timedelta(hours=1))


def _day_before(span: Span) -> Span:
    return Span(span.start - timedelta(days=1), span.end - timedelta(days=1))


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", " ", re.sub(r"https?://\S+|@sim\S*", "", text)).lower().strip()


def _angry(mentions: list[Mention]) -> float:
    judge = SentimentIntensityAnalyzer()
    sample = mentions[:: len(mentions) // 1000 + 1]
    return fmean(judge.polarity_scores(mention.text)["compound"] <= -0.05 for mention in sample)


def test_the_same_seed_gives_the_same_recording_to_the_byte_and_another_seed_another() -> None:
    first, again, other = _recording(1, days=4), recording(1, START, days=4), _recording(2, days=4)
    assert "".join(first.lines()) == "".join(again.lines())
    assert first.truth == again.truth
    assert "".join(first.lines()) != "".join(other.lines())


def test_every_line_is_a_mention_and_reads_back_as_the_same() -> None:
    for line, mention in zip(_full().lines(), _full().mentions[:500], strict=False):
        assert line.endswith("}\n")
        assert Mention.model_validate_json(line) == mention


def test_mentions_rise_in_time_between_start_and_end_and_no_identity_comes_twice() -> None:
    times = [mention.published_at for mention in _full().mentions]
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] < START + timedelta(days=10) == _full().truth.end
    assert len({(mention.source, mention.id) for mention in _full().mentions}) == len(times)


def test_everything_says_that_it_is_simulated_and_names_the_brand() -> None:
    for mention in _full().mentions:
        assert mention.author is not None
        assert mention.author.id.startswith("sim-")
        assert mention.author.name is not None
        assert mention.author.name.startswith("sim-")
        assert mention.id.startswith("sim-")
        assert mention.url is not None
        assert mention.url.startswith("https://example.com/sim/")
        assert "northvane" in mention.text.lower()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_recording_has_as_many_mentions_as_a_demo_of_a_minute_can_play(seed: int) -> None:
    assert 15_000 < len(_recording(seed, days=10).mentions) < 25_000


def test_the_events_lie_at_least_half_a_day_apart_and_the_revolt_ends_the_recording() -> None:
    truth = _full().truth
    spans = [truth.campaign, truth.flood, truth.outage, truth.revolt]
    for earlier, later in pairwise(spans):
        assert later.start - earlier.end > timedelta(hours=12)
    assert truth.revolt.end == truth.end


def test_hours_and_days_keep_the_measured_rhythm() -> None:
    assert fmean(HOURS) == pytest.approx(1, abs=0.03)
    assert fmean(WEEKDAYS) == pytest.approx(1, abs=0.05)
    calm = Counter(m.published_at.hour for m in _within(Span(START, START + timedelta(days=4))))
    afternoon, night = sum(calm[h] for h in (16, 17, 18, 19)), sum(calm[h] for h in (5, 6, 7, 8))  # 12-16, 1-5 local
    assert 2 < afternoon / night < 4.5  # measured: 2.8


def test_the_rhythm_has_no_step_from_one_minute_to_the_next_within_a_day() -> None:
    minutes = [datetime(2025, 9, 9, m // 60, m % 60, tzinfo=UTC) for m in range(1440)]
    rates = [rhythm(minute) for minute in minutes]
    assert max(abs(b - a) for a, b in pairwise(rates)) < 0.01
    assert rhythm(datetime(2025, 9, 9, 14, 30, tzinfo=UTC)) == pytest.approx(HOURS[14] * WEEKDAYS[1])


def test_ordinary_talk_is_more_restless_than_a_poisson_process() -> None:
    ratios = []
    for seed in range(1, 6):
        calm = _recording(seed, days=4)
        counts = Counter(int((m.published_at - START) / timedelta(hours=1)) for m in calm.mentions)
        for hour in range(38):  # the campaign begins then
            ratios.append(counts[hour] / (1.73 * 60 * rhythm(START + timedelta(hours=hour - 4, minutes=30))))
    beyond_poisson = pvariance(ratios) - fmean(1 / (1.73 * 60 * rate) for rate in HOURS)
    assert 0.04 < beyond_poisson < 0.35  # measured 0.04 to 0.70 on six companies


def test_the_campaign_brings_three_times_the_usual_talk_on_top_and_little_anger() -> None:
    campaign = _full().truth.campaign
    assert 2.5 < _rate(campaign) / _rate(_day_before(campaign)) < 6
    assert _angry(_within(campaign)) < 0.1


def test_the_bot_flood_is_one_text_by_hundreds_of_new_accounts_that_hardly_anyone_follows() -> None:
    bots = [m for m in _full().mentions if m.author and m.author.id.startswith("sim-bot-")]
    assert 350 < len(bots) < 550
    assert all(m.published_at in _full().truth.flood for m in bots)
    assert len({m.author.id for m in bots if m.author}) == len(bots)
    assert all((m.author.followers or 0) <= 20 for m in bots if m.author)
    assert len({_letters(m.text) for m in bots}) == 1
    assert len({m.text for m in bots}) == len(bots)
    assert all(m.repost_of is None for m in bots)


def test_the_main_source_delivers_nothing_in_its_outage_and_the_others_go_on() -> None:
    sources = Counter(m.source for m in _within(_full().truth.outage))
    assert sources[MAIN_SOURCE] == 0
    assert sources["reddit"] > 20
    assert Counter(m.source for m in _within(_day_before(_full().truth.outage)))[MAIN_SOURCE] > 100


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_revolt_grows_from_one_post_without_a_step(seed: int) -> None:
    simulated = _recording(seed, days=4)
    revolt = simulated.truth.revolt
    first_minute = _within(Span(revolt.start, revolt.start + timedelta(minutes=1)), simulated)
    assert sum("tarmac" in m.text for m in first_minute) == 1
    angry = [m for m in simulated.mentions if "tarmac" in m.text.lower()]
    assert angry[0].published_at == revolt.start
    tens = Counter(int((m.published_at - revolt.start) / timedelta(minutes=10)) for m in angry)
    assert tens[0] < 25
    # log-linear over the first forty minutes, before the ceiling is near
    slope = (math.log2(tens[3]) - math.log2(tens[0])) / 30
    assert 8 < 1 / slope < 20
    assert max(tens[i + 1] / tens[i] for i in range(11)) < 4.5


def test_the_revolt_ends_many_times_above_the_usual_rate_on_every_source_and_from_many_people() -> None:
    revolt = _full().truth.revolt
    last_hour = Span(revolt.end - timedelta(hours=1), revolt.end)
    assert _rate(last_hour) / _rate(_day_before(last_hour)) > 10
    posts = [m for m in _within(revolt) if "tarmac" in m.text.lower()]
    assert {m.source for m in posts} == {"x", "reddit", "review", "feed"}
    assert len({m.author.id for m in posts if m.author}) > 0.7 * len(posts)
    assert 0.15 < fmean(m.repost_of is not None for m in posts) < 0.4


def test_reposts_name_an_earlier_post_of_the_same_source() -> None:
    seen: dict[tuple[str, str], datetime] = {}
    reposts = 0
    for mention in _full().mentions:
        seen[mention.source, mention.id] = mention.published_at
        if mention.repost_of is not None and mention.published_at not in Span(
            _full().truth.outage.start, _full().truth.outage.end + timedelta(hours=3)
        ):  # what was first said in the outage was never delivered
            reposts += 1
            assert seen[mention.source, mention.repost_of] < mention.published_at
    assert reposts > 1000


def test_vader_hears_the_anger_of_the_revolt_but_not_all_of_it() -> None:
    calm = _within(Span(START, START + timedelta(days=3)))
    assert 0.10 < _angry(calm) < 0.22
    revolt = [m for m in _within(_full().truth.revolt) if "tarmac" in m.text.lower()]
    assert 0.7 < _angry(revolt) < 0.97


def test_people_seldom_say_the_same_but_for_the_bots() -> None:
    said = [m for m in _full().mentions if m.repost_of is None and "sim-bot-" not in (m.author.id if m.author else "")]
    assert len({_letters(m.text) for m in said}) > 0.97 * len(said)


def test_a_share_of_the_posts_is_in_other_languages() -> None:
    spoken = Counter(m.language for m in _full().mentions if m.source == "x")
    assert {"en", "es", "de", "fr"} == set(spoken)
    assert 0.02 < 1 - spoken["en"] / spoken.total() < 0.08


def test_no_slot_of_a_template_stays_open() -> None:
    assert not [m.text for m in _full().mentions if "{" in m.text or "}" in m.text]
    words = Words(Random(5))
    assert "{" not in "".join(words.launch() + words.flood() + words.headline() for _ in range(500))


def test_logistic_growth_starts_at_first_doubles_as_told_and_stays_below_its_ceiling() -> None:
    assert growth(0, 20, 1, 1000) == pytest.approx(1)
    assert growth(20, 20, 1, 1000) == pytest.approx(2, rel=0.01)
    assert growth(2000, 20, 1, 60) == pytest.approx(60)


@pytest.mark.parametrize("mean", [0.05, 2.0, 60.0])
def test_poisson_counts_have_their_mean_as_variance(mean: float) -> None:
    rng = Random(2)
    counts = [poisson(rng, mean) for _ in range(4000)]
    assert fmean(counts) == pytest.approx(mean, rel=0.15)
    assert pvariance(counts) == pytest.approx(mean, rel=0.15)


def test_too_few_days_and_a_start_without_a_zone_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="days is 2; the events need at least 4 days"):
        recording(1, START, days=2)
    with pytest.raises(ValueError, match="start has no time zone"):
        recording(1, START.replace(tzinfo=None))
