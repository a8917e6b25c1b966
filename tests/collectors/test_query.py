import re
import string
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.query import MAX_LENGTH, MAX_TERM_LENGTH, MAX_TERMS, And, Or, Query, QueryError, Term, fold, parse

ANY_TEXT = st.text(alphabet=st.characters())
WORDS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=6).filter(
    lambda word: word not in {"and", "or", "not"}
)


def matches(query: str, text: str) -> bool:
    return parse(query).matches(fold(text))


def parsed(text: str) -> Query | QueryError:
    try:
        return parse(text)
    except QueryError as error:
        return error


def test_a_space_means_and_and_binds_before_or() -> None:
    tree = Query(Or((And((Term("acme"), Term("air"))), Term("acmeair"))))
    assert parse("acme air OR acmeair") == parse("acme AND air OR acmeair") == tree


def test_a_phrase_matches_its_words_in_order_however_they_are_spaced() -> None:
    assert matches('"acme air"', "flew ACME\n  Air today")
    assert not matches('"acme air"', "air by acme")
    assert not matches('"acme air"', "acme airlines")


@pytest.mark.parametrize("text", ["acme!", "#acme", "@acme", "(Acme)", "acme's", "acme-air", "ACME…", "acme/other"])
def test_a_word_matches_wherever_it_stands_whole(text: str) -> None:
    assert matches("acme", text)


@pytest.mark.parametrize("text", ["acmes", "pacme", "acme_air", "acme2", "éacme", "acme\u0335"])
def test_a_word_does_not_match_inside_another(text: str) -> None:
    assert not matches("acme", text)


def test_hashtags_and_handles_match_only_with_their_sign_and_not_inside_addresses() -> None:
    assert matches("#acme", "so #Acme!")
    assert not matches("#acme", "so acme and #acmeair")
    assert matches("@acme", "hey @ACME, hello")
    assert not matches("@acme", "write to help@acme.com")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("café", "CAFE\u0301"),
        ("straße", "STRASSE"),
        ("istanbul", "İSTANBUL"),
        ("yapı", "YAPI"),
        ("mcdonald's", "McDonald’s"),
        ("coca-cola", "Coca‑Cola"),
        ("acme", "ａｃｍｅ"),
        ("acme", "ac\u200bme"),
        ("最低", "この会社は最低だ"),
        ("삼성", "삼성이 최악"),
        ("iphone", "我的iPhone坏了"),
        ("🔥", "acme🔥🔥"),
        ("❤️", "I ❤ acme"),
    ],
)
def test_every_way_to_write_a_word_matches(query: str, text: str) -> None:
    assert matches(query, text)


@pytest.mark.parametrize(
    ("query", "column", "message", "expected"),
    [
        ("", 1, "empty", "a word"),
        ("  ", 1, "empty", "a word"),
        ("OR acme", 1, "OR stands", "a word"),
        ("acme OR", 8, "nothing follows OR", "a word"),
        ("acme OR AND air", 9, "AND stands", "a word"),
        ("acme NOT air", 6, "NOT", "AND and OR"),
        ("acme -air", 6, "NOT", "AND and OR"),
        ("acme NEAR/3 air", 6, "NEAR", "phrase"),
        ("acme (air)", 6, "parentheses", "AND and OR"),
        ("acme （air）", 6, "parentheses", "AND and OR"),
        ("acm*", 4, "wildcards", "each form"),
        ("acme lang:en", 10, "filters", "quotes"),
        ("$TSLA", 1, "cashtags", "quotes"),
        ("acme | air", 6, "not an operator", "OR"),
        ("acme or air", 6, "operator or a word", 'OR, or "or" in quotes'),
        ('acme "air', 6, "not closed", 'closing "'),
        ('acme ""', 6, "no letter", "a word"),
        ("acme & air", 6, "no letter", "a word"),
        ("x" * (MAX_TERM_LENGTH + 1), 1, "a term of 201", "at most 200"),
        ("x " * (MAX_LENGTH // 2 + 1), MAX_LENGTH + 1, "characters", "at most"),
        ("x " * (MAX_TERMS + 1), 2 * MAX_TERMS + 1, "more than 500 terms", "at most 500"),
    ],
)
def test_an_error_says_what_is_wrong_at_which_column_and_what_would_be_right(
    query: str, column: int, message: str, expected: str
) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert caught.value.column == column
    assert message in caught.value.message
    assert expected in caught.value.expected
    assert str(caught.value).startswith(f"column {column}: ")


def test_operators_in_quotes_are_words() -> None:
    assert matches('"or"', "now or never")
    assert matches('"50% (off):"', "only 50% (OFF): today")


@given(st.lists(st.lists(ANY_TEXT, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_query_of_any_phrases_prints_as_text_that_parses_to_the_same_query(branches: list[list[str]]) -> None:
    text = " OR ".join(" ".join(f'"{phrase}"' for phrase in branch) for branch in branches)
    query = parsed(text)
    assert isinstance(query, QueryError) or parse(str(query)) == query


@given(ANY_TEXT)
@example('＂acme＂ OR "b')
@example("¨acme")
@example("ACME\u2100")
def test_any_text_is_a_query_that_survives_printing_or_an_error_within_the_text(text: str) -> None:
    query = parsed(text)
    if isinstance(query, QueryError):
        assert 1 <= query.column <= len(text) + 1
    else:
        assert parse(str(query)) == query


@given(ANY_TEXT)
@example("I\u0307\u0301")
@example("ſ\u0307")
@example("\u0130\u2061\u0307")
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=3), st.lists(WORDS, max_size=12))
def test_ascii_queries_agree_with_words_looked_up_one_by_one(branches: list[list[str]], words: list[str]) -> None:
    query = parse(" OR ".join(" ".join(branch) for branch in branches))
    text = ", ".join(words)
    present = set(re.findall(r"\w+", text))
    assert query.matches(fold(text)) == any(all(word in present for word in branch) for branch in branches)


def test_folding_a_hundred_thousand_stacked_marks_takes_no_quadratic_time() -> None:
    start = time.perf_counter()
    assert fold("a" + "\u0301\u0323" * 50_000) == "a"
    assert time.perf_counter() - start < 2.0  # 10 s without the guard, 2 ms with it
