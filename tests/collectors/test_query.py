import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.match import Matcher
from collectors.query import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, Query, QueryError, parse
from collectors.query_tree import And, Cased, Not, Or, Phrase, Prefix, Term
from collectors.reading import MAX_TERM_LENGTH

ANY_TEXT = st.text(alphabet=st.characters())
WORDS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=6).filter(
    lambda word: word not in {"and", "or", "not"}
)


def matches(query: str, text: str) -> bool:
    return bool(Matcher({"": parse(query)}).match(text))


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
        ("NOT air", 1, "whatever is not excluded", "beside NOT"),
        ("acme OR NOT air", 1, "whatever is not excluded", "beside NOT"),
        ("acme (-air OR NOT bus) OR (NOT train)", 1, "whatever is not excluded", "beside NOT"),
        ("acme NOT", 9, "nothing follows NOT", "a word"),
        ("acme - air", 6, "a - stands alone", "-word"),
        ("acme -", 6, "a - stands alone", "-word"),
        ("acme NOT OR air", 10, "OR stands", "a word"),
        ("acme NEAR air", 6, "how near", "NEAR/5"),
        ("acme NEAR/0 air", 6, "how near", "from 1 to 100"),
        ("acme NEAR/101 air", 6, "how near", "from 1 to 100"),
        ("NEAR/3 air", 1, "NEAR/3 stands", "a word"),
        ("acme NEAR/3", 12, "nothing follows NEAR/3", "a word"),
        ("acme NEAR/3 air NEAR/3 bus", 17, "two sides", "AND"),
        ("acme NEAR/3 (air bus)", 13, "NEAR joins words", "(acme OR @acme)"),
        ("(acme -air) NEAR/3 bus", 1, "NEAR joins words", "(acme OR @acme)"),
        ("acme NEAR/3 source:x", 13, "NEAR joins words", "(acme OR @acme)"),
        ("acme (air", 6, "not closed", "a closing )"),
        ("acme (", 7, "not closed", "a closing )"),
        ("acme () air", 7, ") stands", "a word"),
        ("acme (OR air)", 7, "OR stands", "a word"),
        ("acme) air", 5, "without its (", "pairs"),
        ("a" + "(" * (MAX_DEPTH + 1), MAX_DEPTH + 2, "more than 32", "at most 32"),
        ("a " + "NOT " * (MAX_DEPTH + 1) + "b", 4 * MAX_DEPTH + 3, "more than 32", "at most 32"),
        ("ac*", 1, "too much", "at least 3 letters"),
        ("acme a*me", 7, "word's end", "refund*"),
        ("*acme", 1, "word's end", "refund*"),
        ("acme {Air", 6, "not closed", "{Apple}"),
        ("acme} air", 5, "without its {", "{Apple}"),
        ('acme {"Air"}', 6, "within braces", "{New York}"),
        ("acme {}", 6, "no letter", "a word"),
        ("acme | air", 6, "not an operator", "OR"),
        ("acme||air", 5, "not an operator", "OR"),
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


def test_not_and_a_leading_minus_exclude() -> None:
    tree = Query(And((Term("acme"), Not(Term("air")))))
    assert parse("acme NOT air") == parse("acme AND NOT air") == parse("acme -air") == parse("acme –air") == tree
    assert parse('acme -"air bus" -(a OR b)').root == And(
        (Term("acme"), Not(Term("air bus")), Not(Or((Term("a"), Term("b")))))
    )
    assert parse("acme-air") == Query(Term("acme-air"))
    assert matches("acme -air", "acme bus")
    assert not matches("acme -air", "acme, by air")


def test_parentheses_group_and_may_be_written_wide() -> None:
    tree = Query(And((Term("acme"), Or((Term("air"), Term("bus"))))))
    assert parse("acme (air OR bus)") == parse("acme（air OR bus）") == parse("((acme) AND ((air) OR bus))") == tree
    assert str(tree) == "acme AND (air OR bus)"


def test_a_wildcard_stands_for_any_end_of_a_word_and_for_none() -> None:
    assert parse("refund*") == Query(Prefix("refund"))
    assert all(matches("refund*", text) for text in ("refund", "Refunds!", "no refunding", "#refunded"))
    assert not matches("refund*", "prerefunds")
    assert not matches("#refund*", "refunds")
    assert matches("#refund*", "#refunds")


def test_a_wildcard_in_a_phrase_ends_one_of_its_words() -> None:
    assert parse('"acme air*"') == Query(Prefix("acme air"))
    assert parse('"complain* about acme"') == Query(Phrase((Prefix("complain"), Term("about acme"))))
    assert matches('"complain* about acme"', "many complaints about Acme")
    assert not matches('"complain* about acme"', "complaints, said acme, about acme")
    assert not matches('"complain* about acme"', "about acme complaints")


@pytest.mark.parametrize("phrase", ["f*** off", "f* you", "m*a*s*h", "* acme", "🔥* acme"])
def test_a_star_in_quotes_that_is_no_wildcard_means_itself(phrase: str) -> None:
    assert parse(f'"{phrase}"') == Query(Term(phrase))
    assert matches(f'"{phrase}"', f"they said {phrase}!")


def test_words_in_braces_match_only_as_written() -> None:
    assert parse("{Apple  Inc}") == Query(Cased("Apple Inc"))
    assert matches("{Apple}", "new Apple phone")
    assert not matches("{Apple}", "an apple, an APPLE, Apples")
    assert matches("{Straße}", "STRASSE und Straße")
    assert not matches("{Straße}", "STRASSE")
    assert matches("pie -{Apple}", "apple pie")
    assert not matches("pie -{Apple}", "Apple pie")


@pytest.mark.parametrize(
    ("query", "text", "near"),
    [
        ("acme NEAR/1 air", "acme air", True),
        ("acme NEAR/1 air", "air -- acme!", True),
        ("acme NEAR/1 air", "acme by air", False),
        ("acme NEAR/2 air", "acme by air", True),
        ("acme NEAR/2 #air", "acme by #air", True),
        ("acme NEAR/1 #air", "acme by #air", False),
        ("acme NEAR/1 🔥", "acme 🔥", True),
        ("acme NEAR/1 air", "acme 🔥 air", False),
        ('"acme air" NEAR/2 late', "late with acme air", True),
        ('"acme air" NEAR/1 air', "acme air", False),
        ('"acme air" NEAR/1 air', "air acme air", True),
        ("(acme OR @acme) NEAR/3 (late OR delay*)", "so delayed again @Acme", True),
        ("{Acme} NEAR/1 air", "acme air Acme", True),
        ("{Acme} NEAR/1 air", "acme air by Acme", False),
        ('"complain* about" NEAR/1 acme', "complaints about acme", True),
        ("最 NEAR/2 低", "最x低", True),
        ("最 NEAR/1 低", "最x低", False),
        ("straße NEAR/2 ende", "STRASSE am Ende", True),
    ],
)
def test_near_counts_words_in_either_order(query: str, text: str, near: bool) -> None:
    assert matches(query, text) == near


def test_cashtags_match_with_their_sign() -> None:
    assert matches("$tsla", "sold $TSLA today")
    assert not matches("$tsla", "sold tsla and $tslaq")


def test_more_terms_that_end_alike_than_can_be_meant_are_refused() -> None:
    words = [" ".join(["ha"] * n) for n in range(1, 10)]
    assert parse(" OR ".join(f'"{word}"' for word in words[:8]))
    with pytest.raises(QueryError, match="9 terms end alike"):
        parse(" OR ".join(f'"{word}"' for word in words))


def test_operators_in_quotes_are_words() -> None:
    assert matches('"or"', "now or never")
    assert matches('"50% (off):"', "only 50% (OFF): today")


@given(st.lists(st.lists(ANY_TEXT, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_query_of_any_phrases_prints_as_text_that_parses_to_the_same_query(branches: list[list[str]]) -> None:
    text = " OR ".join(" ".join(f'"{phrase}"' for phrase in branch) for branch in branches)
    query = parsed(text)
    assert isinstance(query, QueryError) or parse(str(query)) == query


PIECES = [
    *'*"(){}:-|7#$（＊：ıＡ¨   ',
    "acme",
    "air",
    "ab",
    "/3",
    "NEAR/2",
    "OR",
    "AND",
    "NOT",
    "source:",
    "followers:>",
]


@given(st.one_of(ANY_TEXT, st.lists(st.sampled_from(PIECES), max_size=14).map("".join)))
@example('＂acme＂ OR "b')
@example("¨acme")
@example("ACME\u2100")
@example("00¨0*")
@example('"a:bcd* -efg* and" {Ａ Ｂ}')
def test_any_text_is_a_query_that_survives_printing_or_an_error_within_the_text(text: str) -> None:
    query = parsed(text)
    if isinstance(query, QueryError):
        assert 1 <= query.column <= len(text) + 1
    else:
        assert parse(str(query)) == query
        assert str(parse(str(query))) == str(query)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=3), st.lists(WORDS, max_size=12))
def test_ascii_queries_agree_with_words_looked_up_one_by_one(branches: list[list[str]], words: list[str]) -> None:
    query = parse(" OR ".join(" ".join(branch) for branch in branches))
    text = ", ".join(words)
    present = set(re.findall(r"\w+", text))
    assert bool(Matcher({"": query}).match(text)) == any(all(word in present for word in branch) for branch in branches)
