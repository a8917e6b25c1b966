import random

from hypothesis import given
from hypothesis import strategies as st

from collectors.terms import LEAST_COUNT, LEAST_LIFT, LEAST_Z, distinctive

USUAL = [
    "the flight to Rome was on time and the crew was nice",
    "I am waiting for the bus at the airport with my bag",
    "is the lounge open and do they have coffee",
    "what a view from the window of the plane to Oslo",
]
REVOLT = [
    "they dragged a doctor off the plane, shame",
    "the doctor was bleeding and the crew was laughing #boycott",
    "why was the doctor dragged from the flight? #boycott",
    "I saw the video of the doctor and I am sick #boycott",
]


def terms(now: list[str], before: list[str], exclude: str = "") -> list[str]:
    return [risen.term for risen in distinctive(now, before, exclude)]


def test_what_is_said_now_leads_and_common_words_are_absent() -> None:
    found = terms(REVOLT * 5, USUAL * 50)
    assert {"doctor", "#boycott", "dragged"} <= set(found[:5])
    assert not {"the", "was", "and", "i", "of", "to"} & set(found)


def test_count_is_in_texts_and_expected_comes_from_before() -> None:
    found = {risen.term: risen for risen in distinctive([*REVOLT * 5, "boycott boycott boycott"], USUAL * 50)}
    assert found["doctor"].count == 20
    assert found["doctor"].expected < 2
    assert "boycott" not in found


def test_the_brands_own_words_are_left_out_with_and_without_sign() -> None:
    now = ["acme dragged a doctor", "@acme the doctor!", "#acme doctor"] * 5
    assert terms(now, USUAL * 50, exclude='acme OR "Dragged"') == ["doctor"]


def test_links_are_no_terms() -> None:
    now = ["doctor https://news.example/doctor-video", "doctor https://news.example/doctor-video"] * 5
    assert terms(now, USUAL * 50) == ["doctor"]


def test_scripts_without_spaces_give_pairs() -> None:
    found = terms(["医師が引きずられた"] * 10, ["今日は飛行機が遅れた"] * 100)
    assert "医師" in found


def test_words_with_vowel_signs_stay_whole() -> None:
    found = terms(["डॉक्टर को घसीटा", "यह डॉक्टर कौन"] * 5, ["उड़ान समय पर थी"] * 100)
    assert "डॉक्टर" in found


def test_with_nothing_on_one_side_nothing_is_told() -> None:
    assert distinctive([], USUAL) == []
    assert distinctive(REVOLT, []) == []
    assert distinctive([""], [""]) == []


def test_two_samples_of_the_same_talk_differ_in_few_terms() -> None:
    rng = random.Random(7)
    words = [f"word{rank}" for rank in range(1000)]
    weights = [1 / (rank + 1) for rank in range(1000)]
    texts = [" ".join(rng.choices(words, weights, k=15)) for _ in range(1500)]
    assert len(distinctive(texts[:500], texts[500:])) < 15  # 1.5 % of the vocabulary by chance


@given(st.lists(st.text(alphabet=st.characters())), st.lists(st.text(alphabet=st.characters())), st.text())
def test_any_texts_give_terms_above_the_floors_the_surest_first(now: list[str], before: list[str], own: str) -> None:
    found = distinctive(now, before, own)
    assert all(r.count >= LEAST_COUNT and r.count >= LEAST_LIFT * r.expected and r.z > LEAST_Z for r in found)
    assert [r.z for r in found] == sorted((r.z for r in found), reverse=True)


def test_what_was_said_before_as_often_is_no_news() -> None:
    assert distinctive(USUAL * 10, USUAL * 50) == []


def test_two_words_that_are_told_together_for_the_first_time_are_a_term() -> None:
    def talk(first: int, number: int) -> list[str]:
        """Of a hundred texts three speak of the crew, three of the map, and none of both."""
        about = {0: "crew", 1: "crew", 2: "crew", 3: "map", 4: "map", 5: "map"}
        return [f"the {about.get(n % 100, 'plane')} {n}{n}" for n in range(first, first + number)]

    found = terms(talk(0, 300) + ["a crew map", "what crew map", "look, the crew map"] * 4, talk(300, 1000))
    assert "crew map" in found
    assert not {"crew", "map"} & set(found)


def test_a_pair_stands_in_place_of_its_shorter_word_and_says_no_word_twice() -> None:
    now = ["they broke a grand piano", "my grand piano is gone", "grand piano in pieces"] * 6
    found = terms(now, USUAL * 50)
    assert "grand piano" in found
    assert len({"grand", "piano"} & set(found)) == 1
    words = [word for term in found if " " in term for word in term.split()]
    assert len(words) == len(set(words))


def test_a_common_word_makes_no_pair_and_a_stop_between_words_parts_them() -> None:
    now = ["the doctor. Boycott them", "on the doctor! Boycott", "for the doctor, boycott"] * 6
    found = terms(now, USUAL * 50)
    assert {"doctor", "boycott"} <= set(found)
    assert not [term for term in found if "the" in term.split() or term == "doctor boycott"]


def test_that_a_post_repeats_another_is_no_term() -> None:
    assert terms(["RT @anna: dragged", "rt @bert: dragged", "the doctor"] * 6, USUAL * 50, "anna bert") == [
        "dragged",
        "doctor",
    ]
