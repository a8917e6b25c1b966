"""The board in a real browser, served by the real `api` process on a real store; no worker runs, so nothing else acts.

Episodes are put into the store as the ticker puts them there, which tells the page's stream of events too.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver import Chrome

from service import keys
from service.access import ensure_admin
from service.clock import iso
from service.embedded import EmbeddedStore
from service.episode import Episode, LogEntry, new_id
from service.episodes import Episodes
from service.store import Store
from tests.acceptance.browser import chromium, complaints, find, one, texts
from tests.service.weeks import DAY, counted
from tests.until import until

KEY = "fsk_of_the_boards_test"
ROOT = Path(__file__).parents[2]
BRAND = "acme-air"


@dataclass
class Service:
    """The running `api` process and its store."""

    url: str
    store_url: str
    process: "subprocess.Popen[bytes]"

    def put_brand(self, name: str = BRAND, timezone: str = "Europe/Berlin") -> None:
        body = {"query": f'"{name}"', "timezone": timezone}
        httpx.put(f"{self.url}/v1/brands/{name}", json=body, headers=_authorized()).raise_for_status()

    def with_store(self, work: Callable[[Store], Any]) -> Any:
        async def run() -> Any:
            async with Store(self.store_url) as store:
                return await work(store)

        return asyncio.run(run())

    def save(self, episode: Episode) -> Episode:
        self.with_store(lambda store: Episodes(store).save(episode))
        return episode

    def put_state(self, name: str = BRAND, **change: Any) -> None:
        state = {"at": iso(time.time()), "window_mentions": 12, "expected": 10.2, "expected_upper": 19.0}
        state |= {"negative_share": 0.12, "scores": {"volume": 4.0}, "severity": 0, "episode": None}
        state |= {"completeness": {"x": 1.0}, "blind": False, **change}
        self.with_store(lambda store: store.do("SET", keys.state(name), json.dumps(state)))

    def episode(self, identity: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/episodes/{identity}", headers=_authorized()).json()
        return found


@contextmanager
def _running(store_url: str) -> Iterator[Service]:
    port, metrics_port = _free_port(), _free_port()
    command = [sys.executable, "-m", "service", "api", "--port", str(port), "--metrics-port", str(metrics_port)]
    env = {**os.environ, "FORESHOCK_ADMIN_KEY": KEY, "FORESHOCK_REDIS_URL": store_url}
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _answers(process, url), 30, "an answer of the service")
            yield Service(url, store_url, process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def running_service(valkey_server: EmbeddedStore) -> Iterator[Service]:
    with _running(valkey_server.url) as service:
        yield service


@pytest.fixture
def service(running_service: Service, store_url: str) -> Service:
    """The module's service on a store as new; what it knows of brands is outdated by a version never seen."""

    async def prepare(store: Store) -> None:
        await store.prepare()
        await ensure_admin(store, KEY)
        await store.do("SET", keys.VERSION, time.time_ns())

    running_service.with_store(prepare)
    return running_service


@pytest.fixture(scope="module")
def running_browser() -> Iterator[Chrome]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(running_browser: Chrome) -> Iterator[Chrome]:
    yield running_browser
    running_browser.delete_all_cookies()
    running_browser.get("about:blank")
    complaints(running_browser)


@pytest.fixture
def board(service: Service, browser: Chrome) -> Chrome:
    return _open_board(service, browser)


def _authorized() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _answers(process: "subprocess.Popen[bytes]", url: str) -> bool:
    assert process.poll() is None, f"the service ended with {process.returncode}"
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _sign_in(service: Service, browser: Chrome, key: str = KEY) -> None:
    browser.get(service.url)
    one(browser, "#key").send_keys(key)
    one(browser, "button[type=submit]").click()


def _open_board(service: Service, browser: Chrome) -> Chrome:
    """The board of one brand, signed in and live."""
    service.put_brand()
    _sign_in(service, browser)
    until(lambda: texts(browser, "#connection") == ["Live"], what="a live board")
    until(lambda: texts(browser, ".brand h3") == [BRAND], what="the brand's card")
    return browser


def _episode(brand: str = BRAND, minutes: float = 12.5, **change: Any) -> Episode:
    """A crisis that began so many minutes ago."""
    now = datetime.now(UTC)
    opened = now - timedelta(minutes=minutes)
    values: dict[str, Any] = {
        "id": new_id(keys.shard(brand), opened.timestamp(), brand),
        "kind": "crisis",
        "brand": brand,
        "severity": 3,
        "detector": "volume",
        "score": 84.0,
        "opened_at": opened,
        "started_at": opened,
        "updated_at": opened,
        "observed": 142.0,
        "expected": 18.2,
        "low": 9.0,
        "high": 31.0,
        "p_value": 2e-11,
        "window_seconds": 3600.0,
        "method": "negative binomial tail",
        "reason": "Far more is said than at this hour of the week.",
        "budget": 0.5,
        "growth": {"doubling_minutes": 17.0, "low": 12.0, "high": 30.0, "ahead": {"1": 310.0, "3": 900.0}},
        "evidence": {"top_terms": [{"term": "lisbon", "count": 88, "expected": 1.0}], "first_mentions": [_post("one")]},
        "completeness": {"x": {"complete_until": iso(now.timestamp()), "ratio": 1.0}},
        "replay_command": "foreshock backtest acme-air.csv",
        "log": [LogEntry(at=opened, type="episode.opened", by="foreshock")],
    }
    return Episode(**{**values, **change})


def _post(text: str, url: str | None = "https://example.com/1", name: str = "Ann") -> dict[str, Any]:
    author = {"id": "u1", "name": name, "followers": 812}
    return {
        "id": "1",
        "source": "x",
        "url": url,
        "text": text,
        "published_at": iso(time.time() - 720),
        "author": author,
    }


def test_a_wrong_key_is_told_and_the_right_one_opens_the_board_until_signed_out(
    service: Service, browser: Chrome
) -> None:
    service.put_brand()
    _sign_in(service, browser, "fsk_wrong")
    assert "not a key that may open the board" in one(browser, "#wrong").text
    assert one(browser, "#key").get_attribute("aria-invalid") == "true"
    assert "shown this once" in one(browser, "#whence").text
    assert browser.get_cookies() == []
    _sign_in(service, browser)
    until(lambda: texts(browser, ".brand h3") == [BRAND], what="the brand's card")
    assert texts(browser, ".brand .chip") == ["not yet judged"]
    assert browser.execute_script("return document.cookie") == ""
    one(browser, "form[action='/logout'] button").click()
    assert one(browser, "#key").is_displayed()


def test_the_page_runs_no_script_and_takes_no_style_but_its_own(service: Service, board: Chrome) -> None:
    policy = httpx.get(service.url).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    service.save(_episode())
    one(board, ".episode .trend svg")
    assert complaints(board) == []


def test_an_episode_appears_live_with_its_proof_and_is_announced(service: Service, board: Chrome) -> None:
    board.execute_script("window.unchanged = true")
    assert board.title == "Foreshock"
    service.save(_episode())
    assert "142 mentions in an hour, 18 expected (9–31)" in one(board, ".episode").text
    assert board.title == "(1) Foreshock"
    assert one(board, "#news").get_attribute("textContent") == (
        "Crisis is new: acme-air, severity 3, serious. 142 mentions in an hour, 18 expected (9–31)"
    )
    text = one(board, ".episode").text
    for part in (
        "Crisis · 3 of 5, serious",
        "Berlin time, 12 min ago",
        "Far more is said than at this hour of the week.",
        "Doubles every 17 minutes (12–30). At this pace: 310 an hour in 1 h, 900 an hour in 3 h.",
        "lisbon 88",
        "Ann, 812 followers · x · ",
    ):
        assert part in text
    assert texts(board, "#quiet") == []
    until(lambda: texts(board, ".brand .chip") == ["crisis"], what="the brand's state")
    assert board.execute_script("return window.unchanged"), "the page was loaded anew"


def test_what_is_suspected_of_coordination_is_told_with_its_reasons(service: Service, board: Chrome) -> None:
    suspected = {"share": 0.68, "mentions": 17, "of": 25, "reasons": {"copied text": 17, "empty account": 6}}
    service.save(_episode(evidence={"suspected": suspected}))
    facts = one(board, ".episode dl").get_attribute("textContent") or ""
    assert "Suspected of coordination68 % of 25 mentions: copied text 17, empty account 6" in facts


def test_the_worst_episode_stands_first_and_an_escalation_moves_it_up(service: Service, board: Chrome) -> None:
    service.put_brand("globex")
    mild = service.save(_episode("globex", severity=1))
    service.save(_episode(severity=3))
    until(lambda: texts(board, ".episode h3") == [BRAND, "globex"], what="both episodes")
    service.save(mild.told(datetime.now(UTC), "episode.escalated", "foreshock", severity=5))
    until(lambda: texts(board, ".episode h3") == ["globex", BRAND], what="the new order")
    assert board.title == "(2) Foreshock"
    assert "Crisis is worse: globex, severity 5" in str(one(board, "#news").get_attribute("textContent"))


def test_an_episode_is_acknowledged_snoozed_and_resolved_by_name_and_the_focus_stays(
    service: Service, board: Chrome
) -> None:
    one(board, "#name").send_keys("Dana\t")
    identity = service.save(_episode()).id
    one(board, "[data-slot=acknowledge]").click()
    until(lambda: texts(board, ".episode .chip") == ["acknowledged by Dana"], what="the new state")
    assert "Acknowledged" in one(board, ".answer").text
    assert board.switch_to.active_element == one(board, "[data-slot=acknowledge]")
    assert (service.episode(identity)["state"], service.episode(identity)["log"][-1]["by"]) == ("acknowledged", "Dana")
    one(board, "[data-slot=snooze]").click()
    until(lambda: texts(board, ".episode .chip")[0].startswith("snoozed until"), what="the snooze")
    assert service.episode(identity)["state"] == "snoozed"
    resolve = one(board, "[data-slot=resolve]")
    resolve.click()
    assert resolve.text == "Press again to resolve"
    assert service.episode(identity)["state"] == "snoozed"
    resolve.click()
    until(lambda: not find(board, ".episode"), what="the episode's end")
    assert "acme-air Crisis · 3 of 5, serious" in one(board, "#past li").text
    assert board.title == "Foreshock"


def test_what_the_service_refuses_is_said_at_the_button(service: Service, board: Chrome) -> None:
    episode = service.save(_episode())
    one(board, "[data-slot=acknowledge]")
    service.with_store(lambda store: store.do("DEL", keys.episodes(keys.shard(BRAND))))
    one(board, "[data-slot=acknowledge]").click()
    until(lambda: texts(board, ".answer.bad") == [f"Not done: there is no episode '{episode.id}'."], what="the refusal")


def test_hostile_posts_are_shown_as_text_and_only_web_addresses_become_links(service: Service, board: Chrome) -> None:
    script = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    posts = [
        _post(script, "javascript:document.title='owned'", name=script),
        _post("data", "data:text/html,<script>1</script>"),
        _post("fine", "https://example.com/?a=<b>"),
    ]
    terms = [{"term": script, "count": 3, "expected": 0}]
    note = [LogEntry(at=datetime.now(UTC), type="episode.opened", by=script, note=script)]
    service.save(_episode(reason=script, log=note, evidence={"first_mentions": posts, "top_terms": terms}))
    until(lambda: texts(board, ".mentions blockquote") == [script, "data", "fine"], what="the posts")
    assert texts(board, ".reason") == [script]
    assert find(board, "main img, main script") == []
    links = find(board, ".episode a")
    assert [link.get_attribute("href") for link in links] == ["https://example.com/?a=%3Cb%3E"]
    assert links[0].get_attribute("rel") == "noopener noreferrer nofollow"
    assert (board.title, complaints(board)) == ("(1) Foreshock", [])


@pytest.mark.parametrize(
    ("state", "chip", "quiet"),
    [
        ({}, "calm", "1 brand watched, all quiet. How complete the sources are, at the least: x 100 %."),
        ({"window_mentions": 30}, "watch", "Nothing is open, but not all is calm. 1 brand watched: 1 watch."),
        ({"scores": {"revolt": 44.0}}, "watch", "Nothing is open, but not all is calm."),
        ({"completeness": {"x": 0.2}}, "calm, as far as known", "Nothing is open, but not all is known."),
        ({"completeness": {}}, "calm, as far as known", "Nothing is open, but not all is known."),
        ({"blind": True, "window_mentions": 0}, "blind", "Nothing is open, but not all is known."),
        ({"at": "2025-01-01T00:00:00Z"}, "judging has stopped", "Nothing is open, but not all is known."),
        ({"at": None}, "not yet judged", "Nothing is open, but not all is known."),
    ],
)
def test_a_brand_is_called_calm_only_where_that_is_known(
    service: Service, browser: Chrome, state: dict[str, Any], chip: str, quiet: str
) -> None:
    service.put_brand()
    service.put_state(**state)
    _sign_in(service, browser)
    until(lambda: texts(browser, ".brand .chip") == [chip], what=chip)
    assert texts(browser, "#quiet")[0].startswith(quiet)


def test_unknown_hours_are_hatched_and_not_drawn_as_zero(service: Service, browser: Chrome) -> None:
    async def told(store: Store) -> None:
        now = time.time()
        await store.do("HSET", keys.since(BRAND), f"x{keys.SEPARATOR}first", now - 40 * 3600)
        await store.do("HSET", keys.gaps(BRAND), f"x{keys.SEPARATOR}{now - 6 * 3600}", str(now - 3 * 3600))

    service.put_brand()
    service.with_store(told)
    _sign_in(service, browser)
    until(lambda: texts(browser, ".brand figcaption") == ["24 h, highest hour 0, not known for 4.0 h"], what="a gap")
    assert (len(find(browser, ".brand .line")), len(find(browser, ".brand svg > rect"))) == (2, 1)


def test_the_page_says_so_when_the_service_hangs_and_when_it_is_back(service: Service, board: Chrome) -> None:
    service.put_state()
    until(lambda: "all quiet" in "".join(texts(board, "#quiet")), what="calm")
    service.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: texts(board, "#connection") == ["Not live"], 30, "word that nothing answers")
        assert "a crisis may have begun meanwhile" in texts(board, "#stale-text")[0]
        assert "quiet" not in texts(board, "#quiet")[0]
        assert board.title == "Not live · Foreshock"
    finally:
        service.process.send_signal(signal.SIGCONT)
    until(lambda: texts(board, "#connection") == ["Live"], 30, "the live board")
    assert texts(board, "#stale") == []


def test_the_page_says_so_when_the_service_is_gone_and_still_shows_what_was_open(
    store_url: str, browser: Chrome
) -> None:
    with _running(store_url) as service:
        board = _open_board(service, browser)
        service.save(_episode())
        one(board, ".episode")
        service.process.terminate()
        until(lambda: texts(board, "#stale") != [], what="word that the service is gone")
        assert texts(board, "#connection") == ["Not live"]
        assert texts(board, ".episode h3") == [BRAND]
        assert board.title == "Not live · (1) Foreshock"
        one(board, "[data-slot=acknowledge]").click()
        until(lambda: texts(board, ".answer.bad") == ["Not done: the service does not answer."], what="the failure")


def test_a_key_that_is_no_longer_taken_leads_to_signing_in_again(service: Service, board: Chrome) -> None:
    service.with_store(lambda store: store.do("DEL", keys.API_KEYS))
    until(lambda: "Signed out" in "".join(texts(board, "#stale-text")), what="word of it")
    board.refresh()
    assert one(board, "#key").is_displayed()


def test_the_page_fits_a_phone_and_each_control_has_a_name(service: Service, board: Chrome) -> None:
    service.save(_episode(reason="w" * 300, evidence={"first_mentions": [_post("x" * 400)]}))
    one(board, ".episode")
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    board.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert board.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        board.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    controls = find(board, "button, input, a, summary")
    assert len(controls) > 6
    assert [control.tag_name for control in controls if not control.accessible_name] == []
    assert [h.tag_name for h in find(board, "h1, h2, h3, h4") if h.is_displayed()][:3] == ["h1", "h2", "h3"]


def test_what_the_last_weeks_would_have_raised_is_shown_at_three_budgets_or_why_it_is_not(
    service: Service, board: Chrome
) -> None:
    one(board, ".brand summary").click()
    one(board, ".brand .ask button").click()
    until(lambda: "Not done: nothing was ever counted of acme-air" in "".join(texts(board, ".answer.bad")), what="why")
    end = time.time() // 300 * 300
    service.with_store(lambda store: counted(store, BRAND, end, 3, crisis=(DAY, 24, 8.0)))
    one(board, ".brand .ask button").click()
    one(until(lambda: find(board, ".preview"), what="the answer")[0], "tbody tr")
    assert [row.split()[0] for row in texts(board, ".preview tbody tr")] == ["0.1", "0.5", "2"]
    assert "negative mentions" in texts(board, ".raised li")[0]
    assert len(find(board, ".preview svg .alert")) >= 3
    assert texts(board, ".answer") == []
    assert [m for m in complaints(board) if "409" not in m] == []
