import string
import time

from hypothesis import given
from hypothesis import strategies as st

from collectors.match import Matcher
from collectors.query import Query, QueryError, fold, parse

FEW_LETTERS = st.text("ab#@ é최低", min_size=1, max_size=8)
"""Few letters, so that terms nest, overlap and occur."""


def brands(texts: list[str]) -> dict[str, Query]:
    parsed: dict[str, Query] = {}
    for number, text in enumerate(texts):
        try:
            parsed[f"brand {number}"] = parse(text)
        except QueryError:
            continue
    return parsed


def test_a_text_may_be_about_several_brands_and_their_names_come_sorted() -> None:
    matcher = Matcher({"zeta": parse("air"), "acme": parse('"acme air"'), "other": parse("train")})
    assert matcher.match("Acme Air again") == ["acme", "zeta"]


def test_terms_that_hold_each_other_are_all_found() -> None:
    matcher = Matcher(
        {"short": parse("acme"), "long": parse('"acme air"'), "tag": parse("#acme"), "part": parse("acm")}
    )
    assert matcher.match("#acme air") == ["long", "short", "tag"]


def test_without_brands_nothing_matches() -> None:
    assert Matcher({}).match("acme") == []


def test_a_term_within_a_word_does_not_hide_the_same_term_later() -> None:
    assert Matcher({"acme": parse("acme")}).match("pacme acmes acme") == ["acme"]


def test_an_and_of_a_common_and_a_rare_word_needs_both() -> None:
    matcher = Matcher({"a": parse("the acme"), "b": parse("the bolt"), "c": parse("the OR acme bolt")})
    assert matcher.match("the acme") == ["a", "c"]
    assert matcher.match("acme bolt") == ["c"]
    assert matcher.match("acme") == []


@given(
    st.lists(st.lists(FEW_LETTERS, min_size=1, max_size=3).map(" ".join), max_size=6),
    st.lists(st.tuples(FEW_LETTERS, FEW_LETTERS).map(" OR ".join), max_size=6),
    st.lists(FEW_LETTERS, max_size=8).map(" ".join),
)
def test_all_brands_at_once_agree_with_each_query_alone(ands: list[str], ors: list[str], text: str) -> None:
    queries = brands(ands + ors)
    alone = sorted(name for name, query in queries.items() if query.matches(fold(text)))
    assert Matcher(queries).match(text) == alone


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_no_unicode_breaks_the_matcher_and_it_agrees_with_the_query(term: str, around: str) -> None:
    queries = brands([f'"{term}"', "acme"])
    text = around + term + around
    assert Matcher(queries).match(text) == [name for name, query in queries.items() if query.matches(fold(text))]


def test_a_brand_name_is_found_among_ten_thousand_at_once() -> None:
    names = [a + b + c + d for a in "bdfgklmnpr" for b in string.ascii_lowercase for c in "aeiou" for d in "stvwxzqj"]
    queries = {name: parse(f'{name} OR #{name} OR "{name} air" OR the {name}x') for name in names[:10_000]}
    matcher = Matcher(queries)
    text = "the plane of " + names[77] + " air is late, and " + names[999] + "s too"
    assert matcher.match(text) == [names[77]]
    start = time.perf_counter()
    for _ in range(100):
        matcher.match(text)
    assert time.perf_counter() - start < 0.5  # about 10 µs each; 5 ms each would be looking at every brand
