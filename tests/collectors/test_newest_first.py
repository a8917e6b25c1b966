import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from collectors.mention import Mention
from collectors.newest_first import MAX_SEEN, OVERLAP, Item, begun_anew, step, token_of

NOW = 1_700_000_000.0


def item(number: int, at: float, changed: float | None = None) -> Item:
    when = datetime.fromtimestamp(at, UTC)
    mention = Mention(id=str(number), source="reddit", text="acme", published_at=when)
    return Item(f"{number}:{changed or at:.0f}", at, changed or at, mention)


def read(
    listing: Sequence[Item], place: dict[str, Any], now: float = NOW, page: int = 100, shown: int = 1_000
) -> tuple[list[str], dict[str, Any], Any]:
    """Read a listing to the end of a turn: what was told, what is left of it, and what was missed."""
    ordered = sorted(listing, key=lambda one: -one.at)[:shown]
    told: list[str] = []
    while True:
        start = int(token_of(place) or 0)
        token = str(start + page) if start + page < len(ordered) else None
        found = step(place, ordered[start : start + page], token, now, NOW - 7 * 86_400, 1_000, shown)
        told += [mention.id for mention in found.fresh]
        place = found.place
        if found.done:
            return told, place, found.missed


def test_everything_is_told_once_however_the_listing_grows() -> None:
    rng = random.Random(5)
    listing: list[Item] = []
    told: list[str] = []
    place: dict[str, Any] = {}
    for turn in range(40):
        now = NOW + 60 * turn
        for _ in range(rng.choice((0, 1, 5, 130))):
            listing.append(item(len(listing), now - rng.uniform(0, OVERLAP / 2)))  # some are listed late
        found, place, missed = read(listing, place, now)
        told += found
        assert missed is None
    assert sorted(told, key=int) == [str(n) for n in range(len(listing))]


def test_a_listing_that_stayed_the_same_is_read_by_its_first_page_alone() -> None:
    listing = [item(n, NOW - 60 * n) for n in range(500)]
    _, place, _ = read(listing, {})
    found = step(place, listing[:100], "100", NOW, 0.0, 1_000, 1_000)
    assert (found.fresh, found.done, found.missed) == ([], True, None)


def test_what_changed_is_told_again_and_the_latest_version_alone() -> None:
    _, place, _ = read([item(1, NOW - 5_000)], {})
    found = step(place, [item(1, NOW - 5_000, NOW + 1), item(1, NOW - 5_000, NOW + 2)], None, NOW, 0.0, 9, 9)
    assert [mention.id for mention in found.fresh] == ["1"]


def test_a_post_from_the_future_is_told_and_does_not_hide_what_comes_before_it() -> None:
    told, place, _ = read([item(1, NOW + 86_400)], {})
    assert told == ["1"]
    assert read([item(1, NOW + 86_400), item(2, NOW + 60)], place, NOW + 60)[0] == ["2"]


def test_a_listing_that_shows_too_little_names_the_span_that_it_hides() -> None:
    _, place, _ = read([item(0, NOW - 3_600)], {}, shown=50)
    _, place, missed = read(
        [item(n, NOW + n) for n in range(1, 101)] + [item(0, NOW - 3_600)], place, NOW + 200, shown=50
    )
    assert missed == (datetime.fromtimestamp(NOW - 3_600, UTC), datetime.fromtimestamp(NOW + 51, UTC))
    assert read([item(n, NOW + n) for n in range(1, 101)], place, NOW + 300, shown=50)[2] is None


def test_a_short_first_reading_misses_nothing_since_nothing_was_promised() -> None:
    assert read([item(n, NOW - n) for n in range(100)], {}, shown=50)[2] is None


def test_an_empty_page_amid_a_walk_begins_it_anew_once() -> None:
    first = step({}, [item(1, NOW)], "next", NOW, 0.0, 100, 100)
    lost = step(first.place, [], None, NOW, 0.0, 100, 100)
    assert (lost.done, token_of(lost.place)) == (False, None)
    again = step(lost.place, [item(1, NOW)], "next", NOW, 0.0, 100, 100)
    assert step(again.place, [], None, NOW, 0.0, 100, 100).done


def test_what_is_remembered_is_bounded() -> None:
    _, place, _ = read([item(n, NOW - n / 100) for n in range(5_000)], {})
    assert len(place["seen"]) == MAX_SEEN
    assert begun_anew({**place, "walk": {"token": "x"}}) == place
