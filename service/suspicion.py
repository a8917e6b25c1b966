"""How suspicious a brand is now, for collectors that read more of what is suspicious."""

from datetime import datetime

import msgspec

from service import keys
from service.policy import OPENS
from service.store import Store

CALM = 0.6 * OPENS
"""Score below which a brand is as calm as on most days."""
OLD = 900.0
"""Seconds after which a state says nothing: nobody judges."""


class _State(msgspec.Struct):
    at: str
    scores: dict[str, float | None] = msgspec.field(default_factory=dict)
    episode: str | None = None


async def suspicion(store: Store, brand: str, now: float) -> float:
    """Return 0 where a brand is calm, 1 where it would page or an episode is open, and between by its highest score."""
    text = await store.do("GET", keys.state(brand)) if brand else None
    try:
        state = msgspec.json.decode(text, type=_State) if text else None
    except msgspec.MsgspecError:
        state = None
    if state is None or now - datetime.fromisoformat(state.at).timestamp() > OLD:
        return 0.0
    if state.episode is not None:
        return 1.0
    highest = max((score for score in state.scores.values() if score is not None), default=0.0)
    return min(max((highest - CALM) / (OPENS - CALM), 0.0), 1.0)
