import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.explain import Explainer, told
from collectors.fold import fold
from collectors.query import parse


def shown(query: str, text: str) -> dict[str, list[str]]:
    """By term: the parts of the text that are said to be it."""
    found = Explainer(parse(query)).explain(text).found
    return {one.term: [text[start:end] for start, end in one.spans] for one in found}


def test_every_term_that_stands_is_told_with_its_places_as_written() -> None:
    text = "  ACME Air \n lost my bag, acme!  No refunds "
    assert shown('acme OR "acme air" OR refund* OR train', text) == {
        "acme": ["ACME", "acme"],
        '"acme air"': ["ACME Air"],
        "refund*": ["refund"],
    }


@pytest.mark.parametrize(
    ("query", "text", "spans"),
    [
        ("straße", "in der STRASSE", ["STRASSE"]),
        ("strasse", "in der Straße!", ["Straße"]),
        ("café", "ein Cafe\u0301 hier", ["Cafe\u0301"]),
        ("acme", "x ac\u200bme\u200b y", ["ac\u200bme\u200b"]),
        ("istanbul", "İSTANBUL, I\u0307stanbul", ["İSTANBUL", "I\u0307stanbul"]),
        ("最低", "この会社は最低だ", ["最低"]),
        ("가", "x 가", ["가"]),
        ("ガ", "x ｶﾞ", ["ｶﾞ"]),
        ("👍", "ok 👍🏽", ["👍🏽"]),
        ("❤️", "I ❤️ acme", ["❤️"]),
        ('"a b"', "…a \t\u3000 b…", ["a \t\u3000 b"]),
        ("{Acme}", "acme ＡＣＭＥ Ａcme", ["Ａcme"]),
    ],
)
def test_places_are_those_of_the_text_as_written(query: str, text: str, spans: list[str]) -> None:
    assert list(shown(query, text).values()) == [spans]


def test_what_excludes_is_told_as_such_and_filters_have_no_places() -> None:
    explainer = Explainer(parse("acme source:x NOT (air OR bus)"))
    assert told(explainer.explain("acme air", {"source": "x"})) == {
        "matches": False,
        "found": [
            {"term": "acme", "spans": [[0, 4]]},
            {"term": "source:x"},
            {"term": "air", "spans": [[5, 8]], "excludes": True},
        ],
    }
    assert explainer.explain("acme").matches is False


def test_a_near_is_told_where_it_holds_and_its_words_wherever_they_stand() -> None:
    assert shown("acme NEAR/2 late", "acme is late") == {"acme NEAR/2 late": [], "acme": ["acme"], "late": ["late"]}
    assert shown("acme NEAR/1 late", "acme is late") == {"acme": ["acme"], "late": ["late"]}


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_what_is_shown_folds_to_the_term(before: str, after: str) -> None:
    text = f"{before} Acme {after}"
    for part in shown("acme", text).get("acme", []):
        assert fold(part) == "acme"
