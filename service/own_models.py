"""A brand's own model: trained in the background from its labels, used by workers where it won on held-out ones."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np
from redis.exceptions import RedisError

from collectors.annotate import Annotation, annotate_all
from collectors.correct import Correction, Rates, Spell, rates, why_not
from collectors.own_model import CLASSES, LEAST_LABELS, MOST_LABELS, Learned, OwnModel, learn
from collectors.sentiment import DEFAULT_ENGINE, Engine
from collectors.sentiment import engine as engine_named
from detectors.series import Floats
from service import keys, labels
from service.apart import Crowded, TooLong, apart
from service.clock import Clock, iso, posix
from service.corrections import Comparison, Corrections, Standing, standing
from service.counts import read
from service.labels import Label
from service.lease import Lease
from service.store import Fenced, Store, mended

HOUR, DAY = 3600.0, 86_400.0
EVERY = 3.0
"""Seconds between looks at which brands' labels changed."""
AGAIN = DAY
"""Seconds after which what is usual for a corrected brand is read again."""
GROWN = 1.1
"""Times the labels of the last training that start the next one."""
NOTICE = 900.0
"""Seconds before a model is used that workers and judges know of it; mentions may be 10 minutes ahead of the clock."""
USUAL_SECONDS = 7 * DAY
"""What is usual for a brand is its share over so long."""
KEPT_SECONDS = 9 * DAY
"""How long a model stays after another took its place: mentions may come 8 days late."""
PATIENCE = 120.0
"""Seconds that a training may take; 300 labels take one, 5,000 some thirty."""

log = logging.getLogger("foreshock.labels")


class Judged(NamedTuple):
    """Labels of scored mentions, in a fixed order, and an engine's P(negative, positive) and label of each."""

    labels: list[Label]
    base: Floats
    said: list[int]

    @property
    def classes(self) -> list[int]:
        """What people said, as places in CLASSES."""
        return [CLASSES.index(label.label) for label in self.labels]

    def rates(self, p: Floats) -> Rates:
        """Return the rates of P(negative) (n,): of those mentions that were drawn by chance, where they are enough."""
        negative = np.array(self.classes, dtype=np.int64) == 0
        drawn = np.array([label.drawn for label in self.labels], dtype=np.bool_)
        found = rates(p[drawn], negative[drawn])
        return rates(p, negative) if why_not(found) else found


class Learning:
    """Follows the labels of all brands; one process at a time, by lease. `engine` judges what no own model does."""

    def __init__(self, store: Store, clock: Clock, lease: Lease, engine: str = DEFAULT_ENGINE) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._engine = engine_named(engine)

    async def run(self) -> None:
        """Follow until cancelled; a store that is away is waited for."""
        try:
            while True:
                try:
                    if await self._lease.hold() is not None:
                        await self.turn()
                except (RedisError, OSError, Fenced) as error:
                    log.warning("the store is away (%s), trying again", type(error).__name__)
                    await mended(self._store, error)
                await asyncio.sleep(EVERY)
        finally:
            with contextlib.suppress(RedisError, OSError):
                await self._lease.release()

    async def turn(self) -> None:
        """Look at the brands whose labels changed since they were looked at, or were looked at a day ago."""
        changed: dict[bytes, bytes] = await self._store.do("HGETALL", keys.LABELLED)
        now = await self._clock.now()
        for name, changes in changed.items():
            brand = name.decode()
            before = await standing(self._store, brand)
            if before is not None and before.seen == int(changes) and before.at <= now < before.at + AGAIN:
                continue
            try:
                await relearn(self._store, brand, int(changes), now, engine=self._engine)
            except Crowded:
                continue  # at the next turn
            await self._lease.hold()


async def relearn(
    store: Store, brand: str, seen: int, now: float, *, engine: Engine | None = None, patience: float = PATIENCE
) -> Standing:
    """Decide anew, at `now` (POSIX seconds), how a brand's shares are corrected and which model judges its mentions.

    Raises:
        Crowded: this process has too much other work under way; nothing was decided.
    """
    before = await standing(store, brand) or Standing(seen=0, at=now, labels=0)
    judged = await asyncio.to_thread(judge_labels, await labels.read(store, brand), engine)
    found = judged.rates(judged.base[:, 0])
    after = replace_standing(before, seen=seen, at=now, labels=len(judged.labels), why=why_not(found))
    if after.why is None:
        week = await _week(store, brand, now)
        spells = _with_default(before.correction.spells if before.correction else (), found)
        after = _corrected(after, spells, week)
        after = await _trained(store, brand, after, judged, week, patience)
    else:
        after = replace_standing(after, correction=None, before=None, after=None)
    await store.do("HSET", keys.CORRECTIONS, brand, msgspec.json.encode(after))
    return after


def replace_standing(of: Standing, **change: Any) -> Standing:
    """Return a standing with some of it changed."""
    return msgspec.structs.replace(of, **change)


def judge_labels(said: Sequence[Label], engine: Engine | None = None) -> Judged:
    """Judge the newest MOST_LABELS labelled texts by an engine; those that it can't score are left out.

    Their order is that of hashes, so that what is held out in turn is no span of time.
    """
    some = sorted(said[:MOST_LABELS], key=lambda label: keys.identity(label.source, label.id))
    notes = annotate_all([(label.text, label.language) for label in some], engine)
    pairs = [(label, note) for label, note in zip(some, notes, strict=True) if note.scored]
    base = np.array([(note.negative, note.positive) for _, note in pairs], dtype=np.float64).reshape(-1, 2)
    return Judged(
        [label for label, _ in pairs], base, [CLASSES.index(note.sentiment or "neutral") for _, note in pairs]
    )


class _Week(NamedTuple):
    """Hours of the last week: when they begin, their sum of P(negative), how many were scored; (n,) each."""

    times: Floats
    total: Floats
    scored: Floats


async def _week(store: Store, brand: str, now: float) -> _Week:
    table = await read(store, brand, now - USUAL_SECONDS, now, int(HOUR), now)
    return _Week(table.times, table.total("negative"), table.total("scored"))


def _with_default(spells: tuple[Spell, ...], found: Rates) -> tuple[Spell, ...]:
    """The spells with what is known now of the default engine; the past of every brand begins with it."""
    newer = tuple(replace(spell, rates=found) if spell.model == "" else spell for spell in spells)
    return newer or (Spell(0.0, "", found),)


def _corrected(after: Standing, spells: tuple[Spell, ...], week: _Week) -> Standing:
    scored = float(week.scored.sum())
    raw = float(week.total.sum()) / scored if scored else None
    plain = Correction(spells, raw or 0.0, after.labels)
    found = replace(plain, usual=plain.overall(*week))
    return replace_standing(after, correction=found, before=raw, after=found.estimate(*week))


async def _trained(store: Store, brand: str, after: Standing, judged: Judged, week: _Week, patience: float) -> Standing:
    """Train the brand's own model where that is due, and say from when on which model is used."""
    n, correction = len(judged.labels), after.correction
    assert correction is not None
    if n < LEAST_LABELS:
        why = f"{n} labels of scored mentions; from {LEAST_LABELS} on a model of the brand's own is trained"
        return replace_standing(after, why_not_own=why)
    pending = correction.spells[-1].since > after.at
    if pending or (after.own is not None and n < GROWN * after.own.labels):
        return after
    texts = [label.text for label in judged.labels]
    classes, said = np.array(judged.classes), np.array(judged.said)
    try:
        learned = await apart(patience, learn, texts, judged.base, classes, said, correction.usual)
    except TooLong:
        return replace_standing(after, why_not_own=f"training took more than {patience:.0f} s")
    except (ValueError, RuntimeError) as error:
        log.warning("no model of %s was trained: %s", brand, error)
        return replace_standing(after, why_not_own="training failed")
    found = judged.rates(learned.held_out)
    unsound = why_not(found)
    wins = learned.wins and unsound is None
    lost = None
    if not wins:
        saved = f"{learned.gain:.3f} of log loss a held-out label"
        lost = unsound or f"it saves {saved}, which is not more than its standard error of {learned.error:.3f}"
    after = replace_standing(after, own=_comparison(learned, after.at, n, wins), why_not_own=lost)
    spell = Spell(math.ceil((after.at + NOTICE) / HOUR) * HOUR, f"own-{n}-{after.at:.0f}" if wins else "", found)
    if not wins and correction.spells[-1].model == "":
        return after
    if not wins:
        spell = replace(spell, rates=next(s.rates for s in correction.spells if s.model == ""))
    else:
        await store.do("HSET", keys.models(brand), spell.model, msgspec.json.encode(learned.model))
    await _drop_old(store, brand, correction.spells, after.at)
    return _corrected(after, (*correction.spells, spell), week)


async def _drop_old(store: Store, brand: str, spells: Sequence[Spell], now: float) -> None:
    """Drop the models that no mention can come for any more."""
    ended = [spell for spell, later in pairwise(spells) if later.since < now - KEPT_SECONDS]
    if names := [spell.model for spell in ended if spell.model]:
        await store.do("HDEL", keys.models(brand), *names)


def _comparison(learned: Learned, at: float, n: int, wins: bool) -> Comparison:
    return Comparison(
        at=iso(at),
        labels=n,
        loss_before=round(learned.loss_before, 4),
        loss=round(learned.loss, 4),
        gain=round(learned.gain, 4),
        error=round(learned.error, 4),
        accuracy_before=round(learned.accuracy_before, 4),
        accuracy=round(learned.accuracy, 4),
        wins=wins,
    )


class OwnModels:
    """The brands' own models as a worker holds them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._corrections = Corrections(store)
        self._models: dict[tuple[str, str], OwnModel] = {}

    async def refresh(self) -> None:
        """Read which models are used from when on, and those that are new."""
        await self._corrections.refresh()
        named = {(brand, s.model) for brand, found in self._corrections.all() for s in found.spells if s.model}
        for brand, model in named - self._models.keys():
            if packed := await self._store.do("HGET", keys.models(brand), model):
                self._models[brand, model] = _model.decode(packed)
        for gone in self._models.keys() - named:
            del self._models[gone]

    def note(self, brand: str, mention: Mapping[str, Any], note: Annotation | None) -> Annotation | None:
        """Return what a mention's text says to this brand: by the model of the time when it was published."""
        found = self._corrections.of(brand)
        if found is None or note is None or not note.scored or note.negative is None or note.positive is None:
            return note
        spell = found.spells[int(found.places(np.array([posix(mention["published_at"])]))[0])]
        model = self._models.get((brand, spell.model))
        if model is None:
            return note
        judged = model.judge(mention["text"], note.negative, note.positive)
        return replace(note, sentiment=judged.label, negative=judged.negative, positive=judged.positive)


_model = msgspec.json.Decoder(OwnModel)
