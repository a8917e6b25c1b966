"""API keys: stored hashed, shown once. `admin` may do all; `ingest` may only write the sources it names."""

import hashlib
import secrets
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from collectors.mention import SourceName
from service import keys
from service.store import Store

PREFIX = "fsk_"


class ApiKey(BaseModel):
    """What a key allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
    scope: Literal["admin", "ingest"]
    sources: list[SourceName] = Field(default_factory=list, max_length=100)

    def may_write(self, source: str) -> bool:
        """Say whether mentions and counts of `source` may come with this key."""
        return self.scope == "admin" or source in self.sources


def digest(key: str) -> str:
    """Return what is stored of a key: keys are 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


async def make_key(store: Store, key: ApiKey) -> str:
    """Make and store a new key; its text is never to be had again."""
    text = PREFIX + secrets.token_urlsafe(32)
    await store.do("HSET", keys.API_KEYS, digest(text), key.model_dump_json())
    return text


async def find_key(store: Store, text: str) -> ApiKey | None:
    """Return what a key allows; None where there is no such key."""
    found = await store.do("HGET", keys.API_KEYS, digest(text))
    return ApiKey.model_validate_json(found) if found else None


async def ensure_admin(store: Store, given: str | None) -> str | None:
    """See that there is an admin key: the given one, else a new one at first start, which is returned to be shown."""
    admin = ApiKey(name="admin", scope="admin")
    if given:
        for known, value in (await store.do("HGETALL", keys.API_KEYS)).items():
            if ApiKey.model_validate_json(value) == admin and known.decode() != digest(given):
                await store.do("HDEL", keys.API_KEYS, known)  # a key that was changed opens nothing any more
        await store.do("HSET", keys.API_KEYS, digest(given), admin.model_dump_json())
        return None
    if await store.do("HLEN", keys.API_KEYS):
        return None
    return await make_key(store, admin)
