import random
import re
import time
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.near_copies import BANDS, SIGNED_CHARACTERS, bands, originals, signature
from tests.shared_data import shared

COMPLAINT = "They lost my bag again and nobody answers the phone"
SIGNED_COMPLAINT = 0xF41346BE0B6C5818
BANDED_COMPLAINT = (3758798101513373, 623059424067048, 110149525343994, 4075204660879053)
APPEAL = "Northvane left our choir on the runway for six hours without water, do not fly with them until they apologise"


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
def test_copies_share_their_signature_and_all_bands(copy: str) -> None:
    assert signature(copy) == signature(COMPLAINT)
    assert bands(copy) == bands(COMPLAINT)


def test_another_word_or_order_gives_another_signature() -> None:
    assert signature(COMPLAINT.replace("bag", "dog")) != signature(COMPLAINT)
    assert signature("again they lost my bag and nobody answers the phone") != signature(COMPLAINT)


@pytest.mark.parametrize(
    "near",
    [
        APPEAL.replace("six", "seven"),
        APPEAL.replace("our choir", "my wife"),
        APPEAL + " #boycottnorthvane",
        "Please share! " + APPEAL + " 😡😡 https://a.example/4711",
        "RT @somebody: " + APPEAL,
    ],
)
def test_near_copies_share_a_band(near: str) -> None:
    assert signature(near) != signature(APPEAL)
    assert set(bands(near)) & set(bands(APPEAL))


def test_other_texts_share_none() -> None:
    other = (
        "Northvane kept our choir happy on the runway for an hour with water and biscuits, I shall fly with them again"
    )
    assert set(bands(other)).isdisjoint(bands(APPEAL))


def test_a_script_without_spaces_has_near_copies_too() -> None:
    text = "また荷物をなくされた、最低の会社だ。電話にも誰も出ないし、もう二度と乗りません"
    near = text.replace("二度", "三度") + "！！ #最悪"
    other = "昨日の便はとても快適で、乗務員の対応も素晴らしかったです。また利用したいと思います"
    assert signature(near) != signature(text)
    assert set(bands(near)) & set(bands(text))
    assert set(bands(other)).isdisjoint(bands(text))


@pytest.mark.parametrize("text", ["", "worst airline ever", "thanks!", "@a @b @c @d @e @f", "1 2 3 4 5 6 7", "最低だ"])
def test_what_many_people_write_alike_has_neither_signature_nor_bands(text: str) -> None:
    assert signature(text) is None
    assert bands(text) == ()


def test_a_short_text_is_known_by_its_exact_copies_alone() -> None:
    assert bands("they lost my bag again") == ()
    assert signature("They lost my bag again!") == signature("they lost my bag again")


def test_a_sentence_without_spaces_has_a_signature() -> None:
    assert signature("また荷物をなくされた、最低の会社だ") is not None


def test_signature_and_bands_stay_the_same_between_versions_since_they_are_stored() -> None:
    assert signature(COMPLAINT) == SIGNED_COMPLAINT
    assert bands(COMPLAINT) == BANDED_COMPLAINT


def test_originals_are_the_first_of_their_copies_and_a_repost_is_none() -> None:
    texts = [APPEAL, COMPLAINT, "RT @a: " + COMPLAINT, APPEAL + " #shame", "worst airline ever", "worst airline ever"]
    assert originals(texts) == [0, 1, 4, 5]
    assert originals([]) == []


def test_texts_that_share_a_band_by_chance_are_originals_all_the_same() -> None:
    """Sentences from one mould, as many people write them, are alike in half of their words."""
    moulds = [
        f"acme left {who} on the {place} in {city} for {hours} without {thing}, never again"
        for who in ("my mother", "our choir", "two kids", "everybody")
        for place in ("runway", "tarmac", "bridge", "bus")
        for city in ("Oslo", "Rome", "Lima", "Kyoto")
        for hours in ("six hours", "half a day", "an age")
        for thing in ("water", "food", "light")
    ]
    sample = random.Random(3).sample(moulds, 40)
    assert len(originals(sample)) > 0.4 * len(sample)
    assert len(originals([*sample, *(f"{text} #shame" for text in sample)])) <= len(originals(sample)) + 2


@given(st.text(alphabet=st.characters()))
def test_no_text_breaks_it_and_values_have_their_bits(text: str) -> None:
    signed = signature(text)
    assert signed is None or 0 <= signed < 2**64
    assert len(bands(text)) <= BANDS
    assert all(0 <= band < 2**52 for band in bands(text))
    assert bands(text + " " * 9) == bands(text)


def test_the_longest_text_costs_no_more_than_its_start() -> None:
    rng = random.Random(1)
    start = " ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(SIGNED_CHARACTERS // 6 + 1))
    assert bands(start + " and more words" * 50_000) == bands(start[:SIGNED_CHARACTERS])


def _tweets() -> list[str]:
    lines = shared("sentiment/measure/airlines.dev.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[-1] for line in lines]


def test_of_near_copies_of_tweets_most_share_a_band() -> None:
    rng = random.Random(1)
    bases = [text for text in _tweets() if len(text.split()) in range(16, 41)][:800]
    words = [word for text in bases for word in text.split()]

    def caught(changes: int) -> float:
        found = 0
        for text in bases:
            near = text.split()
            for place in rng.sample(range(len(near)), changes):
                near[place] = rng.choice(words)
            found += not set(bands(" ".join([*near, "#again"]))).isdisjoint(bands(text))
        return found / len(bases)

    assert caught(1) >= 0.9  # measured 0.94
    assert caught(3) >= 0.55  # measured 0.63


def test_tweets_by_people_that_share_a_band_are_alike() -> None:
    """One value shared by more than three different tweets of three weeks would exclude a real complaint."""
    texts = _tweets()
    holders: dict[int, list[set[str]]] = defaultdict(list)
    for text in texts:
        for band in bands(text):
            holders[band].append(set(re.findall(r"[a-z]+", text.lower())))
    unlike = sum(len(own & first) < 0.4 * len(own | first) for first, *others in holders.values() for own in others[2:])
    assert unlike <= len(texts) // 1000


def test_bands_cost_some_microseconds() -> None:
    texts = [f"{APPEAL} {'abcdefghij'[n % 10] * 5}" for n in range(2000)]
    best = min(_seconds(texts) for _ in range(3))
    assert best / len(texts) < 100e-6  # some 10 on an idle core


def _seconds(texts: list[str]) -> float:
    began = time.process_time()
    for text in texts:
        bands(text)
    return time.process_time() - began
