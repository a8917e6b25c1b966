import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.language import detect, from_hint, guess
from tests.shared_data import shared


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("this airline lost my bags again and nobody answers the phone", "en"),
        ("diese Fluglinie hat schon wieder mein Gepäck verloren", "de"),
        ("esta aerolínea perdió mis maletas otra vez", "es"),
        ("cette compagnie a encore perdu mes bagages", "fr"),
        ("また荷物をなくされた、最低の会社だ", "ja"),
        ("эта авиакомпания опять потеряла мой багаж", "ru"),
    ],
)
def test_a_sentence_tells_its_language(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    "text", ["", "   ", "ok", "😂😂😂", "12345", "https://acme.example/this-is-the-english-path", "@thelongenglishname"]
)
def test_too_little_to_tell_is_none_rather_than_a_guess(text: str) -> None:
    assert detect(text) is None


def test_links_and_handles_say_nothing_of_the_language() -> None:
    text = "esta aerolínea perdió mis maletas otra vez"
    assert detect(f"@why_do_they_never_answer {text} https://example.com/the/worst/airline/of/them/all") == "es"


def test_a_guess_that_is_not_sure_is_given_as_such() -> None:
    guessed = guess("so bad")
    assert (guessed.language, guessed.sure) == ("en", False)


@pytest.mark.parametrize(
    ("hint", "code"),
    [("en", "en"), ("en-GB", "en"), ("PT_br", "pt"), ("in", "id"), ("iw", "he"), ("fil", "fil")],
)
def test_a_networks_hint_gives_its_language(hint: str, code: str) -> None:
    assert from_hint(hint) == code


@pytest.mark.parametrize("hint", [None, "", "und", "zxx", "qme", "qht", "english", "12", "-"])
def test_a_hint_that_names_no_language_is_none(hint: str | None) -> None:
    assert from_hint(hint) is None


@given(st.text(alphabet=st.characters()))
@example("\ud800 surrogate")
@example("nul\0nul and more words")
@example("é" * 999 + "日" * 999)
def test_no_text_breaks_it(text: str) -> None:
    assert detect(text) is None or len(detect(text) or "") in (2, 3)


def test_english_tweets_are_told_as_english_or_not_at_all() -> None:
    lines = shared("sentiment/measure/airlines.dev.tsv").read_text(encoding="utf-8").splitlines()
    told = [detect(line.split("\t")[-1]) for line in lines]
    assert told.count("en") / len(told) > 0.94  # measured 0.952
    assert len([code for code in told if code not in ("en", None)]) <= 5  # measured 0
