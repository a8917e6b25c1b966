"""The buttons under a mention, in a real browser on the real `api` process: a label is given, shown and taken back."""

import json
import time
from typing import Any

from selenium.webdriver import Chrome

from service import keys, labels
from service.clock import iso
from service.store import Store
from tests.acceptance.browser import complaints, one, texts
from tests.acceptance.test_board import (  # noqa: F401 - fixtures
    BRAND,
    Service,
    _episode,
    _post,
    board,
    browser,
    running_browser,
    running_service,
    service,
)
from tests.until import until


def keep(service: Service, identity: str, text: str) -> None:  # noqa: F811
    """Keep a mention's text as the worker leaves it in the store."""
    kept = {"id": identity, "source": "x", "text": text, "negative": 0.4, "language": "en"}

    async def put(store: Store) -> None:
        key = keys.identity("x", identity)
        await store.do("SET", keys.text(BRAND, key), json.dumps(kept), "EX", 3600)
        await store.do("ZADD", keys.recent(BRAND), time.time(), key)

    service.with_store(put)


def pressed(page: Chrome) -> list[str | None]:
    return [one(page, f".labels [data-label={said}]").get_attribute("aria-pressed") for said in labels_of(page)]


def labels_of(page: Chrome) -> list[str]:
    return texts(page, ".labels button")


def known(service: Service) -> list[tuple[str, str]]:  # noqa: F811
    found: list[Any] = service.with_store(lambda store: labels.read(store, BRAND))
    return [(label.id, label.label) for label in found]


def test_a_label_is_given_with_a_button_and_taken_back_with_the_same(service: Service, board: Chrome) -> None:  # noqa: F811
    identity = "2026/a b?c#d"
    keep(service, identity, "they lost my order")
    service.save(_episode(evidence={"first_mentions": [_post("they lost my order") | {"id": identity}]}))
    button = one(board, ".labels [data-label=negative]")
    assert labels_of(board) == ["negative", "neutral", "positive"]
    button.click()
    until(lambda: texts(board, ".labels [role=status]") == [f"Noted: 1 of {BRAND} so far."], what="an answer")
    assert known(service) == [(identity, "negative")]
    assert pressed(board) == ["true", "false", "false"]
    one(board, ".labels [data-label=negative]").click()
    until(lambda: texts(board, ".labels [role=status]") == ["Taken back."], what="an answer")
    assert known(service) == []
    assert pressed(board) == ["false", "false", "false"]
    assert complaints(board) == []


def test_a_mention_that_is_not_kept_any_more_is_told_and_nothing_is_pressed(service: Service, board: Chrome) -> None:  # noqa: F811
    service.save(_episode())
    one(board, ".labels [data-label=positive]").click()
    until(
        lambda: any("Not noted: no mention" in text for text in texts(board, ".labels [role=status]")), what="why not"
    )
    assert pressed(board) == ["false", "false", "false"]


def test_the_card_shows_the_corrected_share_beside_the_raw_one(service: Service, board: Chrome) -> None:  # noqa: F811
    told = {"share": 0.31, "low": 0.27, "high": 0.36, "labels": 140}
    service.put_state(at=iso(time.time()), negative_share=0.23, negative_share_corrected=told)
    until(lambda: "Negative, corrected" in one(board, ".brand").text, what="the corrected share")
    assert "31 % (27–36 %), by 140 labels" in one(board, ".brand").text
    assert "23 %" in one(board, ".brand").text


def test_a_mention_drawn_by_chance_is_labelled_and_then_there_is_none_left(service: Service, board: Chrome) -> None:  # noqa: F811
    keep(service, "7", "<b>they</b> lost my order")
    one(board, "[data-slot=teaching] summary").click()
    one(board, "[data-slot=teaching] .ask button").click()
    until(lambda: texts(board, ".drawn blockquote") == ["<b>they</b> lost my order x"], what="the mention")
    one(board, ".drawn [data-label=negative]").click()
    until(lambda: known(service) == [("7", "negative")], what="the label")
    drawn: list[Any] = service.with_store(lambda store: labels.read(store, BRAND))
    assert [label.drawn for label in drawn] == [True]
    one(board, "[data-slot=teaching] .ask button").click()
    until(lambda: texts(board, ".drawn blockquote") == [], what="no mention")
    assert "No mention without a label is kept." in texts(board, "[data-slot=teaching] .answer")
    assert complaints(board) == []
