"""What an alert shows is told by the mentions that are kept: terms, first and loudest posts, and what is suspected."""

import itertools
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.annotate import annotate
from collectors.near_copies import BANDS
from service.clock import posix
from service.evidence import gather, suspicion
from service.row import row
from service.search import kept
from service.store import Store
from tests.service.live import with_store
from tests.service.test_counting import count
from tests.service.test_ticker import NOW, crises, talk, watched

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
SMALL = ("is", "the", "in", "to", "for", "my", "was", "on", "a", "with", "and", "it")
NOUNS = ("lounge", "Sunday", "flight", "Rome", "coffee", "time", "view", "Alps", "dog", "cabin", "seat", "crew", "bag")
ANGRY = (
    "awful, acme staff dragged a doctor off the plane",
    "I saw the doctor bleeding, acme is a disgrace, horrible",
    "why was a doctor dragged from his seat, I hate acme",
    "disgusting video of the doctor, shame on acme",
    "the worst airline, acme let a doctor be beaten",
)
APPEAL = "never fly acme again until the board resigns and pays every passenger of the last horrible year"
_number = itertools.count()


def mention(text: str, at: datetime, **change: Any) -> dict[str, Any]:
    number = next(_number)
    author = {"id": f"u{number}", "name": f"anna_{number}", "followers": 50 + number}
    base = {"id": str(number), "source": "x", "text": text, "published_at": at.isoformat(), "author": author}
    return {**base, **change}


async def post(store: Store, mentions: Iterable[dict[str, Any]]) -> None:
    await count(store, *(row("acme", m, annotate(m["text"])) for m in mentions), now=posix(START.isoformat()))


def every(seconds: float, texts: Iterable[str], start: datetime = START, **change: Any) -> list[dict[str, Any]]:
    return [mention(text, start + timedelta(seconds=n * seconds), **change) for n, text in enumerate(texts)]


def ordinary(number: int) -> str:
    rng = random.Random(number)
    return " ".join(["acme", *(f"{rng.choice(SMALL)} {rng.choice(NOUNS)}" for _ in range(5))])


def quiet() -> list[dict[str, Any]]:
    """A day of talk in which no two texts are alike."""
    return every(600, map(ordinary, range(100)), START - timedelta(hours=20))


async def evidence(store: Store, angry: bool = False, hours: float = 1.0) -> dict[str, Any]:
    start = START.timestamp()
    return await gather(store, "acme", "acme", start, start + hours * 3600, angry)


def test_without_copies_nothing_is_suspected_and_an_alert_says_nothing_of_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        await post(store, quiet() + every(60, ANGRY * 3))
        suspected = (await evidence(store))["suspected"]
        assert suspected["of"] == 15
        assert suspicion({"suspected": {**suspected, "share": 0.04}}) == ""
        await post(store, every(60, map(ordinary, range(4))))
        assert (await evidence(store))["suspected"]["of"] == 19

    with_store(store_url, body)


def test_near_copies_are_a_share_with_reasons_and_texts_and_the_alert_says_so(store_url: str) -> None:
    async def body(store: Store) -> None:
        copies = [f"{APPEAL} @user{n} {n}" for n in range(20)]
        await post(store, quiet() + every(60, ANGRY) + every(7, copies))
        found = await evidence(store)
        suspected = found["suspected"]
        assert (suspected["mentions"], suspected["of"], suspected["share"]) == (17, 25, 0.68)
        assert suspected["reasons"] == {"copied text": 17}
        assert len(suspected["texts"]) == 1
        assert suspected["texts"][0].startswith("never fly acme")
        assert suspicion(found) == "68 % of 25 posts look coordinated or like spam: 17 copy a text"

    with_store(store_url, body)


def test_accounts_are_told_beside_the_reasons(store_url: str) -> None:
    async def body(store: Store) -> None:
        farm = [
            mention(
                f"{APPEAL} #{'abcdefghi'[n] * 3}",
                START,
                author={"id": f"b{n}", "name": f"joe{10_000 + n}", "followers": 0},
            )
            for n in range(9)
        ]
        await post(store, farm)
        reasons = (await evidence(store))["suspected"]["reasons"]
        assert reasons == {"copied text": 8, "empty account": 8, "generated name": 8}

    with_store(store_url, body)


def test_the_reason_of_an_alert_says_which_part_is_suspected(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        await talk(store, NOW - NOW % 60, 10, 20, APPEAL)
        await ticker.tick(NOW + 600, NOW + 600)
        (found,) = await crises(store)
        ends = (
            f"{100 * found.evidence['suspected']['share']:.0f} % of {found.evidence['mentions']} posts look coordinated"
        )
        assert f"; {ends} or like spam: " in found.reason
        assert found.evidence["suspected"]["share"] > 0.8
        assert all("% of" in (told.note or "") for told in found.log if told.type != "episode.updated")

    with_store(store_url, body)


def test_reposts_are_voices_of_their_own_and_an_article_is_from_a_desk(store_url: str) -> None:
    async def body(store: Store) -> None:
        reposts = every(5, [f"RT @anna: {APPEAL}"] * 20, repost_of="1")
        paper = {"id": "paper", "name": "The Paper"}
        papers = every(5, map(ordinary, range(20)), kind="article", source="feed", author=paper)
        await post(store, reposts + papers)
        assert (await evidence(store))["suspected"]["mentions"] == 0

    with_store(store_url, body)


def test_an_episode_whose_mentions_are_gone_has_no_share(store_url: str) -> None:
    async def body(store: Store) -> None:
        found = await evidence(store)
        assert found["suspected"] == {"share": None, "mentions": 0, "of": 0, "reasons": {}, "texts": [], "posts": []}
        assert suspicion(found) == ""
        assert suspicion({}) == ""  # of an episode from before it was told

    with_store(store_url, body)


def test_a_row_says_by_what_copies_are_known_and_whether_its_author_is_doubtful() -> None:
    said = mention(APPEAL, START, author={"id": "b", "name": "joe48213", "followers": 0})
    found = row("acme", said, annotate(APPEAL))
    assert found.signature == row("acme", said, annotate(f"{APPEAL} #1 @anna")).signature > 0
    assert (found.doubtful, row("acme", mention(APPEAL, START), annotate(APPEAL)).doubtful) == (1, 0)
    assert len(found.near.split()) == BANDS
    assert row("acme", mention(APPEAL, START), annotate(APPEAL)).near == "", "of others it costs nothing"
    repost = row("acme", {**said, "repost_of": "1"}, annotate(APPEAL))
    assert (repost.signature, repost.near) == (0, "")


@pytest.mark.parametrize("angry", [False, True])
def test_terms_are_of_distinct_texts_so_that_copies_do_not_drown_what_people_say(store_url: str, angry: bool) -> None:
    async def body(store: Store) -> None:
        flood = every(3, [f"{APPEAL} https://a.example/{n}" for n in range(60)])
        await post(store, quiet() + every(60, ANGRY) + flood)
        found = await evidence(store, angry)
        terms = {term["term"]: term for term in found["top_terms"]}
        assert terms["doctor"]["count"] == len(ANGRY)
        assert not {"board", "resigns", "board resigns"} & set(terms)
        assert "acme" not in terms
        assert "doctor" in found["first_mentions"][0]["text"]

    with_store(store_url, body)


def test_where_all_is_one_text_its_terms_are_told_all_the_same(store_url: str) -> None:
    async def body(store: Store) -> None:
        await post(store, quiet() + every(3, [f"RT @anna: {APPEAL}"] * 60, repost_of="1"))
        assert any("resigns" in term["term"] for term in (await evidence(store))["top_terms"])

    with_store(store_url, body)


def test_authors_sources_and_languages_are_told_the_most_frequent_first(store_url: str) -> None:
    async def body(store: Store) -> None:
        loud = {"id": "loud", "name": "Loud", "followers": 9}
        await post(store, every(60, ANGRY[:3], author=loud) + every(60, ANGRY[3:], source="reddit"))
        found = await evidence(store)
        assert found["top_authors"][0] == {**loud, "mentions": 3}
        assert found["sources"] == {"x": 3, "reddit": 2}
        assert found["languages"]["en"] >= 4
        assert found["mentions"] == 5
        assert len(await kept(store, "acme", 0.0, 2e9, 100)) == 5

    with_store(store_url, body)
