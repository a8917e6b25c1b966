"""A deleted post leaves the episodes that quote it, what is frozen beside them, and the event log.

The store's functions note in `{sNNN}:taken` what must go, in the step that counts the deletion, or in the one that
stores an episode which quotes what was deleted a moment before. It is taken out here; until then the note stays.
"""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

from service import keys
from service.episode import Event
from service.episodes import Episodes
from service.frozen import thaw
from service.quotes import without
from service.store import Conflict, Store

GROUP = "notify"
"""The consumer group that events are told by."""
PAGE = 200
"""Events read at a time."""


async def take_down(store: Store, tags: Iterable[str]) -> int:
    """Take what was deleted out of the episodes of some shards; return how many quotations that were.

    To be called after a deletion was counted, and now and then for all shards: who counted it may have died.
    """
    tags = sorted(set(tags))
    asked = await store.pipe([("HGETALL", keys.taken(tag)) for tag in tags])
    done = 0
    for tag, found in zip(tags, asked, strict=True):
        by_episode: dict[str, dict[str, bytes]] = defaultdict(dict)
        for member, times in found.items():
            key, _, identity = member.decode().partition(":")
            by_episode[identity][key] = times
        for identity, some in by_episode.items():
            await _from_episode(store, tag, identity, set(some))
            for key, times in some.items():
                done += int(await store.call("fs_taken", keys.quoted(tag), f"{key}:{identity}", times))
    return done


async def _from_episode(store: Store, tag: str, identity: str, gone: set[str]) -> None:
    episodes = Episodes(store)
    while (episode := await episodes.get(identity)) is not None and (left := without(episode, gone)) is not episode:
        with suppress(Conflict):  # nothing is told of it: who was told saw what stood there
            await episodes.save(left.model_copy(update={"version": episode.version + 1}), tell=False)
    await thaw(store, tag, identity, gone)
    await _from_events(store, tag, identity, gone)


async def _from_events(store: Store, tag: str, identity: str, gone: set[str]) -> None:
    """Take out the events that quote it; what is not told yet stays, without the quotation."""
    stream, name, start = keys.events(tag), identity.encode(), "-"
    rows: list[str] = []
    while True:
        entries = await store.do("XRANGE", stream, start, "+", "COUNT", PAGE)
        for entry, fields in entries:
            if name in fields.get(b"event", b""):
                rows += _row(entry.decode(), fields[b"event"], identity, gone)
        if len(entries) < PAGE:
            break
        start = f"({entries[-1][0].decode()}"
    if "1" in rows[1::3]:
        await store.call("fs_reword", stream, GROUP, *rows)


def _row(entry: str, text: bytes, identity: str, gone: set[str]) -> list[str]:
    """Return an event's entry, whether it quotes what is gone ("1"), and its text without that."""
    event = Event.model_validate_json(text)
    if event.episode.id != identity:
        return []
    cleared = without(event.episode, gone)
    if cleared is event.episode:
        return [entry, "0", text.decode()]
    return [entry, "1", event.model_copy(update={"episode": cleared}).model_dump_json()]
