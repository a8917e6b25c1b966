"""What people say of mentions is kept while the mentions may be, and corrects the brand's shares from 100 on."""

import json
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from collectors.correct import Correction, Rates, Spell
from service import keys, labels
from service.access import ApiKey, make_key
from service.brand import Brand
from service.corrections import Corrections, Standing, correction, standing
from service.lease import Lease
from service.minutes import Minutes
from service.own_models import Learning, relearn
from service.store import Store
from service.ticker import Ticker
from service.watcher import Watcher
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.test_ticker import NOW as TICK
from tests.service.test_ticker import crises, state, storm, talk, watched
from tests.service.test_way_in import NOW, At, Door, edited, mention
from tests.service.weeks import counted

TIME = NOW.timestamp()
ANGRY = ("lost my order", "is late again", "never again with them", "broke and nobody answers", "is awful")
OTHER = ("opens at nine", "ordered from them today", "has a new office", "great day, thanks", "is good")
FILLER = ("the", "we", "you", "bag", "seat", "gate", "crew", "boston", "denver", "june", "desk", "line", "app", "rain")
RATES = Rates(0.6, 0.2, 0.04, 0.02, 70, 70)
"""Of an engine that gives negative mentions 0.6 and others 0.2."""
CORRECTED = Correction((Spell(0.0, "", RATES),), 0.3, 140)


def said(numbers: range) -> list[dict[str, Any]]:
    """Distinct mentions, each second of which complains; the engine half sees it, and a word of each kind tells."""
    found = []
    for n in numbers:
        chance = np.random.default_rng(n)
        words = " ".join([*chance.choice(FILLER, 8), ("tarmac", "lounge")[(n + 1) % 2]])
        text = f"acme {chance.choice((OTHER, ANGRY)[n % 2])} {words}"
        found.append(mention(text, minutes=5 + n % 50, id=f"m{n}", language="en"))
    return found


async def label(store: Store, numbers: range) -> None:
    for n in numbers:
        await labels.put(store, "acme", "x", f"m{n}", ("neutral", "negative")[n % 2], "dana", "2026-03-02T12:00:00Z")


async def labelled(store: Store, n: int) -> Door:
    """A brand of which `n` mentions were posted, counted and labelled."""
    door = await Door(store).open()
    await door.post(*said(range(n)))
    await label(store, range(n))
    return door


async def say(client: httpx.AsyncClient, identity: str, said: str | None, **change: str) -> httpx.Response:
    body = {"source": "x", "brand": "acme", "label": said, **change}
    return await client.post(f"/v1/mentions/{identity}/label", json=body)


@pytest.mark.parametrize("identity", ["1", "2026/03/02/some/post", "label", "a/label", "ü 100 %", "?q=1#2", ".."])
def test_a_label_is_given_by_rest_listed_and_taken_back_whatever_the_id(store_url: str, identity: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(mention("acme lost my order", id=identity))
        async with serving(store, clock=At()) as client:
            quoted = httpx.URL("http://x/").copy_with(params={"i": identity}).query.decode()[2:].replace("+", "%20")
            if identity == "..":
                quoted = "%2E%2E"
            quoted = quoted.replace("%2F", "/")
            answer = await say(client, quoted, "negative")
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"source": "x", "brand": "acme", "label": "negative", "id": identity, "labels": 1}
            assert (await say(client, quoted, "positive")).json()["labels"] == 1
            found = (await client.get("/v1/brands/acme/labels")).json()
            assert found["counts"] == {"positive": 1}
            (item,) = found["items"]
            assert (item["id"], item["by"], item["text"]) == (identity, "admin", "acme lost my order")
            assert item["at"] == "2026-03-02T12:00:30Z"
            assert 0.0 < item["negative"] < 1.0
            assert (await say(client, quoted, None)).json()["labels"] == 0
            assert (await client.get("/v1/brands/acme/labels")).json()["items"] == []

    with_store(store_url, body)


def test_what_cannot_be_labelled_is_refused_in_one_clear_line(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(mention("acme lost my order"))
        async with serving(store, clock=At()) as client:
            for change, status, why in (
                ({"brand": "nobody"}, 404, "there is no brand 'nobody'"),
                ({"brand": "globex"}, 404, "no mention '1' of source 'x' is kept for globex"),
                ({"source": "reddit"}, 404, "no mention '1' of source 'reddit' is kept for acme"),
                ({"label": "awful"}, 422, "body.label"),
                ({"source": "Not A Source"}, 422, "body.source"),
                ({"by": "mallory"}, 422, "body.by"),
            ):
                answer = await client.post(
                    "/v1/mentions/1/label", json={"source": "x", "brand": "acme", "label": "negative", **change}
                )
                assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
            key = await make_key(store, ApiKey(name="bot", scope="ingest", sources=["x"]))
            client.headers["Authorization"] = f"Bearer {key}"
            assert (await say(client, "1", "negative")).status_code == 403

    with_store(store_url, body)


def test_labels_are_listed_page_by_page_the_newest_first(store_url: str) -> None:
    async def body(store: Store) -> None:
        await labelled(store, 7)
        async with serving(store, clock=At()) as client:
            seen, cursor = [], None
            for _ in range(4):
                asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
                page = (await client.get("/v1/brands/acme/labels", params=asked)).json()
                assert page["counts"] == {"negative": 3, "neutral": 4}
                seen += [item["id"] for item in page["items"]]
                cursor = page["next"]
            assert cursor is None
            assert sorted(seen) == [f"m{n}" for n in range(7)]
            wrong = await client.get("/v1/brands/acme/labels", params={"cursor": "x"})
            assert wrong.status_code == 422
            assert "cursor" in wrong.json()["detail"]

    with_store(store_url, body)


@pytest.mark.parametrize("old", [False, True])
def test_a_deletion_takes_the_labels_text_with_it_even_after_the_mention_is_not_kept(store_url: str, old: bool) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        both = mention("acme and globex lost my order")
        await door.post(both, mention("acme is fine", id="2"))
        for brand in ("acme", "globex"):
            await labels.put(store, brand, "x", "1", "negative", "dana", "2026-03-02T12:00:00Z")
        await labels.put(store, "acme", "x", "2", "neutral", "dana", "2026-03-02T12:00:00Z")
        if old:
            identity = keys.identity("x", "1")
            for brand in ("acme", "globex"):
                await store.do("DEL", keys.text(brand, identity))
                await store.do("DEL", keys.record(keys.shard(brand), identity))
        await door.post({**both, "text": "", "deleted": True, "updated_at": edited()})
        assert await labels.read(store, "globex") == []
        assert [found.id for found in await labels.read(store, "acme")] == ["2"]
        assert await store.do("ZCARD", keys.labelled(keys.shard("globex"))) == 0

    with_store(store_url, body)


@pytest.mark.parametrize(("text", "kept"), [("acme lost my order", 1), ("acme found my order", 0), ("globex only", 0)])
def test_an_edit_takes_the_label_of_the_old_text_away(store_url: str, text: str, kept: int) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(mention("acme lost my order"))
        await labels.put(store, "acme", "x", "1", "negative", "dana", "2026-03-02T12:00:00Z")
        await door.post(mention(text, updated_at=edited(), engagement=5))
        assert len(await labels.read(store, "acme")) == kept

    with_store(store_url, body)


def test_no_more_than_enough_labels_are_kept(store_url: str) -> None:
    async def body(store: Store) -> None:
        await labelled(store, 2)
        key, text = keys.identity("x", "m1"), keys.labels("acme")
        for most, n in ((2, 2), (3, 2)):
            assert await store.call("fs_label", text, "acme", key, b'{"text": ""}', most) == n
        await store.do("HDEL", text, key)
        assert await store.call("fs_label", text, "acme", key, b'{"text": ""}', 1) == -2

    with_store(store_url, body)


def test_a_brand_that_is_no_longer_watched_leaves_no_texts_behind(store_url: str) -> None:
    async def body(store: Store) -> None:
        await labelled(store, 5)
        await relearn(store, "acme", 5, TIME)
        async with serving(store, clock=At()) as client:
            assert (await client.delete("/v1/brands/acme")).status_code == 204
        assert await labels.read(store, "acme") == []
        assert await standing(store, "acme") is None
        assert await store.do("ZCARD", keys.labelled(keys.shard("acme"))) == 0
        assert await store.do("HLEN", keys.LABELLED) == 0

    with_store(store_url, body)


def test_ninety_nine_labels_correct_nothing_and_a_hundred_correct_the_share(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await labelled(store, 99)
        few = await relearn(store, "acme", 99, TIME)
        assert few.correction is None
        assert few.why is not None
        assert "99 labels" in few.why
        await door.post(*said(range(99, 160)))
        await label(store, range(99, 160))
        enough = await relearn(store, "acme", 160, TIME)
        assert enough.correction is not None
        assert enough.before is not None
        assert enough.after is not None
        assert abs(enough.after.share - 0.5) < 0.1 < abs(enough.before - 0.5)
        assert enough.after.low < 0.5 < enough.after.high
        async with serving(store, clock=At()) as client:
            shown = (await client.get("/v1/brands/acme/labels", params={"limit": 1})).json()["correction"]
            assert (shown["corrected"], shown["model"], shown["labels"], shown["why"]) == (True, "default", 160, None)
            start = (NOW - timedelta(hours=2)).isoformat()
            asked = {"start": start, "end": NOW.isoformat(), "step": "3600"}
            rows = (await client.get("/v1/brands/acme/series", params=asked)).json()["buckets"]
            told = [row["negative_share_corrected"] for row in rows]
            assert [bool(share) for share in told] == [row["scored"] > 0 for row in rows]
            (share,) = [share for share, row in zip(told, rows, strict=True) if row["scored"] > 100]
            assert abs(share["share"] - 0.5) < 0.1
            assert share["low"] < share["share"] < share["high"]
            assert share["labels"] == 160

    with_store(store_url, body)


def test_what_is_drawn_by_chance_corrects_rightly_where_what_people_choose_by_its_looks_does_not(
    store_url: str,
) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(*said(range(400)))
        texts = {keys.identity("x", f"m{n}"): n for n in range(400)}
        packed = await store.do("MGET", *[keys.text("acme", key) for key in texts])
        angriest = sorted(zip(packed, texts.values(), strict=True), key=lambda pair: -json.loads(pair[0])["negative"])
        for _, n in angriest[:150]:
            await label(store, range(n, n + 1))
        chosen = await relearn(store, "acme", 150, TIME)
        assert chosen.after is None or chosen.after.share < 0.4
        async with serving(store, clock=At()) as client:
            seen: set[str] = set()
            for _ in range(3):
                items = (await client.get("/v1/brands/acme/labels/next", params={"limit": 50})).json()["items"]
                assert all(item["text"].startswith("acme") and "negative" not in item for item in items)
                assert not seen & {item["id"] for item in items}
                seen |= {item["id"] for item in items}
                for item in items:
                    n = int(item["id"][1:])
                    await label(store, range(n, n + 1))
            assert (await client.get("/v1/brands/nobody/labels/next")).status_code == 404
            assert (await client.get("/v1/brands/globex/labels/next")).json()["items"] == []
        assert len(seen) >= 100
        assert {found.id for found in await labels.read(store, "acme") if found.drawn} == seen
        drawn = await relearn(store, "acme", 300, TIME, patience=0.05)
        assert drawn.correction is not None
        assert drawn.correction.spells[0].rates.negatives + drawn.correction.spells[0].rates.others == len(seen)

    with_store(store_url, body)


def test_labels_are_followed_once_for_each_change_and_once_a_day(store_url: str) -> None:
    async def body(store: Store) -> None:
        await labelled(store, 3)
        learning = Learning(store, At(), Lease(store, "me", "labels"))
        await learning.turn()
        first = await standing(store, "acme")
        assert first is not None
        assert (first.seen, first.labels) == (3, 3)
        await store.do("HSET", keys.CORRECTIONS, "acme", msgspec.json.encode(Standing(seen=3, at=TIME - 60, labels=77)))
        await learning.turn()
        assert (await standing(store, "acme") or first).labels == 77
        old = Standing(seen=3, at=TIME - 86_401, labels=77)
        await store.do("HSET", keys.CORRECTIONS, "acme", msgspec.json.encode(old))
        await learning.turn()
        assert (await standing(store, "acme") or old).labels == 3

    with_store(store_url, body)


async def decide(store: Store, found: Correction | None) -> None:
    await store.do("HSET", keys.CORRECTIONS, "acme", msgspec.json.encode(Standing(1, TICK, 140, found)))


def forgetful(ticker: Ticker, store: Store) -> None:
    """What a process reads of corrections stands for seconds: have it read them at the next tick."""
    ticker._watchers.corrections = Corrections(store)


def test_a_correction_of_a_calm_brand_shows_and_pages_nobody(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(TICK, TICK)
        assert (await state(store))["negative_share_corrected"] is None
        await talk(store, TICK - TICK % 60, 30, 1, "on")
        another = Correction((*CORRECTED.spells, Spell(TICK + 900, "own", RATES)), 0.3, 140)
        for minutes, found in ((5, CORRECTED), (10, another), (20, None)):
            await decide(store, found)
            forgetful(ticker, store)
            for later in range(60 * minutes, 60 * minutes + 300, 60):
                await ticker.tick(TICK + later, TICK + later)
            after = await state(store)
            assert after["negative_share"] == pytest.approx(0.21, abs=0.02)
            assert (after["negative_share_corrected"] is None) == (found is None)
            if found is not None:
                shown = after["negative_share_corrected"]
                assert shown["labels"] == 140
                assert shown["low"] <= shown["share"] <= shown["high"]
        assert await crises(store) == []

    with_store(store_url, body)


def test_the_past_and_the_present_are_mapped_alike_and_learned_anew_when_the_map_changes(store_url: str) -> None:
    async def body(store: Store) -> None:
        end = TICK - TICK % 86_400
        await counted(store, "acme", end, 10)
        minutes = Minutes(store, "acme")
        minutes.remember({b"x\x1ffirst": str(end - 864_000).encode(), b"x\x1flast": str(end - 60).encode()}, None)
        watcher = Watcher(store, Brand(name="acme", query="acme"), minutes, "")
        await watcher.learn(end)
        assert watcher.knows
        raw = await watcher.history(end)
        assert raw is not None
        watcher.corrected(CORRECTED)
        assert watcher.learns_at > end or watcher.correction is None
        same_until_learned = await watcher.history(end)
        assert same_until_learned is not None
        assert np.array_equal(raw[0]["x"].negative, same_until_learned[0]["x"].negative, equal_nan=True)  # type: ignore[arg-type]
        await watcher.learn(end)
        assert watcher.correction is CORRECTED
        mapped = await watcher.history(end)
        assert mapped is not None
        negative, scored, before = mapped[0]["x"].negative, mapped[0]["x"].scored, raw[0]["x"].negative
        assert negative is not None
        assert scored is not None
        assert before is not None
        wanted = (before.sum() - RATES.other * scored.sum()) / RATES.apart
        assert negative.sum() == pytest.approx(max(wanted, 0.0), abs=0.2 * scored.sum())
        assert not np.array_equal(negative, before)

    with_store(store_url, body)


def test_another_model_makes_the_watch_learn_before_it_is_used_and_more_labels_do_not(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await decide(store, CORRECTED)
        forgetful(ticker, store)
        await ticker.tick(TICK, TICK)
        watcher = ticker._watchers.get("acme")
        assert watcher is not None
        due = watcher.learns_at
        assert due > TICK
        watcher.corrected(Correction((Spell(0.0, "", Rates(0.7, 0.2, 0.04, 0.02, 80, 80)),), 0.3, 160))
        assert watcher.learns_at == due
        watcher.corrected(Correction((*CORRECTED.spells, Spell(TICK + 3600, "own", RATES)), 0.3, 300))
        assert watcher.learns_at == 0.0

    with_store(store_url, body)


def test_an_alert_says_by_how_many_labels_its_share_is_corrected(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await decide(store, CORRECTED)
        forgetful(ticker, store)
        await storm(store, ticker)
        (found,) = await crises(store)
        share = found.evidence["negative_share"]
        assert 0.0 < share["raw"] < 1.0
        assert share["corrected"]["labels"] == 140
        assert share["corrected"]["share"] > share["raw"]
        assert json.loads(found.model_dump_json())["evidence"]["negative_share"] == share

    with_store(store_url, body)


def test_a_brands_csv_holds_what_its_detectors_see(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(*said(range(60)))
        totals = []
        for found in (None, CORRECTED):
            await decide(store, found)
            assert await correction(store, "acme") == found
            async with serving(store, clock=At()) as client:
                lines = (await client.get("/v1/brands/acme/series.csv")).text.splitlines()[1:]
            totals.append(sum(float(line.split(",")[2] or 0) for line in lines))
        scored = sum(float(line.split(",")[3] or 0) for line in lines)
        assert scored > 50
        assert totals[1] == pytest.approx((totals[0] - RATES.other * scored) / RATES.apart, abs=4.0)

    with_store(store_url, body)
