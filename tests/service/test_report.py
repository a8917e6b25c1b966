"""The report tells all of an episode, needs nothing beside itself, and runs nothing that strangers wrote."""

import re
from io import BytesIO

from PIL import Image

from service.api.report import HEADERS
from service.episode import Episode
from service.frozen import Frozen
from service.notify.delivery_log import Delivery
from service.report import Format, render
from service.store import Store
from tests.service.live import with_store
from tests.service.notify.samples import (
    AT,
    BRAND,
    EVIDENCE,
    FIRST,
    LOUD,
    URL,
    acknowledged,
    curve,
    later,
    opened,
    post,
    resolved,
)
from tests.service.rest import serving
from tests.service.test_ticker import crises, storm, watched

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)"> | **bold** [bank](http://evil.example) {{ 7 * 7 }}'
PICTURE = b"\x89PNG of the episode"


def delivery(channel: str, seconds: float, outcome: str = "delivered", **change: object) -> Delivery:
    base = {
        "id": "1-0-1", "notice": "ntc_1", "event": "evt_1", "type": "episode.opened", "episode": "ep_1",
        "brand": "acme-air", "channel": channel, "kind": "slack", "why": "route", "tries": 1,
        "at": AT.timestamp() + seconds, "outcome": outcome, "detail": "", "ms": 80.0, **change,
    }  # fmt: skip
    return Delivery(**base)  # type: ignore[arg-type]


def report(how: Format = "html", episode: Episode | None = None, posts: tuple[str, ...] = ()) -> str:
    frozen = Frozen(0.0, curve(), [post(20 + n, text, 5, 10) for n, text in enumerate(posts)])
    told = [delivery("mail", 66, "failed", detail="421 try later", tries=2), delivery("pr-slack", 3)]
    return render(how, episode or resolved(), BRAND, frozen, told, PICTURE, URL)


def words(page: str) -> str:
    """What a person reads of a page."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def test_it_says_how_soon_it_was_seen_told_taken_and_over() -> None:
    read = words(report())
    for said in (
        "acme-air: revolt, severity 5 of 5",
        "From the first post to the alert 14 minutes",
        "From the alert to the first channel 3 seconds",
        "From the alert to the acknowledgement 22 minutes",
        "From the begin to the end 3 h 31 min",
        "Severity at first and at its worst 4 and 5 of 5",
        "Sun 1 Mar 13:58 acknowledged Ann calling the airport",
        "Sun 1 Mar 13:36:03 pr-slack opened delivered",
        "Sun 1 Mar 13:37:06 mail opened failed at try 2 421 try later",
        "nobody said yet whether it was real",
        FIRST["text"],
        LOUD["text"],
        "doctor 141 0.0",
    ):
        assert said in read, said


def test_markdown_tells_the_same() -> None:
    text = report("md")
    assert text.startswith("# acme-air: revolt, severity 5 of 5\n")
    assert "| From the alert to the acknowledgement | 22 minutes |" in text
    assert "| Sun 1 Mar 13:58 | acknowledged | Ann | calling the airport |" in text
    assert f"![what was counted and what is normal]({URL}/v1/episodes/ep_s001_1_acme-air/chart.png)" in text
    assert f"> {FIRST['text']}" in text.replace("\\", "")
    assert "\n\n\n" not in text


def test_what_nobody_did_is_said_too() -> None:
    assert "From the alert to the acknowledgement nobody acknowledged" in words(report(episode=opened()))
    bare = opened(evidence={}, completeness={}, growth=None)
    for how in ("html", "md"):
        text = render(how, bare, None, None, [], None, URL)
        assert "The delivery log has nothing of it." in text
        assert "chart.png" not in text
        assert "None" not in text


def test_feedback_and_reopening_stand_in_it() -> None:
    back = resolved().told(later(300), "episode.reopened", "foreshock", "r", returned_at=later(295))
    assert "paged again: it is back" in words(report(episode=back))
    said = resolved().told(later(300), "episode.feedback", "Ann", feedback="real")
    assert "Was it real? real" in words(report(episode=said))


def test_a_page_runs_nothing_that_strangers_wrote_and_asks_nobody_for_anything() -> None:
    evil = {**FIRST, "text": EVIL, "author": {"id": EVIL, "name": EVIL}, "url": "javascript:alert(3)"}
    evidence = {**EVIDENCE, "first_mentions": [evil], "top_terms": [{"term": EVIL, "count": 2, "expected": 0.0}]}
    episode = acknowledged().model_copy(update={"evidence": evidence}).told(later(30), "episode.noted", EVIL, EVIL)
    page = report(episode=episode, posts=(EVIL,))
    assert set(re.findall(r"<(\w+)", page)) == set(re.findall(r"<(\w+)", report(posts=("",))))
    assert not re.search(r"<[^>]*\son\w+=", page)
    assert "javascript:" not in page
    assert "{{ 7 * 7 }}" in page
    assert set(re.findall(r'src="(\w+:)', page)) == {"data:"}
    markdown = report("md", episode, (EVIL,))
    assert "<script" not in markdown
    assert "<img" not in markdown
    assert "[bank](" not in markdown
    assert not re.search(r"^\|(?:[^|\n]*\|){5,}$", markdown.partition("## Who was told")[0], re.MULTILINE)


def test_by_rest_an_episode_has_its_picture_and_its_report(store_url: str) -> None:
    async def body(store: Store) -> None:
        await storm(store, await watched(store))
        (found,) = await crises(store)
        path = f"/v1/episodes/{found.id}"
        async with serving(store) as client:
            day, night = [await client.get(f"{path}/chart.png", params={"theme": t}) for t in ("light", "dark")]
            page, text = [await client.get(f"{path}/report", params={"format": f}) for f in ("html", "md")]
            wrong = await client.get(f"{path}/report?format=pdf")
            nothing = [await client.get(f"/v1/episodes/ep_s001_1_x/{what}") for what in ("chart.png", "report")]
            anonymous = await client.get(f"{path}/report", headers={"Authorization": ""})
        assert Image.open(BytesIO(day.content)).size == (1080, 675)
        assert day.content != night.content
        assert (day.headers["content-type"], day.headers["cache-control"]) == ("image/png", "no-store")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert {name: page.headers[name] for name in HEADERS} == HEADERS
        assert 'src="data:image/png;base64,' in page.text
        assert "acme: " in words(page.text)
        assert text.text.startswith("# acme: ")
        assert [answer.status_code for answer in (wrong, *nothing, anonymous)] == [422, 404, 404, 401]

    with_store(store_url, body)
