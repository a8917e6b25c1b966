"""A brand's own model is trained when labels are many enough, used from its hour on, and only where it wins."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest

from collectors.annotate import annotate
from collectors.correct import Correction, Rates, Spell
from collectors.own_model import OwnModel
from collectors.sentiment import Label
from service import keys, labels
from service.clock import posix
from service.corrections import Comparison, Standing, standing
from service.own_models import OwnModels, judge_labels, relearn
from service.store import Store
from tests.service.live import with_store
from tests.service.test_labels import labelled, said
from tests.service.test_way_in import NOW, Door

TIME = NOW.timestamp()
HOUR = 3600.0
RATES = Rates(0.6, 0.2, 0.04, 0.02, 170, 170)
MODEL = OwnModel({"tarmac": (3.0, 0.0, -1.0)}, (0.0, 0.0, 0.0), (1.0, 1.0))


async def decide(store: Store, *spells: Spell) -> None:
    found = Standing(1, TIME, 340, Correction(spells, 0.3, 340))
    await store.do("HSET", keys.CORRECTIONS, "acme", msgspec.json.encode(found))


def post(text: str, hours: float, identity: str) -> dict[str, Any]:
    at = NOW + timedelta(hours=hours)
    return {"id": identity, "source": "x", "text": text, "published_at": at.isoformat(), "language": "en"}


def models(found: Standing) -> list[str]:
    assert found.correction is not None
    return [spell.model for spell in found.correction.spells]


async def kept(store: Store, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(await store.do("GET", keys.text("acme", keys.identity("x", identity))))
    return found


def test_three_hundred_labels_train_a_model_that_is_used_from_a_later_hour_on(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await labelled(store, 320)
        found = await relearn(store, "acme", 320, TIME)
        assert found.own is not None
        assert found.own.wins
        assert found.own.loss < found.own.loss_before
        assert found.own.accuracy > found.own.accuracy_before
        assert found.why_not_own is None
        assert found.correction is not None
        first, own = found.correction.spells
        assert first.model == ""
        assert own.model.startswith("own-320-")
        assert own.since % HOUR == 0
        assert TIME + 900 <= own.since <= TIME + 900 + HOUR
        assert own.rates.apart > first.rates.apart
        used = OwnModels(store)
        await used.refresh()
        await door.post(post("acme sat us on the tarmac", -0.1, "before"))
        default = annotate("acme sat us on the tarmac", "en")
        assert (await kept(store, "before"))["negative"] == pytest.approx(default.negative)
        at = NOW + timedelta(seconds=own.since - TIME)
        for moment, same in ((at - timedelta(seconds=1), True), (at, False)):
            late = post("acme sat us on the tarmac", 0, "1") | {"published_at": moment.isoformat()}
            judged = used.note("acme", late, default)
            assert judged is not None
            assert (judged == default) == same
        again = await relearn(store, "acme", 321, TIME + 60)
        assert again.own == found.own
        assert (again.correction or found.correction).spells[1] == own

    with_store(store_url, body)


def test_a_mention_is_judged_by_the_model_of_the_hour_in_which_it_was_published_however_late_it_comes(
    store_url: str,
) -> None:
    async def body(store: Store) -> None:
        await store.do("HSET", keys.models("acme"), "own-1", msgspec.json.encode(MODEL))
        noon = posix(NOW.replace(minute=0, second=0).isoformat())
        await decide(store, Spell(0.0, "", RATES), Spell(noon - HOUR, "own-1", RATES), Spell(noon, "", RATES))
        door = await Door(store).open()
        text = "acme sat us on the tarmac"
        await door.post(post(text, 0, "now"), post(text, -0.5, "late"), post(text, -2, "older"))
        base = annotate(text, "en").negative
        assert (await kept(store, "now"))["negative"] == base
        assert (await kept(store, "older"))["negative"] == base
        late = await kept(store, "late")
        assert late["negative"] > 0.8
        assert late["sentiment"] == "negative"
        other = await store.do("HGETALL", keys.totals("acme"))
        assert sum(map(int, other.values())) == 3

    with_store(store_url, body)


def test_other_brands_other_languages_and_a_model_that_is_gone_leave_the_default(store_url: str) -> None:
    async def body(store: Store) -> None:
        await decide(store, Spell(0.0, "", RATES), Spell(1.0, "gone", RATES))
        used, note = OwnModels(store), annotate("acme sat us on the tarmac", "en")
        await used.refresh()
        mention = post("acme sat us on the tarmac", 0, "1")
        assert used.note("acme", mention, note) is note
        await store.do("HSET", keys.models("acme"), "gone", msgspec.json.encode(MODEL))
        await used.refresh()
        assert used.note("globex", mention, note) is note
        assert used.note("acme", mention, None) is None
        abstained = replace(note, scored=False, negative=None, positive=None, sentiment=None)
        assert used.note("acme", mention, abstained) is abstained
        assert used.note("acme", mention, note) != note

    with_store(store_url, body)


@pytest.mark.slow
def test_a_model_is_trained_again_when_labels_grew_by_a_tenth_and_left_where_it_no_longer_wins(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await labelled(store, 330)
        own = Comparison("2026-03-01T12:00:00Z", 301, 1.0, 0.9, 0.1, 0.01, 0.6, 0.7, True)
        first, second = (Spell(TIME - days * 86_400, f"own-{days}", RATES) for days in (20, 10))
        for model in ("own-20", "own-10"):
            await store.do("HSET", keys.models("acme"), model, msgspec.json.encode(MODEL))
        known = Standing(1, TIME - 60, 301, Correction((Spell(0.0, "", RATES), first, second), 0.3, 301), own=own)
        await store.do("HSET", keys.CORRECTIONS, "acme", msgspec.json.encode(known))
        early = await relearn(store, "acme", 330, TIME)
        assert early.own == own
        assert models(early) == ["", "own-20", "own-10"]
        for n, one in enumerate(said(range(340))):
            if n >= 330:
                await door.post(one)
            note, chance = annotate(one["text"], "en"), np.random.default_rng(1000 + n).random()
            assert note.negative is not None
            as_the_default_has_it: Label = "negative" if chance < note.negative else "neutral"
            await labels.put(store, "acme", "x", f"m{n}", as_the_default_has_it, "dana", "2026-03-02T12:00:00Z")
        found = await relearn(store, "acme", 680, TIME)
        assert found.own is not None
        assert found.own.labels == 340
        assert not found.own.wins
        assert "is not more than its standard error" in (found.why_not_own or "")
        assert models(found) == ["", "own-20", "own-10", ""]
        assert await store.do("HKEYS", keys.models("acme")) == [b"own-10"]

    with_store(store_url, body)


def test_training_that_takes_too_long_changes_nothing_and_says_so(store_url: str) -> None:
    async def body(store: Store) -> None:
        await labelled(store, 305)
        found = await relearn(store, "acme", 305, TIME, patience=0.05)
        assert found.own is None
        assert found.why_not_own == "training took more than 0 s"
        assert found.correction is not None
        assert [spell.model for spell in found.correction.spells] == [""]
        assert await standing(store, "acme") == found

    with_store(store_url, body)


def test_labels_of_texts_that_no_engine_scores_are_left_out() -> None:
    some = [
        labels.Label(str(n), "x", "negative", "dana", "2026-03-02T12:00:00Z", None, language, text)
        for n, (language, text) in enumerate([("en", "awful service"), ("zh", "服务太差了"), ("en", "fine")])
    ]
    judged = judge_labels(some)
    assert sorted(label.text for label in judged.labels) == ["awful service", "fine"]
    assert judged.base.shape == (2, 2)
    assert judge_labels([]).base.shape == (0, 2)
