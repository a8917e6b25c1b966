import random
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.suspects import (
    BURST,
    COPIES,
    DOUBTFUL_NEAR_COPIES,
    HOUR,
    NEAR_COPIES,
    POSTS,
    Post,
    doubts_of,
    excluded,
    suspect,
    suspects,
)

AT = 1_760_000_400.0
"""A whole hour."""
APPEAL = "Northvane left our choir on the runway for six hours without water, do not fly with them until they apologise"
PERSON = {"id": "u1", "name": "Mette Dahl", "followers": 140}
NOBODY = {"id": "u2", "name": "mette48291736", "followers": 0}
PAIRS = list(product("abcdef", "uvwxyz"))


def post(number: int, text: str, *, author: dict[str, Any] | None = None, **change: Any) -> Post:
    somebody = author or {"id": f"a{number}", "name": f"anna_{number}", "followers": 200}
    return Post(**{"source": "x", "id": str(number), "at": AT + number, "text": text, "author": somebody, **change})


def test_an_account_alone_is_never_suspected() -> None:
    assert doubts_of(NOBODY, "x", AT) == {"empty account", "generated name"}
    assert suspect(NOBODY, "x", AT, spam=False) == frozenset()


def test_each_sign_is_a_reason_and_the_account_is_told_with_it() -> None:
    assert suspect(PERSON, "x", AT, spam=True) == {"links and tags"}
    assert suspect(PERSON, "x", AT, spam=False, copy=COPIES + 1) == {"copied text"}
    assert suspect(PERSON, "x", AT, spam=False, post=POSTS + 1) == {"posts too often"}
    assert suspect(PERSON, "x", AT, spam=False, near=NEAR_COPIES + 1) == {"copied text"}
    assert suspect(PERSON, "x", AT, spam=False, copy=COPIES, near=NEAR_COPIES, post=POSTS) == frozenset()
    assert suspect(NOBODY, "x", AT, spam=True) == {"links and tags", "empty account", "generated name"}


def test_a_doubtful_account_may_copy_less() -> None:
    assert "copied text" in suspect(NOBODY, "x", AT, spam=False, copy=2)
    assert "copied text" in suspect(NOBODY, "x", AT, spam=False, farmed=DOUBTFUL_NEAR_COPIES + 1)
    assert suspect(NOBODY, "x", AT, spam=False, near=NEAR_COPIES, farmed=DOUBTFUL_NEAR_COPIES) == frozenset()
    assert suspect(PERSON, "x", AT, spam=False, farmed=BURST) == frozenset()


@pytest.mark.parametrize(
    "name", ["maria48291736", "@maria48291736", "xk3j9q7w2", "bot_10293", "ab1cd2ef3g.bsky.example"]
)
def test_names_that_machines_propose_are_known(name: str) -> None:
    assert "generated name" in doubts_of({"id": "1", "name": name}, "x", AT)


@pytest.mark.parametrize(
    "name", ["", None, "Mette Dahl", "mette1987", "r2d2", "C3PO_fan", "김민수", "Area 51 Club 2024", "4ever2gether"]
)
def test_names_that_people_choose_are_not(name: str | None) -> None:
    assert doubts_of({"id": "1", "name": name, "followers": None}, "x", AT) == frozenset()


def test_the_age_of_an_account_is_read_from_its_number_where_the_network_counts_by_time() -> None:
    made = int((AT - 5 * 86_400 - 1_288_834_974.657) * 1000) << 22
    assert doubts_of({"id": str(made)}, "x", AT) == {"young account"}
    assert doubts_of({"id": str(made)}, "x", AT + 40 * 86_400) == frozenset()
    assert doubts_of({"id": str(made)}, "reddit", AT) == frozenset()
    assert doubts_of({"id": "12345"}, "x", AT) == frozenset()  # from before they counted so
    assert doubts_of({"id": "did:plc:abc"}, "x", AT) == frozenset()
    assert doubts_of(None, "x", AT) == frozenset()


def test_what_comes_after_the_third_copy_in_an_hour_is_suspected_and_other_texts_are_not() -> None:
    posts = [post(n, f"{APPEAL} {n}") for n in range(6)]
    posts += [post(10 + n, text) for n, text in enumerate(("never again", "what a day", "is the gate open"))]
    found = suspects(posts)
    assert found[:COPIES] == [frozenset()] * COPIES
    assert found[COPIES:6] == [frozenset({"copied text"})] * 3
    assert found[6:] == [frozenset()] * 3


def test_many_may_write_nearly_the_same_but_not_so_many() -> None:
    posts = [post(n, f"{APPEAL} #{a}{b}") for n, (a, b) in enumerate(PAIRS)]
    found = list(map(bool, suspects(posts)))
    assert not any(found[:NEAR_COPIES])
    assert sum(found) >= 0.6 * (len(posts) - NEAR_COPIES)


def test_near_copies_by_doubtful_accounts_are_one_voice_and_a_burst_of_them_is_none() -> None:
    few = [post(n, f"{APPEAL} #{'abcdefghi'[n] * 3}", author={**NOBODY, "id": f"u{n}"}) for n in range(9)]
    person = post(100, f"{APPEAL} #mine", author=PERSON)
    assert excluded([*few, person]) == [False] + [True] * 8 + [False]
    burst = [post(n, f"{APPEAL} #{a}{b}", author={**NOBODY, "id": f"u{n}"}) for n, (a, b) in enumerate(PAIRS)]
    out = excluded([*burst, person])
    assert all(out[:-1])
    assert not out[-1], "nobody's own word is taken out for what a farm writes like it"


def test_people_s_near_copies_are_told_and_count() -> None:
    posts = [post(n, f"{APPEAL} #{a}{b}") for n, (a, b) in enumerate(PAIRS)]
    assert any(suspects(posts))
    assert not any(excluded(posts))


def test_every_hour_counts_anew() -> None:
    posts = [post(n, APPEAL, at=AT + n * HOUR) for n in range(10)]
    assert suspects(posts) == [frozenset()] * 10


def test_reposts_are_voices_of_their_own_but_a_link_farm_stays_one() -> None:
    posts = [post(n, APPEAL, repost=True, author=PERSON) for n in range(20)]
    assert suspects(posts) == [frozenset()] * 20
    farm = " ".join(f"https://a.example/{n}" for n in range(6))
    assert suspects([post(1, farm, repost=True)]) == [{"links and tags"}]


def test_an_author_is_one_voice_in_an_hour_on_one_source() -> None:
    texts = [
        f"they {verb} my {thing}" for verb in ("lost", "broke", "sold", "ate") for thing in ("bag", "bike", "tent")
    ]
    posts = [post(n, text, author=PERSON) for n, text in enumerate(texts)]
    assert suspects(posts) == [frozenset()] * POSTS + [frozenset({"posts too often"})] * 2
    elsewhere = [post(n, text, author=PERSON, source=f"s{n % 2}") for n, text in enumerate(texts)]
    assert suspects(elsewhere) == [frozenset()] * 12
    articles = [post(n, text, author=PERSON, desk=True) for n, text in enumerate(texts)]
    assert suspects(articles) == [frozenset()] * 12
    nameless = [post(n, text, author={}) for n, text in enumerate(texts)]
    assert suspects(nameless) == [frozenset()] * 12


@given(st.randoms(use_true_random=False))
def test_the_order_in_which_posts_come_makes_no_difference(rng: random.Random) -> None:
    posts = [
        post(
            n, f"{APPEAL} {'#again ' * (n % 2)}{n}", author=rng.choice([PERSON, NOBODY, None]), at=AT + rng.randrange(5)
        )
        for n in range(15)
    ]
    expected = dict(zip([p.id for p in posts], suspects(posts), strict=True))
    rng.shuffle(posts)
    assert dict(zip([p.id for p in posts], suspects(posts), strict=True)) == expected


@given(st.lists(st.text(alphabet=st.characters()), max_size=8), st.text(), st.text(min_size=1))
def test_any_texts_and_authors_are_looked_at(texts: list[str], name: str, identity: str) -> None:
    posts = [post(n, text, author={"id": identity, "name": name, "followers": n}) for n, text in enumerate(texts)]
    assert len(suspects(posts)) == len(texts)
