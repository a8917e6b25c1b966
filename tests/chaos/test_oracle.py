"""The oracle, held against cases that were counted by hand, and the load that it is fed with."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.chaos.load import BRANDS, Load, iso
from tests.chaos.oracle import Bucket, Oracle

MINUTE = 1_767_225_600
"""2026-01-01T00:00:00Z"""
SENT: dict[str, Any] = {
    "id": "1",
    "source": "x",
    "text": "brand0 awful service",
    "published_at": "2026-01-01T00:00:30+00:00",
    "author": {"id": "p", "followers": 7},
}
EDIT = SENT | {"updated_at": "2026-01-01T00:01:00+00:00", "published_at": "2026-01-01T00:05:00+00:00"}
DELETION = SENT | {"updated_at": "2026-01-01T00:02:00+00:00", "deleted": True, "text": ""}


def mentions(oracle: Oracle, width: int = 60, place: tuple[str, str] = ("brand-0", "x")) -> dict[int, int]:
    return {start - MINUTE: b.mentions for start, b in oracle.buckets(width)[place].items() if b.mentions}


def taken(*sent: dict[str, Any]) -> Oracle:
    oracle = Oracle()
    for one in sent:
        oracle.mention(one, ["brand-0"])
    return oracle


def test_the_highest_version_wins_in_any_order() -> None:
    assert mentions(taken(SENT, SENT)) == {0: 1}
    assert mentions(taken(SENT, EDIT, SENT)) == mentions(taken(EDIT, SENT)) == {300: 1}
    assert mentions(taken(SENT, DELETION, EDIT)) == mentions(taken(DELETION, SENT)) == {}


def test_a_mention_that_moves_counts_for_its_new_brand_alone() -> None:
    oracle = taken(SENT)
    oracle.mention(EDIT, ["brand-1"], gone=["brand-0"])
    assert mentions(oracle) == {}
    assert mentions(oracle, 3600, ("brand-1", "x")) == {0: 1}


def test_a_count_replaces_what_was_said_of_its_minutes() -> None:
    oracle = Oracle()
    base = {"brand": "brand-0", "source": "tickets", "start": "2026-01-01T00:00:00+00:00"}
    oracle.count({**base, "seconds": 300, "count": 10})
    oracle.count({**base, "seconds": 60, "count": 100})
    assert mentions(oracle, 60, ("brand-0", "tickets")) == {0: 100, 60: 2, 120: 2, 180: 2, 240: 2}
    assert mentions(oracle, 300, ("brand-0", "tickets")) == {0: 108}


@pytest.mark.parametrize("wrong", ["mentions", "reach", "scored", "negative", "positive", "excluded", "authors"])
def test_every_field_that_differs_is_told(wrong: str) -> None:
    bucket: Bucket = taken(SENT).buckets(60)["brand-0", "x"][MINUTE]
    shown = {name: getattr(bucket, name) for name in ("mentions", "reach", "scored", "positive")}
    shown |= {"negative": bucket.negative / 1000, "excluded": 0, "authors": 1}
    assert list(bucket.differences(shown)) == []
    (told,) = bucket.differences({**shown, wrong: shown[wrong] + 1})
    assert told.startswith(wrong)


def test_the_load_holds_all_that_can_happen_to_a_mention() -> None:
    load = Load(1, Oracle(), batch=500)
    seen: dict[str, list[dict[str, Any]]] = {}
    for _ in range(60):
        batch = load.mentions()
        for line in batch.body.splitlines():
            sent = json.loads(line)
            seen.setdefault(sent["id"], []).append(sent)
        load.answered(batch)
    every = [sent for some in seen.values() for sent in some]
    assert any(len(some) > 1 and some[0] == some[1] for some in seen.values())
    assert any("updated_at" in some[0] and "updated_at" not in some[-1] for some in seen.values())
    assert any(sent.get("deleted") and not sent["text"] and "brands" not in sent for sent in every)
    assert any(sent.get("deleted") and "updated_at" not in sent for sent in every)
    assert len({json.dumps(load.counts().body.decode()) for _ in range(3)}) == 3
    assert load.oracle.mentions < len(seen) * 1.1


def test_a_plain_load_gives_each_request_a_minute_of_its_own() -> None:
    load = Load(1, Oracle(), plain=True, batch=100)
    own = []
    for request in range(1, 6):
        minutes = Counter(one.mention["published_at"][:16] for one in load.mentions().sent)
        own.append(minutes.most_common(1)[0][0])
        assert own[-1] == iso(load.minute(request))[:16]
    assert len(set(own)) == 5
    assert {brand for one in load.mentions().sent for brand in one.brands} == set(BRANDS)
