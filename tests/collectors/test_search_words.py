import pytest

from collectors.collector import CollectorError
from collectors.match import Matcher
from collectors.query import parse
from collectors.search_words import MAX_ALTERNATIVES, search_words

KINDS = frozenset({"post", "comment"})


def words(query: str) -> list[list[str]]:
    return search_words(parse(query), "hackernews", KINDS, "Hacker News")


@pytest.mark.parametrize(
    ("query", "alternatives"),
    [
        ("acme", [["acme"]]),
        ("Acme OR #AcmeFail OR @acmeair", [["acme"], ["acmeair"], ["acmefail"]]),
        ('"acme air" OR acme', [["acme"]]),
        ('"acme air" (late OR lost)', [["acme air", "late"], ["acme air", "lost"]]),
        ("acme NOT bus", [["acme"]]),
        ("acme refund*", [["acme"]]),
        ('"acme complain*" -job', [["acme"]]),
        ('"acme air" acme (air OR bus)', [["acme air"]]),
        ('"complain* about acme"', [["about acme"]]),
        ("{Apple} NEAR/3 (late OR lost)", [["apple", "late"], ["apple", "lost"]]),
        ("acme NEAR/3 refund*", [["acme"]]),
        ("acme lang:en followers:>10 author:jane url:acme.com", [["acme"]]),
        ("(acme source:reddit) OR (bravo source:hackernews) OR (cargo kind:ticket)", [["bravo"]]),
        ("acme -source:reddit", [["acme"]]),
        ("(acme -source:hackernews) OR bravo", [["bravo"]]),
        ("acme (😡 OR late)", [["acme"]]),
        ('"is:answer [acme]" OR "-5 C#"', [["5 c"], ["is answer acme"]]),
        ("東京電力", [["東京電力"]]),
    ],
)
def test_a_query_becomes_alternatives_of_words_that_stand_together(query: str, alternatives: list[list[str]]) -> None:
    assert words(query) == alternatives


@pytest.mark.parametrize("query", ["refund*", "acme OR refund*", "lang:en", "source:hackernews", "😡 OR acme"])
def test_what_no_words_find_is_refused_rather_than_missed(query: str) -> None:
    with pytest.raises(CollectorError, match="Hacker News can be searched for whole words alone"):
        words(query)


@pytest.mark.parametrize("query", ["acme source:reddit", "acme kind:ticket", "acme -source:hackernews"])
def test_a_query_that_no_post_of_the_source_can_match_says_so(query: str) -> None:
    with pytest.raises(CollectorError, match="matches no post of Hacker News"):
        words(query)


def test_too_many_alternatives_are_refused_and_a_conjunction_is_asked_for_by_its_shorter_part() -> None:
    many = " OR ".join(f"word{number}" for number in range(MAX_ALTERNATIVES + 1))
    with pytest.raises(CollectorError, match=f"asked for {MAX_ALTERNATIVES + 1} alternatives"):
        words(many)
    assert words(f"acme ({many})") == [["acme"]]
    assert words(f"(acme OR bravo) ({many})") == [["acme"], ["bravo"]]


TEXTS = [
    "Acme Air lost my bag", "acme is late again", "#acmefail what a day", "I want a refund, Acme!", "refunds for bravo",
    "Apple pie", "The Apple of my eye is late", "complaints about acme", "bus to nowhere, acme", "bravo and cargo",
]  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        'acme (refund* OR "lost my bag") -bus',
        "(acme OR bravo) (refund OR refunds OR cargo)",
        '{Apple} NEAR/9 late OR "complain* about acme"',
        "#acmefail OR (acme NOT (late OR bus))",
        "bravo OR (acme kind:post) OR (apple -kind:ticket)",
    ],
)
def test_every_text_that_matches_holds_all_words_of_an_alternative(query: str) -> None:
    matcher = Matcher({"brand": parse(query)})
    matching = [text for text in TEXTS if matcher.match(text, {"kind": "post", "source": "hackernews"})]
    assert matching
    for text in matching:
        assert any(all(word in text.lower() for word in each) for each in words(query)), text
