"""What a person reads of an event: the same figures in words, in the brand's time, whatever strangers wrote."""

from datetime import timedelta

import pytest

from service.episode import Episode, event_of
from service.lifecycle import EventType
from service.notify.message import message
from service.notify.notice import Message
from tests.service.notify.samples import (
    AT,
    BRAND,
    EVIDENCE,
    FIRST,
    LOUD,
    RULE,
    URL,
    acknowledged,
    escalated,
    later,
    opened,
    resolved,
)


def told(episode: Episode) -> Message:
    return message(event_of(episode), BRAND, URL)


def test_an_alert_says_what_how_bad_how_sure_and_how_fast() -> None:
    found = told(opened())
    assert found.title == "acme-air: revolt, severity 4 of 5"
    assert found.summary == (
        "212 negative mentions in 30 minutes, 9 are normal (at most 21); "
        "doubling every 18 minutes: about 710 an hour in one hour (410 to 1,200)"
    )
    assert list(found.lines) == [
        "Not chance: as much comes in 1 in 2.4 million normal windows; false pages are held to once in 2 weeks.",
        "They speak of: doctor (141), dragged (120).",
        "It began with anna_1 (1,200 followers) on x, Sun 1 Mar 13:22, 14 minutes before the alert.",
        "Who: 188 authors with 1.4 million followers in all; widest anna_3 (1.2 million followers) and anna_1 (1,200 "
        "followers).",
        "Where: x 90 %, reddit 10 %; English 85 %, German 9 %, unknown 6 %.",
        "Careful: 34 % of 212 posts look coordinated or like spam: 60 copy a text, 12 from young accounts.",
        "Not known: of the last hour reddit told 60 %, so it may be larger.",
        "At the same time in crisis: globex.",
        f"Severity {RULE}.",
    ]
    assert (found.severity, found.resolved, found.chart) == (4, False, None)
    assert found.url == f"{URL}/#ep_s001_1_acme-air"
    facts = dict(found.facts)
    assert facts["Began"] == "Sun 1 Mar 13:25 (Europe/Berlin)"
    assert facts["Replay it"] == opened().replay_command
    assert [quote.text for quote in found.quotes[:2]] == [FIRST["text"], LOUD["text"]]
    assert found.quotes[0].url == "https://x.com/i/1"


def test_times_of_a_brand_that_is_watched_no_more_are_in_utc() -> None:
    facts = dict(message(event_of(opened()), None, URL).facts)
    assert facts["Began"] == "Sun 1 Mar 12:25 (UTC)"


ACTS: list[tuple[EventType, dict[str, object], str, str]] = [
    ("episode.acknowledged", {}, "acme-air: Ann is at it (revolt, severity 4 of 5)", "Ann wrote: mine"),
    ("episode.snoozed", {"snoozed_until": later(60)}, "acme-air: snoozed by Ann (revolt, severity 4 of 5)",
     "Quiet until Sun 1 Mar 14:36 (Europe/Berlin), unless it gets worse. Ann wrote: mine"),
    ("episode.assigned", {"assignee": "Ben"}, "acme-air: revolt is now with Ben", "Ann wrote: mine"),
    ("episode.noted", {}, "acme-air: note by Ann (revolt)", "Ann wrote: mine"),
    ("episode.feedback", {"feedback": "false alarm"}, "acme-air: Ann says: false alarm (revolt)", "Ann wrote: mine"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "change", "title", "summary"), ACTS)
def test_what_people_do_is_told_in_two_lines(
    event: EventType, change: dict[str, object], title: str, summary: str
) -> None:
    found = told(opened().told(later(1), event, "Ann", "mine", **change))
    assert (found.title, found.summary) == (title, summary)
    assert not found.lines
    assert not found.quotes


def test_a_page_because_it_got_worse_says_why_now_and_what_it_was() -> None:
    found = told(escalated())
    assert found.title == "acme-air: revolt gets worse, severity 5 of 5 (was 4)"
    assert found.lines[0] == (
        "Why now: severity 5 of 5: 3 for how rare it is (score 71); twice as many a minute as when it was last told."
    )
    assert found.summary.startswith("420 negative mentions in 30 minutes")


def test_the_end_says_how_long_who_took_it_and_how_bad_it_was() -> None:
    found = told(resolved())
    assert found.resolved
    assert found.title == "acme-air: revolt is over after 3 h 31 min"
    assert found.summary == (
        "It ended by itself (an hour of calm). At its worst 420 negative mentions in 30 minutes, 9 are normal "
        "(at most 21); severity 5 of 5."
    )
    assert found.lines[0] == "Ann acknowledged it 22 minutes after the alert."
    assert dict(found.facts)["Over"] == "Sun 1 Mar 16:56, after 3 h 31 min"
    by_ben = told(opened().told(later(5), "episode.resolved", "Ben"))
    assert by_ben.summary.startswith("Ben resolved it. At its worst ")
    assert by_ben.lines[0] == "Nobody acknowledged it."


def test_what_is_back_and_what_goes_on_after_a_snooze_are_told_apart() -> None:
    back = told(resolved().told(later(300), "episode.reopened", "foreshock", "r", returned_at=later(295)))
    assert back.title == "acme-air: revolt is back, severity 5 of 5"
    assert dict(back.facts)["Began"].startswith("Sun 1 Mar 18:31")
    snoozed = acknowledged().told(later(23), "episode.snoozed", "Ann", snoozed_until=later(83))
    note = f"the snooze is over and it goes on; {snoozed.reason}"
    woken = told(snoozed.told(later(83), "episode.woken", "foreshock", note))
    assert woken.title == "acme-air: revolt goes on after the snooze, severity 5 of 5"
    assert woken.lines[0] == "Why now: the snooze is over and it goes on."


def test_who_is_blind_reads_what_is_not_seen_and_no_proof_of_a_crisis() -> None:
    reason = "only 20 % of what is expected can be seen; silent: x"
    blind = opened(
        kind="blind", detector="blind", severity=1, reason=reason, evidence={}, growth=None,
        completeness={"x": {"ratio": 0.1}},
    )  # fmt: skip
    found = told(blind)
    assert found.title == "acme-air: we cannot see enough to warn"
    assert found.summary == f"We cannot see: {reason}. A crisis would go unnoticed there until this is mended."
    assert list(found.lines) == ["Of the last hour x told 10 %."]
    over = told(blind.told(later(90), "episode.resolved", "foreshock", "enough is seen again", calm_at=later(90)))
    assert over.title == "acme-air: we see again"
    assert over.summary == "It ended by itself (enough is seen again), after 1 h 41 min."


def test_a_surge_of_praise_is_no_crisis() -> None:
    found = told(opened(kind="opportunity", detector="advocates", severity=2, growth=None))
    assert found.title == "acme-air: surge of praise, strength 2 of 5"
    assert found.summary.startswith("212 positive mentions in 30 minutes")
    assert not any("crisis" in line for line in found.lines)
    assert found.lines[0].endswith("false alerts are held to once in 2 weeks.")


def test_who_spoke_up_for_the_brand_is_named_in_a_crisis() -> None:
    kind = {**LOUD, "author": {"id": "u9", "name": "fan", "followers": 5200}}
    evidence = {**EVIDENCE, "advocates": {"mentions": 3, "authors": 2, "reach": 5400, "posts": [kind]}}
    lines = told(opened(evidence=evidence)).lines
    assert "For the brand spoke 2 authors with 5,400 followers; widest fan (5,200 followers)." in lines
    assert not any("For the brand" in line for line in told(opened(kind="opportunity", evidence=evidence)).lines)


def test_a_wide_voice_is_told_by_its_followers() -> None:
    reason = (
        "anna_3 with 1,240,000 followers is angry; so wide an angry voice comes once in 40 weeks here; 12 % of 20 posts"
    )
    found = told(opened(detector="voice", observed=1_240_000.0, reason=reason, growth=None, window_seconds=900.0))
    assert found.title == "acme-air: angry voice with a wide reach, severity 4 of 5"
    assert found.summary == reason.rpartition("; ")[0]


def test_what_is_not_known_is_left_out_rather_than_guessed() -> None:
    found = told(opened(evidence={}, growth=None, p_value=None, completeness={}, severity_rule=""))
    assert list(found.lines) == [
        "Not chance: its score is 64 of 100; false pages are held to once in 2 weeks.",
    ]
    assert found.summary == "212 negative mentions in 30 minutes, 9 are normal (at most 21)"
    shrinks = {"doubling_minutes": 18.0, "low": 9.0, "high": None, "ahead": {"1": 712.0}}
    assert "doubling" not in told(opened(growth=shrinks)).summary


def test_hostile_names_and_texts_stay_in_their_line() -> None:
    bad = {
        **FIRST,
        "author": {"id": "e", "name": "evil\u202e\n\nRESOLVED"},
        "text": "a\r\nb\x07",
        "url": "javascript:x",
    }
    evidence = {**EVIDENCE, "first_mentions": [bad], "top_mentions": [], "top_terms": [{"term": "x\ny", "count": 2}]}
    found = told(opened(evidence=evidence))
    every = [found.title, found.summary, *found.lines, *(value for _, value in found.facts), found.quotes[0].text]
    assert all(text == " ".join(text.split()) and "\u202e" not in text for text in every)
    assert (found.quotes[0].text, found.quotes[0].url) == ("a b", None)
    by = told(opened().told(AT + timedelta(seconds=1), "episode.noted", "Eve\n" + "x" * 100, "n\no"))
    assert by.title.startswith("acme-air: note by Eve xxx")
    assert len(by.title) < 100
