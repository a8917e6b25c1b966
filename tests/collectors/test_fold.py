import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.fold import begins, fold, fold_cased, is_whole, word_starts

GOES_ON = re.compile(r"[aA_9é\u0301]").match
ANY_TEXT = st.text(alphabet=st.characters())


@given(ANY_TEXT)
@example("I\u0307\u0301")
@example("ſ\u0307")
@example("\u0130\u2061\u0307")
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold_cased(fold_cased(text)) == fold_cased(text)


@given(ANY_TEXT)
def test_folding_what_kept_its_case_is_folding_the_text(text: str) -> None:
    assert fold(fold_cased(text)) == fold(text)


def test_case_is_all_that_is_kept_apart() -> None:
    assert fold_cased("  Ａcme’s \u200bCafe\u0301\n") == "Acme's Café"
    assert fold_cased(" Acme  AIR") == "Acme AIR"


@given(st.text("aé_9 .-#最低안🔥\u0301"))
def test_words_begin_where_letters_do_and_each_character_without_spaces_is_one(text: str) -> None:
    folded = fold(text)
    words = re.finditer(r"(?:[^\W最低안]|\u0301)+|[最低안🔥]", folded)
    assert word_starts(folded) == [word.start() for word in words]


@pytest.mark.parametrize("text", ["plain words, in ASCII", "", "  ", "a-b"])
def test_ascii_words_are_cut_as_all_others(text: str) -> None:
    assert word_starts(text) == word_starts(text + "…")


@given(st.text("aA_9 #@.é최🔥\u0301", min_size=1), st.integers(0, 20), st.integers(1, 20))
def test_a_whole_word_has_no_letter_beside_a_letter(text: str, at: int, length: int) -> None:
    start = at % len(text)
    end = min(len(text), start + length)
    inner, before, after = text[start:end], text[:start][-1:], text[end:][:1]
    begun = not (GOES_ON(before) and (inner[0] in "#@" or GOES_ON(inner[0])))
    assert begins(text, start) == begun
    assert is_whole(text, start, end) == (begun and not (GOES_ON(after) and GOES_ON(inner[-1])))


def test_folding_a_hundred_thousand_stacked_marks_takes_no_quadratic_time() -> None:
    start = time.perf_counter()
    assert fold("a" + "\u0301\u0323" * 50_000) == "a"
    assert time.perf_counter() - start < 2.0  # 10 s without the guard, 2 ms with it
