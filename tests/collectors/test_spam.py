import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.spam import looks_spam
from tests.shared_data import shared

COMPLAINT = "They lost my bag again and nobody answers the phone"


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


@pytest.mark.parametrize("name", ["airlines.dev.tsv", "tweets.dev.tsv"])
def test_no_tweet_by_people_is_called_spam(name: str) -> None:
    lines = shared(f"sentiment/measure/{name}").read_text(encoding="utf-8").splitlines()
    texts = [re.sub(r"\bhttp\b", "https://a.example/x", line.split("\t")[-1]) for line in lines]  # as they were written
    assert sum(map(looks_spam, texts)) <= len(texts) // 1000  # measured 0


@given(st.text(alphabet=st.characters()))
def test_no_text_breaks_it(text: str) -> None:
    assert looks_spam(text) in (True, False)
