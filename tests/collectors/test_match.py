import string
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collectors.fold import fold, fold_cased, holds_whole
from collectors.match import TOGETHER, Matcher
from collectors.query import MAX_TERMS, Query, QueryError, parse
from collectors.query_tree import Node, Or, Term, asks
from collectors.reading import MAX_PLACES, PIECE
from tests.collectors import naive

FEW_LETTERS = st.text("ab#@ é최低", min_size=1, max_size=8)
"""Few letters, so that terms nest, overlap and occur."""


CASED = [
    "Acme", "ACME", "acme", "É", "é", "E\u0301", "Straße", "STRASSE", "ΑΣ", "ας", "İl", "ıl", "\u212a", "K", "k", "ﬁ",
]  # fmt: skip
"""Words whose folded form is longer, shorter or another letter, where case is no longer told by the place."""


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


def stand(query: Query, text: str) -> bool:
    """Look each term up alone; for queries of words joined by OR, and by AND where there is none."""
    found = [holds_whole(fold(text), leaf.text) for leaf in query.root.leaves() if isinstance(leaf, Term)]
    return any(found) if isinstance(query.root, Or) else all(found)


@given(
    st.lists(st.lists(FEW_LETTERS, min_size=1, max_size=3).map(" ".join), max_size=6),
    st.lists(st.tuples(FEW_LETTERS, FEW_LETTERS).map(lambda two: f'"{two[0]}" OR "{two[1]}"'), max_size=6),
    st.lists(FEW_LETTERS, max_size=8).map(" ".join),
)
def test_all_brands_at_once_agree_with_each_term_looked_up_alone(ands: list[str], ors: list[str], text: str) -> None:
    queries = brands(ands + ors)
    assert Matcher(queries).match(text) == sorted(name for name, query in queries.items() if stand(query, text))


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_no_unicode_breaks_the_matcher_and_it_agrees_with_the_term(term: str, around: str) -> None:
    queries = brands([f'"{term}"', "acme"])
    text = around + term + around
    alone = [name for name, query in queries.items() if isinstance(query.root, Term) and stand(query, text)]
    assert [name for name in Matcher(queries).match(text) if isinstance(queries[name].root, Term)] == alone


@given(
    st.lists(st.lists(FEW_LETTERS, min_size=1, max_size=3).map(" ".join), max_size=6),
    st.lists(
        st.lists(FEW_LETTERS | st.sampled_from(["É", "\n", " ", "A", "\u200b"]), max_size=9).map(" ".join), max_size=40
    ),
    st.booleans(),
)
def test_many_mentions_together_match_what_each_matches_alone(ands: list[str], texts: list[str], asking: bool) -> None:
    queries = brands([*ands, "source:x"] if asking else ands)
    mentions = [{"text": text, "source": "xy"[n % 2]} for n, text in enumerate([*texts, "a b " * PIECE])]
    matcher = Matcher(queries)
    assert matcher.match_all(mentions) == [matcher.match(m["text"], m) for m in mentions]


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(naive.trees.filter(asks), min_size=1, max_size=4), st.lists(naive.texts, max_size=20))
def test_random_trees_hold_of_many_mentions_together_as_of_each_alone(
    roots: list[Node], texts: list[list[str]]
) -> None:
    matcher = Matcher({str(root): parse(str(root)) for root in roots})
    mentions = [{"text": " ".join(words), "language": "en"} for words in texts]
    assert matcher.match_all(mentions) == [matcher.match(m["text"], m) for m in mentions]


def test_many_long_mentions_together_forget_no_place_of_any() -> None:
    matcher = Matcher({"acme": parse("acme"), "near": parse("acme NEAR/1 late")})
    mentions = [{"text": "acme " * (PIECE // 5 - 2) + "late"}] * TOGETHER
    assert len(mentions[0]["text"]) <= PIECE
    assert matcher.match_all(mentions) == [matcher.match(mentions[0]["text"])] * TOGETHER


@example(["Acme"], ["Straße", "Acme", "J\u030c"])  # as long as its folded form, and other places
@given(st.lists(st.sampled_from(CASED), min_size=1, max_size=3), st.lists(st.sampled_from([*CASED, "-"]), max_size=6))
def test_case_is_compared_as_in_the_text_as_written(term: list[str], around: list[str]) -> None:
    written, text = " ".join(term), " ".join(around)
    stands = holds_whole(fold_cased(text), fold_cased(written))
    matcher = Matcher({"acme": parse(f"{{{written}}}")})
    assert matcher.match(text) == ["acme"] * stands
    assert matcher.match(text + "\u200b \n x") == ["acme"] * stands


def test_case_is_compared_at_each_place_of_a_long_text_and_where_only_a_word_begins_it_is_not() -> None:
    assert Matcher({"acme": parse("{Acme}")}).match("acme " * (MAX_PLACES + PIECE) + "Acme") == ["acme"]
    assert Matcher({"acm": parse("{Acm}"), "begun": parse("acm*")}).match("Acme acm") == ["begun"]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(naive.trees, min_size=1, max_size=4), naive.texts, naive.mentions)
def test_random_trees_agree_with_a_naive_evaluator(roots: list[Node], words: list[str], said: dict[str, Any]) -> None:
    said = {"language": "en", **said}
    asking = {f"brand {n}": root for n, root in enumerate(roots) if asks(root)}
    queries = {name: parse(str(root)) for name, root in asking.items()}
    expected = [name for name, root in asking.items() if naive.holds(root, words, said)]
    assert Matcher(queries).match(" ".join(words), said) == expected
    assert Matcher(queries).match(",\n ".join(words), said) == expected or any('"' in str(r) for r in roots)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(naive.trees)
def test_a_random_tree_prints_as_text_that_parses_to_the_same_tree(root: Node) -> None:
    if not asks(root):
        with pytest.raises(QueryError, match="not excluded"):
            parse(str(root))
        return
    query = parse(str(root))  # ANDs within ANDs become one
    assert parse(str(query)) == query


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


def test_brands_that_only_filters_find_are_found() -> None:
    queries = ["source:reddit", "author:@Jane -spam", "kind:ticket followers:<10", "lang:de", "url:acme.com", "acme"]
    matcher = Matcher({query: parse(query) for query in queries})
    assert matcher.match("nothing") == []
    jane = {"source": "reddit", "author": {"id": "7", "name": "JANE", "followers": 10}, "kind": "ticket"}
    assert matcher.match("nothing", jane) == ["author:@Jane -spam", "source:reddit"]
    assert matcher.match("spam", jane) == ["source:reddit"]
    assert matcher.match("", {"kind": "ticket", "author": {"id": "7", "followers": 9}}) == ["kind:ticket followers:<10"]
    assert matcher.match("x", {"url": "http://www.acme.com/help", "language": "de-AT"}) == ["lang:de", "url:acme.com"]
    assert matcher.match("x", {"url": "http://notacme.com/"}) == []


def test_a_language_that_nobody_said_is_guessed() -> None:
    matcher = Matcher({"acme": parse("acme lang:de")})
    assert matcher.match("Der Flug mit Acme war schon wieder um drei Stunden verspätet") == ["acme"]
    assert matcher.match("The flight with Acme was late by three hours once again") == []


def test_what_a_mention_does_not_say_holds_no_filter() -> None:
    matcher = Matcher({query: parse(query) for query in ("acme followers:>=0", "acme -followers:>=0", "acme source:x")})
    assert matcher.match("acme", {"author": None, "source": None}) == ["acme -followers:>=0"]


def test_terms_across_the_pieces_of_a_long_text_are_found() -> None:
    matcher = Matcher({"phrase": parse('"acme air"'), "near": parse("acme NEAR/1 air*"), "cased": parse("{Acme AIR}")})
    for before in range(PIECE - 10, PIECE + 2):
        text = "x" * (before - 1) + " Acme AIR " + "y" * PIECE
        assert matcher.match(text) == ["cased", "near", "phrase"]
        assert matcher.match(text.replace("Acme", "macme")) == []


def test_near_looks_at_the_first_thousand_places_of_a_term() -> None:
    matcher = Matcher({"near": parse("acme NEAR/1 air")})
    for places in (MAX_PLACES, MAX_PLACES + 1):
        text = "acme by " * (places - 1) + "acme air"
        assert matcher.match(text) == (["near"] if places == MAX_PLACES else [])


def test_a_word_that_all_brands_watch_costs_no_more_where_a_text_repeats_it() -> None:
    matcher = Matcher({f"{n}": parse(f"(acme OR air{n}) -bus") for n in range(4_000)})
    matcher.match("acme")
    start = time.process_time()
    assert len(matcher.match("acme " * 1_600)) == 4_000
    assert time.process_time() - start < 0.1  # some 5 ms; adding all brands at each place takes 0.2 s


def worst_queries() -> dict[str, str]:
    """Queries at the limits of the language, each with the text that costs it the most."""
    ends = [" ".join(["a"] * n) for n in range(1, 9)]
    return {
        " OR ".join(f'"{end}"' for end in ends): "a " * 50_000,
        " OR ".join(f"{'a' * n}*" for n in range(3, 11)): "a" * 100_000,
        " OR ".join(f"(a OR b) NEAR/{n % 100 + 1} (c OR d)" for n in range(MAX_TERMS // 4)): (
            "a b " * 1_000 + "x " * 200 + "c d " * 1_000
        ),
        " AND ".join(["{Acme}"] * MAX_TERMS): "acme " * 20_000,
    }


@pytest.mark.parametrize("text", ["acme" * 25_000, "acme " * 20_000, "#acme late " * 9_000, "最低acme" * 16_000])
def test_no_text_is_slow_for_queries_as_brands_have_them(text: str) -> None:
    queries = {f"{n}": parse(f'acme{n} OR ("acme air" OR #acme) -bus OR acme NEAR/5 delay{n}*') for n in range(50)}
    matcher = Matcher({**queries, "acme": parse("acme NEAR/5 (delay* OR refund*)")})
    start = time.process_time()
    matcher.match(text)
    assert time.process_time() - start < 0.5  # at most 50 ms


@pytest.mark.parametrize("number", range(len(worst_queries())))
def test_no_query_within_the_limits_is_slow_whatever_the_text(number: int) -> None:
    query, text = list(worst_queries().items())[number]
    matcher = Matcher({"worst": parse(query)})
    start = time.process_time()
    matcher.match(text)
    assert time.process_time() - start < 5.0  # at most 0.9 s; without the limits minutes, and gigabytes
