"""What collectors know that they missed: spans in which a source told nothing of a brand, and tickers hear of it."""

from service import keys
from service.store import Store

SHORT_SECONDS = 3600.0
"""A gap that is shorter matters while minutes and five minutes are kept; hours hardly feel it."""
KEPT_SECONDS = 36 * 86_400.0
"""How long a short gap is kept: as long as five minutes are, and a day."""


async def missed(store: Store, brand: str, source: str, begin: float, end: float) -> None:
    """Note that `source` told nothing of `brand` from `begin` to `end` (POSIX seconds); what touches is one gap."""
    past: list[bytes] = []
    for name, value in (await store.do("HGETALL", keys.gaps(brand))).items():
        of, _, since = name.decode().partition(keys.SEPARATOR)
        first, last = float(since), float(value or "inf")
        if last - first < SHORT_SECONDS and last < begin - KEPT_SECONDS:
            past.append(name)
        elif of == source and first <= begin <= last < float("inf"):
            begin, end = first, max(end, last)
    if past:
        await store.do("HDEL", keys.gaps(brand), *past)
    await store.do("HSET", keys.gaps(brand), f"{source}{keys.SEPARATOR}{round(begin)}", round(end))
    await store.do("HINCRBY", keys.GAPPED, brand, 1)


async def joined(store: Store, brand: str, source: str, at: float) -> None:
    """Note that a source that was read before is listened to for `brand` only from `at` on (POSIX seconds).

    It is unknown before, and not silent; where the brand was listened to once, since it last was spoken of there.
    """
    last = await store.do("HGET", keys.since(brand), f"{source}{keys.SEPARATOR}last")
    if float(last or 0) < at:
        await missed(store, brand, source, float(last or 0), at)
