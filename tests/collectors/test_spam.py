import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.spam import looks_spam, signature
from tests.shared_data import shared

COMPLAINT = "They lost my bag again and nobody answers the phone"
SIGNED_COMPLAINT = 0xF41346BE0B6C5818


@pytest.mark.parametrize(
    "text",
    [
        "best deals https://a.example/1 https://b.example/2 www.c.example https://d.example/4 buy now",
        "new " + " ".join(f"#tag{letter}" for letter in "abcdefghijkl"),
        "$AAA $BBB $CCC $DDD to the moon",
        "hi " + " ".join(f"@user{number}" for number in range(12)),
        "Follow and RT to win! #Giveaway https://a.example/win",
    ],
)
def test_farms_heaps_of_tags_and_contests_are_spam(text: str) -> None:
    assert looks_spam(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        COMPLAINT,
        "@acme @acmehelp " + COMPLAINT + " #fail #never #again https://a.example/photo",
        "the #giveaway was a lie and they kept the money",
        "paid $100 and $20 and $5 and $3 for nothing",
        "we are #1 #2 #3 #4 #5 #6 #7 #8 #9 #10 in the queue",
    ],
)
def test_angry_people_are_not_spam(text: str) -> None:
    assert not looks_spam(text)


def test_an_article_may_have_many_links_far_apart() -> None:
    assert not looks_spam(" ".join(f"{COMPLAINT} https://news.example/{number}" for number in range(8)))


def test_hardly_any_tweet_by_people_is_called_spam() -> None:
    lines = shared("sentiment/measure/airlines.dev.tsv").read_text(encoding="utf-8").splitlines()
    assert sum(looks_spam(line.split("\t")[-1]) for line in lines) <= len(lines) // 1000  # measured 0


@pytest.mark.parametrize(
    "copy",
    [
        COMPLAINT.upper(),
        "  They lost my bag again,\nand nobody answers the phone!!! ",
        "@acme They lost my bag again and nobody answers the phone https://a.example/xyz 4711",
        "They lo\u200bst my bag again and nobody answers the phone",
        "Ｔｈｅｙ lost my bag again and nobody answers the phone",
    ],
)
def test_copies_share_their_signature(copy: str) -> None:
    assert signature(copy) == signature(COMPLAINT)


def test_another_word_or_order_gives_another_signature() -> None:
    assert signature(COMPLAINT.replace("bag", "dog")) != signature(COMPLAINT)
    assert signature("again they lost my bag and nobody answers the phone") != signature(COMPLAINT)


@pytest.mark.parametrize("text", ["", "worst airline ever", "thanks!", "@a @b @c @d @e @f", "1 2 3 4 5 6 7", "最低だ"])
def test_what_many_people_write_alike_has_no_signature(text: str) -> None:
    assert signature(text) is None


def test_a_sentence_without_spaces_has_a_signature() -> None:
    assert signature("また荷物をなくされた、最低の会社だ") is not None


def test_a_signature_stays_the_same_between_versions_since_it_is_stored() -> None:
    assert signature(COMPLAINT) == SIGNED_COMPLAINT


@given(st.text(alphabet=st.characters()))
def test_no_text_breaks_it_and_a_signature_has_64_bits(text: str) -> None:
    assert looks_spam(text) in (True, False)
    signed = signature(text)
    assert signed is None or 0 <= signed < 2**64
