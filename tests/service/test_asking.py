"""What is asked of few minutes in the cheap way is found as all minutes of the day would be."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import msgspec
import numpy as np
import pytest

from detectors import fleet
from detectors.fleet import FEW, Summed
from detectors.series import Series
from detectors.watch import Watch, fit
from service import keys
from service.asking import Asked, ask
from service.brand import Brand, Campaign
from service.minutes import LOOKBACK, Minutes
from service.segment import MINUTE, SEGMENT
from service.store import Store
from service.watcher import Watcher
from tests.service.live import with_store

NOW = 1_760_000_063.0
"""In the middle of a minute."""
BEGIN = NOW - NOW % MINUTE - 2 * LOOKBACK


def learned(sources: tuple[str, ...]) -> Watch:
    chance = np.random.default_rng(1)
    past = {}
    for source in sources:
        mentions = chance.poisson(6.0, 1440).astype(float)
        scored = chance.binomial(mentions.astype(int), 0.8).astype(float)
        negative = chance.binomial(scored.astype(int), 0.1).astype(float)
        past[source] = Series(BEGIN - 1440 * 300.0, 300.0, mentions, negative, scored, mentions)
    return fit(past)


def watched(store: Store, sources: tuple[str, ...], *, first: float = BEGIN, counts: bool = False) -> Watcher:
    """A brand of which two days are known, the last ten minutes loud; `counts`: the source gives counts itself."""
    chance, minutes = np.random.default_rng(2), Minutes(store, "acme")
    for source in sources:
        since = {f"{source}{keys.SEPARATOR}first": first, f"{source}{keys.SEPARATOR}last": NOW}
        minutes.remember({name.encode(): b"%f" % at for name, at in since.items()}, None)
        packed: dict[int, dict[bytes, bytes]] = {}
        for minute in range(int(first) // MINUTE, int(NOW) // MINUTE + 1):
            said = int(chance.poisson(12.0 if minute * MINUTE > NOW - 600 else 1.0))
            number, place = divmod(minute, SEGMENT)
            row = [said, said // 4, said // 2, 333 * said, 0, 0, 0, said]
            row += [0, 3 * said, 1] if counts else []
            packed.setdefault(number, {})[b"%d" % place] = msgspec.msgpack.encode(row)
        minutes.take((((source, number), some) for number, some in packed.items()), 0.0)
    brand = Brand(name="acme", query="acme")
    return Watcher(store, brand, minutes, "http://localhost", watch=learned(sources), looked_until=NOW - 55.0)


def asked(watcher: Watcher, until: dict[str, float] | None = None) -> Asked:
    watcher.minutes.advance(NOW, NOW, until or {})
    return ask(watcher, NOW, NOW)


def cheap(found: Asked) -> bool:
    assert found[0] is not None
    return all(isinstance(source, Summed) for source in found[0].recent.values())


@pytest.mark.parametrize("sources", [("x",), ("x", "y")])
@pytest.mark.parametrize("back", [5.0, 55.0, 150.0])
@pytest.mark.parametrize("lag", [None, 0.0, 130.0])
def test_the_cheap_way_finds_what_the_whole_day_does(
    store_url: str, sources: tuple[str, ...], back: float, lag: float | None
) -> None:
    async def body(store: Store) -> None:
        watcher = watched(store, sources)
        watcher.looked_until = NOW - back - (lag or 0.0)
        until = {} if lag is None else dict.fromkeys(sources, NOW - lag)
        quick = asked(watcher, until)
        watcher.closed = [(NOW + 60.0, NOW + 120.0)]  # leaves nothing out, but asks for whole series
        whole = asked(watcher, until)
        assert quick[1].tolist() == whole[1].tolist()
        assert quick[2] == whole[2] == 0
        if quick[0] is None or whole[0] is None:
            assert quick[0] is whole[0]
            return
        assert cheap(quick)
        assert not cheap(whole)
        assert quick[0].rows == whole[0].rows
        found, wanted = fleet.look([quick[0], whole[0]])
        assert found.end.tolist() == wanted.end.tolist()
        np.testing.assert_allclose(found.score, wanted.score, rtol=1e-9)
        np.testing.assert_allclose(found.flash, wanted.flash, rtol=1e-9)

    with_store(store_url, body)


def test_whole_series_are_asked_where_something_is_unknown_or_left_out(store_url: str) -> None:
    async def body(store: Store) -> None:
        one, two = partial(watched, store, ("x",)), partial(watched, store, ("x", "y"))
        assert cheap(asked(one()))
        assert not cheap(asked(one(first=NOW - LOOKBACK / 2)))
        assert not cheap(asked(one(counts=True)))
        assert not cheap(asked(replace(one(), closed=[(NOW - 7200.0, NOW - 3600.0)])))
        assert not cheap(asked(replace(one(), again=NOW - 600.0)))
        assert not cheap(asked(replace(one(), looked_until=NOW - MINUTE * (FEW + 2))))
        assert not cheap(asked(two(), {"x": NOW - 130.0}))
        gone = one()
        gone.minutes.remember({}, {f"x{keys.SEPARATOR}{int(NOW - 7200)}".encode(): b"%d" % (NOW - 3600)})
        assert not cheap(asked(gone))
        times = [datetime.fromtimestamp(at, UTC) for at in (NOW - 7200.0, NOW - 3600.0)]
        event = Campaign(name="launch", start=times[0], end=times[1])
        assert not cheap(asked(replace(one(), brand=Brand(name="acme", query="acme", campaigns=[event]))))

    with_store(store_url, body)


def sums(found: Asked) -> list[list[float]]:
    assert found[0] is not None
    source = found[0].recent["x"]
    assert isinstance(source, Summed)
    counts: list[list[float]] = source.counts.tolist()
    return counts


def put(watcher: Watcher, back: int, said: int) -> None:
    """Let so many be said in the minute so many before this one."""
    row = [said, 1, said // 2, 333 * said, said - 1, 0, 0]
    watcher.minutes.put([(("x", int(NOW) // MINUTE - back), row)], 0.0)


@pytest.mark.parametrize("back", [0, 1, 30, 700])
def test_the_cheap_way_finds_what_changed_since_it_was_asked_in_the_same_minute(store_url: str, back: int) -> None:
    async def body(store: Store) -> None:
        watcher, fresh = watched(store, ("x",)), watched(store, ("x",))
        before = sums(asked(watcher))
        for said in (400, 500):
            put(watcher, back, said)
            after = sums(asked(watcher))
        put(fresh, back, 500)
        assert after == sums(asked(fresh)) != before

    with_store(store_url, body)


@pytest.mark.parametrize(("since", "looked"), [(NOW - 3600.0, 3600.0), (NOW - 30.0, 150.0)])
def test_a_source_that_is_unknown_since_some_time_is_asked_of_what_it_told_before(
    store_url: str, since: float, looked: float
) -> None:
    async def body(store: Store) -> None:
        watcher = watched(store, ("x",))
        watcher.looked_until = NOW - looked
        watcher.minutes.remember({}, {f"x{keys.SEPARATOR}{int(since)}".encode(): b""})
        quick = asked(watcher)
        ratios = watcher.minutes.ratios(NOW)
        known = watcher.minutes.sources["x"].complete[-60:]
        assert ratios == {"x": round(float(known.mean()), 3)}
        watcher.closed = [(NOW + 60.0, NOW + 120.0)]
        whole = asked(watcher)
        assert quick[1].tolist() == whole[1].tolist()
        assert (quick[0] is None) == (whole[0] is None) == (since < NOW - 60.0)

    with_store(store_url, body)


def test_what_was_judged_is_not_asked_again(store_url: str) -> None:
    async def body(store: Store) -> None:
        watcher = watched(store, ("x",))
        watcher.looked_until = NOW
        found, ends, before = asked(watcher)
        assert found is None
        assert (len(ends), before) == (0, 0)

    with_store(store_url, body)


def test_a_brand_whose_sources_are_all_new_has_no_verdict_yet(store_url: str) -> None:
    async def body(store: Store) -> None:
        watcher = watched(store, ("x",))
        watcher.watch = learned(("other",))
        found, _, _ = asked(watcher)
        assert found is not None
        (looks,) = fleet.look([found])
        assert looks.verdicts() == ()

    with_store(store_url, body)
