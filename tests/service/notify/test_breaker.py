"""A channel that fails is left alone, probed by one, and free again with the first success."""

import pytest

from service.notify.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from service.notify.digest import Allowance, merged
from service.notify.notice import Message
from service.notify.schedule import MANNERS, again, tries


def broken(times: int, now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker = breaker.begun().told(now, good=False)
    return breaker


def test_it_opens_after_some_failures_in_a_row_and_not_before() -> None:
    assert broken(FAILURES - 1).waits(0.0) is None
    assert broken(FAILURES).waits(0.0) == FIRST_PAUSE
    assert broken(FAILURES - 1).told(0.0, good=True) == Breaker()


def test_one_probes_it_while_the_others_wait() -> None:
    breaker = broken(FAILURES)
    assert breaker.waits(FIRST_PAUSE) is None
    probing = breaker.begun()
    assert probing.waits(FIRST_PAUSE) == 2 * FIRST_PAUSE
    assert probing.told(FIRST_PAUSE, good=True).waits(FIRST_PAUSE) is None


def test_its_pause_doubles_and_stays_below_a_minute() -> None:
    breaker, pauses, now = broken(FAILURES), [], 0.0
    for _ in range(6):
        until = breaker.waits(now)
        assert until is not None
        pauses.append(until - now)
        now = until
        breaker = breaker.begun().told(now, good=False)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert max(pauses) == LONGEST_PAUSE < 60


def test_so_many_messages_a_minute_and_then_one_as_the_oldest_is_a_minute_old() -> None:
    allowance = Allowance()
    allowance.sent = [0.0, 10.0, 20.0]
    assert allowance.left(3, 30.0) == 0
    assert allowance.left(5, 30.0) == 2
    assert allowance.opens(3, 30.0) == 60.0
    assert allowance.left(3, 60.0) == 1


def test_who_said_it_was_too_much_gets_one_until_one_arrived() -> None:
    allowance = Allowance()
    allowance.told(0.0, 30.0)
    assert (allowance.left(20, 29.0), allowance.left(20, 30.0)) == (0, 1)
    allowance.told(30.0, None)
    assert allowance.left(20, 31.0) == 20


def test_a_digest_names_all_the_worst_first_and_counts_what_is_too_much() -> None:
    messages = [Message(f"m{n}", f"s{n}", severity=1 + n % 5) for n in range(60)]
    digest = merged(messages, "https://board.example/")
    assert digest.title == "60 alerts"
    assert digest.severity == 5
    assert digest.lines[0] == "m4: s4"
    assert digest.lines[-1] == "and 10 more"
    assert not digest.resolved


@pytest.mark.parametrize("kind", sorted(MANNERS))
def test_a_schedule_goes_on_where_it_is_whatever_was_missed_and_ends(kind: str) -> None:
    manner, first = MANNERS[kind], 1000.0
    instants = [first + after for after in tries(manner, "n")]
    assert instants == sorted(instants)
    for before, after in zip(instants, [*instants[1:], None], strict=True):
        assert again(manner, "n", first, before) == after
    middle = (instants[3] + instants[4]) / 2
    assert again(manner, "n", first, middle) == instants[4]
    assert again(manner, "n", first, middle, asked=10 * 86_400.0) == middle + 86_400.0
    assert again(manner, "n", first, instants[-1], asked=5.0) is None


def test_pages_of_a_channel_come_apart_but_not_in_the_first_minute() -> None:
    page = MANNERS["slack"]
    some = [tries(page, f"n{n}") for n in range(20)]
    assert len({tuple(times[:4]) for times in some}) == 1
    assert len({times[6] for times in some}) > 10
    assert all(times[-1] > 21 * 3600 for times in some)
