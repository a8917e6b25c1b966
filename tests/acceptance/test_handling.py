"""What PR people do with an episode beside its main buttons, in a real browser on the real `api` process."""

import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.remote.webelement import WebElement

from service import keys
from service.frozen import Curve, Frozen
from tests.acceptance.browser import complaints, find, one, texts
from tests.acceptance.test_board import (  # noqa: F401 - fixtures
    BRAND,
    Service,
    _authorized,
    _episode,
    _post,
    board,
    browser,
    running_browser,
    running_service,
    service,
)
from tests.until import until

HANDLING = ".episode [data-slot=handling]"


def opened(page: Chrome, service: Service, **change: Any) -> str:  # noqa: F811
    """An episode whose handling is open; its id."""
    identity = service.save(_episode(**change)).id
    press(one(page, f"{HANDLING} summary"))
    one(page, ".handling")
    return identity


def press(element: WebElement) -> None:
    """Press a button or a summary by the keyboard: a click misses where cards above it still grow."""
    element.send_keys(Keys.ENTER)


def said(page: Chrome, *words: str) -> None:
    until(lambda: any(all(w in text for w in words) for text in texts(page, ".answer")), what=" ".join(words))


def get(service: Service, path: str) -> Any:  # noqa: F811
    return httpx.get(f"{service.url}{path}", headers=_authorized()).raise_for_status().json()


def test_an_episode_is_assigned_and_noted_with_the_keyboard_alone(service: Service, board: Chrome) -> None:  # noqa: F811
    one(board, "#name").send_keys("Dana\t")
    identity = opened(board, service)
    field = one(board, f"{HANDLING} form input[placeholder='Dana, PR']")
    field.send_keys("Ben, support", Keys.ENTER)
    said(board, "Assigned to Ben, support.")
    assert field.get_attribute("value") == ""
    one(board, f"{HANDLING} textarea").send_keys("<b>called</b> the plant", Keys.TAB, Keys.ENTER)
    said(board, "Noted.")
    found = service.episode(identity)
    assert (found["assignee"], found["log"][-1]["note"], found["log"][-1]["by"]) == (
        "Ben, support",
        "<b>called</b> the plant",
        "Dana",
    )
    assert complaints(board) == []


def test_feedback_is_given_and_a_known_campaign_is_planned(service: Service, board: Chrome) -> None:  # noqa: F811
    identity = opened(board, service)
    press(one(board, "[data-feedback='false alarm']"))
    said(board, "as much must be stranger to page")
    until(lambda: service.episode(identity)["feedback"] == "false alarm", what="the feedback")
    press(one(board, "[data-feedback='known campaign']"))
    until(lambda: find(board, ".feedback form")[0].is_displayed(), what="the offer to plan it")
    pressed = [b.get_attribute("aria-pressed") for b in find(board, "[data-feedback]")]
    assert pressed == ["false", "false", "true"]
    one(board, ".feedback form input").send_keys("Spring sale", Keys.ENTER)
    said(board, "Planned: Spring sale")
    campaign = get(service, f"/v1/brands/{BRAND}")["campaigns"][0]
    assert campaign["name"] == "Spring sale"
    assert complaints(board) == []


def test_a_resolved_episode_still_takes_feedback_and_is_not_assigned_any_more(service: Service, board: Chrome) -> None:  # noqa: F811
    episode = _episode().told(datetime.now(UTC), "episode.resolved", "foreshock").model_copy(update={"version": 1})
    identity = service.save(episode).id
    press(one(board, "#past summary"))
    press(one(board, "#past [data-feedback=real]"))
    until(lambda: "judged: real" in one(board, "#past li").text, what="the judgement")
    assert service.episode(identity)["feedback"] == "real"
    assert len(find(board, "#past .handling form")) == 2  # a note, and a campaign that is not offered
    assert one(board, "#past [data-feedback=real]").is_displayed(), "the details were closed by the new version"


def test_a_detector_is_muted_with_an_end_and_the_board_shows_the_episode_still(service: Service, board: Chrome) -> None:  # noqa: F811
    opened(board, service)
    press(one(board, "[data-hours='8']"))
    said(board, "Nobody is told until")
    (mute,) = get(service, "/v1/mutes")["items"]
    assert (mute["brands"], mute["detectors"], mute["kinds"]) == ([BRAND], ["volume"], ["crisis"])
    left = datetime.fromisoformat(mute["end"]) - datetime.now(UTC)
    assert timedelta(hours=7, minutes=50) < left < timedelta(hours=8, minutes=1)
    assert len(find(board, ".episode")) == 1


def test_picture_report_and_who_was_told_are_at_hand(service: Service, board: Chrome) -> None:  # noqa: F811
    identity = opened(board, service)
    n, known = 300, list[float | None](float(20 + 60 * (place > 280)) for place in range(300))
    usual = list[float | None]([20.0] * n)
    curve = Curve(time.time() // 300 * 300 - 300 * n, 300, known, usual, usual, usual, usual, known, {"x": known})
    packed = zlib.compress(msgspec.json.encode(Frozen(time.time(), curve, [])))
    key = keys.frozen(keys.shard(BRAND), identity)
    service.with_store(lambda store: store.call("fs_freeze", key, BRAND, identity, packed, "", 3600, ""))
    press(next(b for b in find(board, ".handling button") if b.text == "Show the picture"))
    picture = until(lambda: find(board, ".picture"), 30, "the chart")[0]
    assert board.execute_script("return arguments[0].naturalWidth", picture) > 100
    addresses = [link.get_attribute("href") or "" for link in find(board, ".handling a")]
    assert [a.partition("/v1/")[2] for a in addresses] == [
        f"episodes/{identity}/report?format={kind}" for kind in ("html", "md")
    ]
    for address in addresses:
        assert httpx.get(address, headers=_authorized()).status_code == 200
    press(next(b for b in find(board, ".handling button") if b.text == "Show who was told"))
    said(board, "Nobody was told yet.")
    assert complaints(board) == []


def test_who_spoke_up_is_shown_with_the_episode(service: Service, board: Chrome) -> None:  # noqa: F811
    posts = [_post("they were kind to me <3", name="Fan")]
    spoke = {"mentions": 12, "authors": 9, "reach": 40200, "posts": posts}
    service.save(_episode(kind="opportunity", detector="advocates", evidence={"advocates": spoke}))
    assert "they were kind to me <3" in one(board, ".advocates").text
    text = one(board, ".episode").text
    assert "142 positive mentions in an hour" in text
    assert "Opportunity · 3 of 5" in text
    press(one(board, ".episode details summary"))
    assert "12 mentions by 9 authors with 40,200 followers" in one(board, ".facts").text


def test_a_channel_is_tested_with_a_button_and_says_what_became_of_it(service: Service, board: Chrome) -> None:  # noqa: F811
    body = {"type": "webhook", "url": "https://127.0.0.1:9/", "secrets": [f"whsec_{'a' * 32}"]}
    answer = httpx.put(f"{service.url}/v1/channels/ops", json=body, headers=_authorized())
    assert answer.status_code == 201, answer.text
    board.refresh()
    press(one(board, "#trying summary"))
    press(one(board, ".channels button"))
    said(board, "Did not arrive after")
    assert texts(board, ".channels strong") == ["ops"]
    assert complaints(board) == []


def test_a_drill_starts_only_when_asked_twice(service: Service, board: Chrome) -> None:  # noqa: F811
    press(one(board, "#trying summary"))
    said(board, "No channel is configured")
    start = next(b for b in find(board, ".trying button") if b.text == "Start a drill")
    press(start)
    assert start.text == "Press again: channels are told for real"
    assert get(service, "/v1/episodes")["items"] == []
    press(start)
    said(board, "0 channels")
    (drilled,) = get(service, "/v1/episodes")["items"]
    assert (drilled["brand"], drilled["drill"]) == (BRAND, True)
    service.save(_episode(drill=True))
    assert "Drill, made up · 3 of 5" in one(board, ".episode").text
    assert texts(board, ".brand .chip") == ["not yet judged"]


def test_the_accuracy_of_a_brand_is_shown_with_its_intervals(service: Service, board: Chrome) -> None:  # noqa: F811
    service.save(_episode(feedback="false alarm"))
    press(one(board, "[data-slot=accuracy] summary"))
    until(lambda: len(texts(board, ".accuracy tbody tr")) == 12, what="the table")
    rows = {row.split("\t")[0]: row.split("\t")[1:] for row in texts(board, ".accuracy tbody tr")}
    assert rows["Called false alarms"] == ["1", "1"]
    assert "0.5 a week" in rows["Alert budget"][0]
    assert complaints(board) == []


@pytest.mark.parametrize("width", [360, 414])
def test_all_of_it_fits_a_phone_and_has_names(service: Service, board: Chrome, width: int) -> None:  # noqa: F811
    opened(board, service)
    press(one(board, "#trying summary"))
    press(one(board, "[data-slot=accuracy] summary"))
    one(board, ".accuracy table")
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    board.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert board.execute_script("return document.documentElement.scrollWidth") <= width
        heights = [b.size["height"] for b in find(board, ".handling .choices button") if b.is_displayed()]
        assert min(heights) >= 44
    finally:
        board.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    controls = find(board, "button, input, textarea, select, a, summary")
    assert [c.tag_name for c in controls if c.is_displayed() and not c.accessible_name] == []
