"""What is kept beside an episode as it was: the counts that it rests on, and a sample of its posts.

Texts are kept for 7 days and minutes for 8; an episode is looked at for longer. The judging process freezes both
whenever it stores an episode; a deletion reaches them (`service/takedown.py`).
"""

import hashlib
import logging
import zlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from redis.exceptions import RedisError

from detectors.negbin import interval
from detectors.scan import Spread
from detectors.series import Floats, Series
from detectors.sources import expect
from service import keys
from service.counts import read
from service.episode import Episode, shard_of
from service.evidence import brief
from service.quotes import key_of, quotations, quoted_keys
from service.store import Store

if TYPE_CHECKING:
    from service.watcher import Watcher

log = logging.getLogger("foreshock.episodes")

DAY = 86_400.0
BEFORE = DAY
"""Seconds before the begin that are kept: what a day looks like there."""
STEP = 300
"""Seconds of a bucket; of what lasts long `LONG_STEP`."""
LONG_STEP, LONG = 3600, 8 * DAY
"""An episode that is longer than a week is kept by hours, as which alone its begin may still be there."""
MINUTES = 2 * DAY
"""Up to this length it is summed from minutes, so that the five minutes that just began are in it."""
SAMPLE = 50
"""Posts that are kept."""
COMPUTED, LEAST_MEAN = 24, 0.01
"""Intervals that are computed for a curve, and the smallest expected count that one is computed for."""
KEPT_SECONDS = 400 * 86_400
"""Two of the same season can be compared, and a year's review can be written."""


class Curve(msgspec.Struct, frozen=True):
    """Buckets of `step` seconds from `start` (POSIX seconds); None is unknown, which is not zero.

    `low` to `high` holds 95 of 100 normal buckets; `sources` are the mentions of each.
    """

    start: float
    step: int
    mentions: list[float | None]
    negative: list[float | None]
    expected: list[float | None]
    expected_negative: list[float | None]
    low: list[float | None]
    high: list[float | None]
    sources: dict[str, list[float | None]]


class Frozen(msgspec.Struct, frozen=True):
    """What was frozen at `at` (POSIX seconds)."""

    at: float
    curve: Curve | None
    posts: list[dict[str, Any]]


_decoder = msgspec.json.Decoder(Frozen)


async def freeze(watcher: "Watcher", episode: Episode, now: float) -> None:
    """Keep what an episode rests on `now` (POSIX seconds), in place of what was kept of it before.

    What goes wrong with it, the store apart, is logged: an alert does not wait for its picture.
    """
    try:
        await _keep(watcher, episode, now)
    except (RedisError, OSError):
        raise
    except Exception:
        log.exception("what %s rests on can't be kept", episode.id)


async def _keep(watcher: "Watcher", episode: Episode, now: float) -> None:
    store = watcher.store
    start = episode.started_at.timestamp()
    before = await frozen(store, episode.id)
    posts = await _sample(store, episode, start, now)
    if not posts and before is not None:
        posts = before.posts
    curve = await _curve(watcher, start - BEFORE, now) or (before.curve if before is not None else None)
    content = packed(Frozen(now, curve, posts))
    await put(store, episode.id, episode.brand, content, posts)


async def frozen(store: Store, identity: str) -> Frozen | None:
    """Return what was kept beside an episode; None where nothing was, or it is long ago."""
    tag = shard_of(identity)
    stored = await store.do("GET", keys.frozen(tag, identity)) if tag else None
    return _decoder.decode(zlib.decompress(stored)) if stored else None


async def thaw(store: Store, tag: str, identity: str, gone: Collection[str]) -> None:
    """Take posts (keys) out of what is kept beside an episode of a shard."""
    while stored := await store.do("GET", keys.frozen(tag, identity)):
        found = _decoder.decode(zlib.decompress(stored))
        posts = [post for post in found.posts if key_of(post) not in gone]
        if len(posts) == len(found.posts):
            return
        was = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
        content = packed(msgspec.structs.replace(found, posts=posts))
        if await put(store, identity, "", content, (), was):
            return


async def put(
    store: Store, identity: str, brand: str, content: bytes, posts: Sequence[dict[str, Any]], was: str = ""
) -> bool:
    """Keep what `packed` made beside an episode; say whether it replaced what has the SHA-1 `was`, "" being any."""
    key = keys.frozen(shard_of(identity) or "", identity)
    quoted = " ".join(quoted_keys({"posts": list(posts)}))
    return bool(await store.call("fs_freeze", key, brand, identity, content, quoted, KEPT_SECONDS, was))


def packed(what: Frozen) -> bytes:
    """Return what is frozen as the store keeps it."""
    return zlib.compress(msgspec.json.encode(what))


async def _sample(store: Store, episode: Episode, start: float, now: float) -> list[dict[str, Any]]:
    """Return what the evidence quotes, and of the other posts, evenly in their order, as many as make the sample."""
    chosen = {key_of(post): post for post in quotations(episode.evidence)}
    recent = keys.recent(episode.brand)
    first, last = await store.pipe([("ZCOUNT", recent, "-inf", f"({start}"), ("ZCOUNT", recent, "-inf", now)])
    places = sorted({round(float(rank)) for rank in np.linspace(first, last - 1, SAMPLE)}) if last > first else []
    found = [some[0].decode() for some in await store.pipe([("ZRANGE", recent, p, p) for p in places]) if some]
    names = [name for name in found if name not in chosen][: max(SAMPLE - len(chosen), 0)]
    texts = await store.pipe([("GET", keys.text(episode.brand, name)) for name in names])
    others = [brief(msgspec.json.decode(text)) for text in texts if text]
    return sorted([*chosen.values(), *others], key=lambda post: str(post.get("published_at")))


async def _curve(watcher: "Watcher", start: float, end: float) -> Curve | None:
    """Return what was counted and what was normal from `start` to `end` (POSIX seconds), None where nothing was."""
    watch, length = watcher.watch, end - start
    step = STEP if length <= LONG else LONG_STEP
    width = 60 if length <= MINUTES else step
    table = await read(watcher.store, watcher.brand.name, start // step * step, end, width, end)
    series = table.series(watcher.correction)
    if not series or not table.length:
        return None
    lead = round(table.start % step / width)
    join = Join(lead, round(step / width), table.length)
    sources = {name: join(one.mentions) for name, one in series.items()}
    if watch is None or watch.spreads is None:
        total = join(_sum(series))
        nothing: list[float | None] = [None] * len(total)
        return Curve(table.start - lead * width, step, total, nothing, nothing, nothing, nothing, nothing, sources)
    unknown = np.zeros(table.length, dtype=np.bool_)
    sums = expect(series, watch.normals, unknown, watcher.utc_offset(end))
    hide = np.where(sums.known, 0.0, np.nan)
    usual = join(sums.expected + hide)
    band = _band(usual, watch.spreads.mentions, float(step))
    return Curve(
        start=table.start - lead * width,
        step=step,
        mentions=join(sums.mentions + hide),
        negative=join(sums.negative + hide),
        expected=usual,
        expected_negative=join(sums.expected_negative + hide),
        low=[None if pair is None else pair[0] for pair in band],
        high=[None if pair is None else pair[1] for pair in band],
        sources=sources,
    )


class Join:
    """Sums groups of buckets: `each` of them, the first of which lacks `lead`; NaN is unknown."""

    def __init__(self, lead: int, each: int, length: int) -> None:
        self._lead, self._each = lead, each
        self._tail = -(lead + length) % each

    def __call__(self, values: Floats) -> list[float | None]:
        """Return the sums of what is known of each group, None where nothing is."""
        padded = np.pad(values, (self._lead, self._tail), constant_values=np.nan).reshape(-1, self._each)
        some = np.isfinite(padded)
        sums: list[float] = np.nansum(padded, axis=1).tolist()
        return [round(total, 2) if number else None for total, number in zip(sums, some.sum(axis=1), strict=True)]


def _sum(series: dict[str, Series]) -> Floats:
    rows = np.array([one.mentions for one in series.values()])
    return np.where(np.isfinite(rows).any(axis=0), np.nansum(rows, axis=0), np.nan)


def _band(usual: Sequence[float | None], spread: Spread, step: float) -> list[tuple[float, float] | None]:
    """Return the interval of 95 in 100 around each expected count; between computed ones along a line."""
    known = [u for u in usual if u is not None]
    if not known:
        return [None] * len(usual)
    row = min(range(len(spread.lengths)), key=lambda n: abs(spread.lengths[n] - step))
    means = np.geomspace(max(min(known), LEAST_MEAN), max(*known, 2 * LEAST_MEAN), COMPUTED)
    sizes = spread.size(np.tile(means, (len(spread.lengths), 1)))[row]
    ends = np.array([interval(float(mean), float(size)) for mean, size in zip(means, sizes, strict=True)])
    low, high = (np.interp(np.array(known), means, ends[:, side]) for side in (0, 1))
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return [None if u is None else next(pairs) for u in usual]
