"""A day of minutes in memory is what the store holds, whichever way it came there."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from service.segment import EMPTY, HELD, SEGMENT, Day, changed, counters

FIRST = 124_000 * SEGMENT
HOURS = 12


def said(chance: np.random.Generator, most: int = 300) -> list[int]:
    """Counters of a minute as the store orders them, most often none."""
    return [int(n) for n in chance.integers(1, most, 8)] if chance.random() < 0.4 else []


def dense(rows: dict[int, list[int]]) -> np.ndarray:
    packed = [msgspec.msgpack.encode(rows.get(FIRST + n, [])) for n in range(60 * HOURS)]
    return counters(packed).T


@pytest.mark.parametrize("most", [100, 300, 70_000])
def test_minutes_put_one_by_one_in_any_order_and_segments_read_at_once_are_the_same_day(most: int) -> None:
    chance = np.random.default_rng(most)
    rows = {FIRST + int(n): said(chance, most) for n in chance.permutation(60 * HOURS)}
    by_minute = by_segment = EMPTY
    for minute, row in rows.items():
        by_minute = by_minute.put(minute, counters([msgspec.msgpack.encode(row)])[0].tolist())
    for number in (1, 0, 2):
        some = {m: r for m, r in rows.items() if m // SEGMENT == FIRST // SEGMENT + number}
        packed = {b"%d" % (m % SEGMENT): msgspec.msgpack.encode(r) for m, r in some.items()}
        by_segment = by_segment.replaced(FIRST // SEGMENT + number, packed)
    wanted = dense(rows)
    for day in (by_minute, by_segment):
        assert np.array_equal(day.dense(FIRST, 60 * HOURS), wanted)
        assert len(day.at) == sum(map(bool, rows.values()))
        assert not day.counted


def test_sums_between_edges_are_those_of_every_minute_also_where_nothing_was_said() -> None:
    chance = np.random.default_rng(1)
    rows = {FIRST + n: said(chance) for n in range(200, 400)}
    day = EMPTY
    for minute, row in rows.items():
        day = day.put(minute, counters([msgspec.msgpack.encode(row)])[0].tolist())
    for edges in ([0, 100, 150, 260, 261, 399, 600, 700], [250, 300], [0, 50], [500, 600, 700]):
        spots = np.array(edges, dtype=np.int32)
        wanted = [dense(rows)[:5, a:b].sum(axis=1) for a, b in pairwise(edges)]
        assert day.sums(spots + np.int32(FIRST)).T.tolist() == [w.tolist() for w in wanted]
        whole = day.total(np.array([edges[0], edges[-1]], dtype=np.int32) + np.int32(FIRST))
        assert whole == dense(rows)[:, edges[0] : edges[-1]].sum(axis=1).tolist()


def test_a_minute_that_is_emptied_is_gone_and_what_is_older_can_be_let_go() -> None:
    day = EMPTY.put(FIRST, [3, 0, 1, 1, 2, 0, 0]).put(FIRST + 9, [1, 0, 1, 1, 1, 0, 0])
    assert day.put(FIRST, [3, 0, 1, 1, 2, 0, 0]) is day
    assert day.since(FIRST + 1).at.tolist() == [FIRST + 9]
    assert day.put(FIRST, [0] * len(HELD)).at.tolist() == [FIRST + 9]
    assert day.row(FIRST) == [3, 0, 1, 1, 2, 0, 0]


def test_a_source_that_counts_itself_is_told_from_one_that_gives_posts() -> None:
    day = EMPTY.put(FIRST, [3, 0, 1, 1, 2, 40, 1])
    assert day.counted
    assert not day.put(FIRST, [3, 0, 1, 1, 2, 0, 0]).counted


def test_what_changed_of_a_segment_is_told_by_minute_up_to_what_was_judged() -> None:
    old = EMPTY.put(FIRST, [3, 0, 1, 1, 2, 0, 0]).put(FIRST + 5, [1, 0, 1, 1, 1, 0, 0])

    def told(new: Day, end: int) -> tuple[list[float], list[float]]:
        found = changed(old, new, FIRST, end)
        return found.minutes.tolist(), found.mentions.tolist()

    new = old.put(FIRST, [1, 0, 1, 1, 1, 0, 0]).put(FIRST + 7, [2, 0, 0, 0, 1, 0, 0])
    assert told(old, FIRST + SEGMENT) == ([], [])
    assert told(new, FIRST + 7) == ([60.0 * FIRST], [-2.0])
    assert told(new, FIRST + 8) == ([60.0 * FIRST, 60.0 * (FIRST + 7)], [-2.0, 2.0])
