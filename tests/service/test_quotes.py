"""An episode without a deleted post is the same episode, in which nothing of that post is left."""

import pytest

from service import keys
from service.quotes import quotations, quoted_keys, without
from tests.service.notify.samples import EVIDENCE, FIRST, LOUD, opened

LOUD_KEY, FIRST_KEY = keys.identity("x", "3"), keys.identity("x", "1")


def test_every_post_that_is_shown_finds_its_episode() -> None:
    assert quoted_keys(EVIDENCE) == sorted(keys.identity("x", n) for n in ("1", "2", "3", "7"))
    assert quoted_keys({}) == []
    nested = {"advocates": [{"author": {"id": "a"}, "posts": [FIRST]}]}
    assert [post["id"] for post in quotations(nested)] == ["1"]


def test_a_deleted_post_is_in_no_part_of_the_evidence() -> None:
    reason = "anna_3 with 1,240,000 followers is angry"
    episode = opened(detector="voice", reason=reason)
    found = without(episode, {LOUD_KEY})
    assert "anna_3" not in found.model_dump_json()
    assert LOUD["text"] not in found.model_dump_json()
    assert (found.evidence["voice"], found.evidence["top_mentions"]) == (None, [FIRST])
    assert found.reason == found.log[0].note == "an author with 1,240,000 followers is angry"
    assert (found.version, found.severity, found.observed) == (episode.version, episode.severity, episode.observed)


def test_an_author_with_other_posts_has_fewer_and_stays() -> None:
    found = without(opened(), {FIRST_KEY})
    assert [(a["id"], a["mentions"]) for a in found.evidence["top_authors"]] == [("u3", 1), ("u1", 3)]
    assert [post["id"] for post in found.evidence["first_mentions"]] == ["2"]


@pytest.mark.parametrize("told", [True, False])
def test_a_copied_text_goes_with_its_post_also_where_an_older_episode_does_not_say_whose_it_is(told: bool) -> None:
    suspected = {**EVIDENCE["suspected"], "texts": [FIRST["text"], "another"]}
    suspected |= {"posts": [{"source": "x", "id": "1"}, {"source": "x", "id": "8"}] if told else []}
    found = without(opened(evidence={**EVIDENCE, "suspected": suspected}), {FIRST_KEY})
    assert found.evidence["suspected"]["texts"] == ["another"]
    assert found.evidence["suspected"]["posts"] == ([{"source": "x", "id": "8"}] if told else [])


def test_an_episode_that_does_not_quote_it_stays_as_it_is() -> None:
    episode = opened()
    assert without(episode, {"AAAAAAAAAAAAAAAA"}) is episode
    bare = opened(evidence={})
    assert without(bare, {FIRST_KEY}) is bare
