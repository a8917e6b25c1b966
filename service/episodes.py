"""Episodes in the store: every change is one atomic step with the event that tells of it."""

from collections.abc import Callable, Sequence
from typing import Any

from service import keys
from service.episode import Episode, Kind, State, event_of, names, open_first, shard_of
from service.quotes import quoted_keys
from service.store import Conflict, Store

RETRIES = 5


class Episodes:
    """Reads and changes episodes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, identity: str) -> Episode | None:
        """Return one episode."""
        tag = shard_of(identity)
        text = await self._store.do("HGET", keys.episodes(tag), identity) if tag else None
        return Episode.model_validate_json(text) if text else None

    async def many(self, identities: Sequence[str]) -> list[Episode | None]:
        """Return episodes in one round trip, None for those that are not there."""
        tags = [shard_of(identity) for identity in identities]
        asked = [("HGET", keys.episodes(tag or ""), i) for tag, i in zip(tags, identities, strict=True)]
        return [Episode.model_validate_json(text) if text else None for text in await self._store.pipe(asked)]

    async def newest(self, brand: str, kind: Kind) -> Episode | None:
        """Return the brand's episode of a kind that opened last."""
        tag = keys.shard(brand)
        ((ids),) = await self._ids([tag], "+inf")
        for identity in (i.decode() for i in ids):
            if names(identity, brand, kind):
                episode = await self.get(identity)
                if episode and (episode.brand, episode.kind) == (brand, kind):
                    return episode
        return None

    async def save(self, episode: Episode, fence: int | str = "", alarm: str = "", tell: bool = True) -> None:
        """Store an episode's next version, with the alarm's state that led to it, and the event that tells of it.

        Raises:
            Conflict: another version was stored meanwhile, or another episode of the kind is open.
            Fenced: a newer ticker has taken over.
        """
        event = event_of(episode).model_dump_json() if tell else ""
        await self._store.call(
            "fs_episode", keys.episodes(keys.shard(episode.brand)), fence, episode.brand,
            "drill" if episode.drill else episode.kind, episode.id,
            episode.version - 1, episode.model_dump_json(), episode.opened_at.timestamp(), alarm, event,
            " ".join(quoted_keys(episode.evidence)),
        )  # fmt: skip

    async def save_alarm(self, brand: str, kind: str, alarm: str, fence: int) -> None:
        """Store the alarm's state alone.

        Raises:
            Fenced: a newer ticker has taken over.
        """
        key = keys.episodes(keys.shard(brand))
        await self._store.call("fs_episode", key, fence, brand, kind, "", 0, "", 0, alarm, "", "")

    async def change(self, identity: str, change: Callable[[Episode], Episode]) -> Episode | None:
        """Apply `change` to the newest version, again where somebody else was quicker; None where there is none."""
        for _ in range(RETRIES):
            episode = await self.get(identity)
            if episode is None:
                return None
            changed = change(episode)
            try:
                await self.save(changed)
            except Conflict:
                continue
            return changed
        raise Conflict("the episode is changed by too many at once; try again")

    async def page(
        self, brand: str | None, state: State | None, limit: int, cursor: str | None
    ) -> tuple[list[Episode], str | None]:
        """Return one page, newest first, and the cursor of the next.

        Raises:
            ValueError: the cursor can't be read.
        """
        try:
            opened, _, after = cursor.partition(":") if cursor else ("+inf", "", "")
            float(opened)
        except ValueError:
            raise ValueError("cursor: take it from `next` of the page before") from None
        tags = [keys.shard(brand)] if brand else keys.all_shards()
        found: list[Episode] = []
        for tag, ids in zip(tags, await self._ids(tags, opened), strict=True):
            found += await self._load(tag, ids)
        chosen = [
            e
            for e in open_first(found)
            if (brand is None or e.brand == brand)
            and (state is None or e.state == state)
            and (not cursor or (e.opened_at.timestamp(), e.id) < (float(opened), after))
        ]
        page = chosen[:limit]
        more = f"{page[-1].opened_at.timestamp()}:{page[-1].id}" if len(chosen) > limit else None
        return page, more

    async def _ids(self, tags: list[str], latest: str) -> list[list[Any]]:
        return await self._store.pipe(
            [("ZRANGE", keys.episode_index(tag), latest, "-inf", "BYSCORE", "REV", "LIMIT", 0, 1000) for tag in tags]
        )

    async def _load(self, tag: str, ids: list[Any]) -> list[Episode]:
        if not ids:
            return []
        texts = await self._store.do("HMGET", keys.episodes(tag), *ids)
        return [Episode.model_validate_json(text) for text in texts if text]
