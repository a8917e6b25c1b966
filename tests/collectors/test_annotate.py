import json
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.annotate import Annotation, annotate, annotate_all
from collectors.sentiment import Sentiment


class AlwaysGerman:
    """An engine that knows German alone and finds all of it good."""

    name = "always german"
    languages = frozenset({"de"})

    def judge(self, text: str) -> Sentiment:
        return Sentiment("positive", 0.125, 0.75) if text else Sentiment(None, None, None)


def test_an_english_complaint_is_scored_and_signed() -> None:
    note = annotate("This airline is the worst, they lost my bags again")
    assert (note.language, note.sentiment, note.scored, note.spam) == ("en", "negative", True, False)
    assert note.negative is not None
    assert note.negative > 0.5
    assert note.signature is not None


def test_other_languages_abstain_and_are_never_neutral() -> None:
    note = annotate("diese Fluglinie ist furchtbar, nie wieder")
    assert (note.language, note.sentiment, note.negative, note.positive, note.scored) == ("de", None, None, None, False)


def test_an_empty_text_is_unscored() -> None:
    assert annotate("") == Annotation(None, None, None, None, scored=False, spam=False, signature=None)


def test_the_networks_hint_goes_before_the_words() -> None:
    assert annotate("no no no", "es-MX").language == "es"
    assert not annotate("This is the worst thing that I have ever seen", "de").scored
    assert annotate("meh", "en").scored


def test_a_hint_that_says_nothing_leaves_it_to_the_words() -> None:
    assert annotate("This is the worst thing that I have ever seen", "und").language == "en"


def test_a_short_text_that_is_likely_english_is_scored_and_its_language_left_open() -> None:
    note = annotate("so bad")
    assert (note.language, note.sentiment) == (None, "negative")


def test_another_engine_judges_what_it_says_it_can() -> None:
    german = annotate("diese Fluglinie ist furchtbar, nie wieder", engine=AlwaysGerman())
    assert (german.sentiment, german.negative, german.positive) == ("positive", 0.125, 0.75)
    assert not annotate("This is the worst thing that I have ever seen", engine=AlwaysGerman()).scored


@given(st.text(alphabet=st.characters()), st.none() | st.text(max_size=10))
def test_any_text_and_hint_get_an_annotation_that_agrees_with_itself(text: str, hint: str | None) -> None:
    note = annotate(text, hint)
    assert note.scored == (note.sentiment is not None) == (note.negative is not None) == (note.positive is not None)
    assert note == annotate(text, hint)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "no x love but " * 7_000,
        "😡" * 100_000,
        "a" + "\u0301\u0323" * 50_000,
        "最低" * 50_000,
        "https://a " * 10_000,
        "#a @b $c " * 11_000,
        "\u202e\u200b" * 50_000,
        "bad\0" * 25_000,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_no_text_takes_long(text: str) -> None:
    annotate("warm up")
    start = time.process_time()
    annotate(text)
    assert time.process_time() - start < 0.25  # 1-25 ms measured


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["bad", "最低", "😡", "\u0301", "\u200d", "שלום", "\u202e", "#x", " "]), max_size=3000))
def test_scripts_and_marks_in_any_mix_are_taken(pieces: list[str]) -> None:
    assert annotate("".join(pieces)).spam in (True, False)


COMMAND = [sys.executable, "-m", "service", "annotate"]


def annotated(given: bytes) -> list[dict[str, Any]]:
    done = subprocess.run(COMMAND, input=given, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_command_prints_the_contracts_keys_in_order_for_each_line() -> None:
    angry, foreign = annotated(b"This airline is the worst, never again!\ndiese Fluglinie ist furchtbar, nie wieder\n")
    assert list(angry) == ["language", "sentiment", "negative", "scored", "spam"]
    assert 0.5 < angry.pop("negative") < 1
    assert angry == {"language": "en", "sentiment": "negative", "scored": True, "spam": False}
    assert foreign == {"language": "de", "sentiment": None, "negative": None, "scored": False, "spam": False}


def test_the_command_gives_one_line_for_each_whatever_it_holds() -> None:
    given = [
        b"",
        b"\xff\xfe\x80",
        b"bad\rworse\x0b\x0c\xc2\x85\xe2\x80\xa8still the same line",
        b"\0",
        b"windows\r",
        b"no newline",
    ]
    assert len(annotated(b"\n".join(given))) == len(given)
    assert annotated(b"") == []


def test_the_command_answers_each_line_before_it_reads_the_next() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for text in (b"I hate this airline so much\n", b"\n"):
            process.stdin.write(text)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["spam"] is False
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_the_command_ends_quietly_when_nobody_reads_on() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"one\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"two\n")
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_texts_annotated_together_come_out_as_each_alone() -> None:
    some = [
        ("so bad, never again", None),
        ("", "en"),
        ("diese Fluglinie ist furchtbar", "de-AT"),
        ("hello #f4f", "qme"),
    ]
    assert annotate_all(some) == [annotate(text, hint) for text, hint in some]
    assert annotate_all([]) == []
