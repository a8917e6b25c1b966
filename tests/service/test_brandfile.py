"""A wrong `foreshock.yaml` says file, line and what would be right; nothing of it is used."""

from pathlib import Path

import pytest

from service.brand import Webhook
from service.brandfile import BrandFileError, apply, load
from service.registry import Registry
from service.store import Store
from tests.service.live import with_store

GOOD = """\
brands:
  - name: acme-air
    query: '"acme air"'
    sources:
      - type: feed
        url: https://example.com/news.xml
  - name: other
    query: other
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "foreshock.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("line", "text", "says"),
    [
        (3, "brands:\n  - name: acme\n    query: 'acme AND ('\n", "parenthes"),
        (3, "brands:\n  - name: acme\n    query: '\"acme'\n", "query"),
        (2, "brands:\n  - name: Acme Air\n    query: acme\n", "name"),
        (4, "brands:\n  - name: acme\n    query: acme\n    colour: red\n", "colour"),
        (4, "brands:\n  - name: acme\n    query: acme\n    timezone: Mars/Olympus\n", "Europe/Berlin"),
        (5, "brands:\n  - name: acme\n    query: acme\n    sources:\n      - type: telepathy\n", "type"),
        (6, "brands:\n  - name: a\n    query: a\n    sources:\n      - type: feed\n        url: 7\n", "url"),
        (4, "brands:\n  - name: acme\n    query: acme\n    budget: .nan\n", "budget"),
        (2, "brands:\n  - query: acme\n", "name"),
        (2, "brands:\n - name: 'a\n", "found unexpected end of stream"),
        (1, "- acme\n", "expected `brands:`"),
        (1, "", "expected `brands:`"),
        (1, "brands:\n  - {name: a, query: a}\n  - {name: a, query: b}\n", "stands here twice"),
        (4, "channels:\n  - name: m\n    type: apprise\n    url: dbus://hunter2\n", "scheme dbus:// is not allowed"),
        (2, "channels:\n  - name: m\n    type: pigeon\n", "'apprise', 'slack', 'webhook', 'alertmanager'"),
        (4, "channels:\n  - name: m\n    type: webhook\n    secrets: [hunter2]\n    url: https://a\n", "whsec_"),
        (3, "routes:\n  - name: r\n    to: [nobody]\n", "there is no channel or duty 'nobody'"),
        (4, "routes:\n  - name: r\n    to: [a]\n    severity_from: 9\n", "severity_from"),
        (2, "mutes:\n  - name: quiet\n    brands: [acme]\n", "a mute needs an end"),
        (1, "mutes:\n  - {name: a, end: 2026-01-01T00:00:00Z}\n  - {name: a, campaign: Sale}\n", "stands here twice"),
        (4, "webhooks:\n  - name: pager\n    url: https://example.com\n    secret: hunter2\n", "whsec_"),
    ],
)
def test_the_error_names_file_line_and_what_would_be_right(tmp_path: Path, line: int, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BrandFileError) as caught:
        load(path)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}:{line}: ")
    assert says in first
    assert "hunter2" not in first


NOTIFY = """\
channels:
  - name: ann-phone
    type: apprise
    url: env:FORESHOCK_CHANNEL_ANN
  - name: pr-room
    type: slack
    token: env:FORESHOCK_CHANNEL_SLACK
    channel: "#crisis"
duties:
  - name: pr
    timezone: Europe/Berlin
    starts: 2026-01-05
    hand_over: 9:00
    people:
      - {name: Ann, channel: ann-phone}
routes:
  - name: nights
    to: [pr, pr-room]
    quiet:
      hours:
        - {start: 22:00, end: 07:00}
      unless_severity: 4
    escalate:
      - {after_minutes: 10, to: [pr-room]}
mutes:
  - name: sale
    brands: [acme-air]
    campaign: Summer sale
"""


@pytest.mark.parametrize(
    ("was", "now", "line", "says"),
    [
        ("channel: ann-phone", "channel: ben-phone", 15, "duties.0.people.0.channel: there is no channel 'ben-phone'"),
        ("to: [pr, pr-room]", "to: [pr, pr-rom]", 18, "routes.0.to.1: there is no channel or duty 'pr-rom'; there is"),
        ("to: [pr-room]", "to: [boss]", 24, "routes.0.escalate.0.to.0: there is no channel or duty 'boss'"),
        ("name: pr-room", "name: ann-phone", 1, "webhook, channel or duty 'ann-phone' stands here twice"),
        ("name: pr\n", "name: ann-phone\n", 1, "webhook, channel or duty 'ann-phone' stands here twice"),
        ("end: 07:00", "end: 25:00", 21, "a time of day from 00:00 to 23:59"),
    ],
)
def test_names_that_stand_nowhere_are_told_where_they_are_used(
    tmp_path: Path, was: str, now: str, line: int, says: str
) -> None:
    path = written(tmp_path, NOTIFY.replace(was, now))
    with pytest.raises(BrandFileError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert says in str(caught.value)


def test_who_is_told_is_kept_and_seen_by_other_processes(tmp_path: Path, store_url: str) -> None:
    file = load(written(tmp_path, NOTIFY))
    assert file.routes[0].quiet is not None
    assert file.routes[0].quiet.hours[0].start == "22:00"

    async def body(store: Store) -> None:
        registry, other = Registry(store), Registry(store)
        await apply(file, registry)
        version = await store.do("GET", "fs:version")
        await apply(file, registry)
        assert await store.do("GET", "fs:version") == version
        assert await other.refresh()
        for seen in (registry, other):
            assert list(seen.channels.values()) == file.channels
            assert list(seen.duties.values()) == file.duties
            assert (seen.routes, seen.mutes) == (file.routes, file.mutes)

    with_store(store_url, body)


def test_a_file_that_is_not_there_or_no_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(BrandFileError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"brands: \xff\xfe")
    with pytest.raises(BrandFileError, match="byte 8 is not UTF-8"):
        load(tmp_path / "bytes.yaml")


def test_what_the_file_says_is_watched_and_what_came_by_rest_is_left_alone(tmp_path: Path, store_url: str) -> None:
    file = load(written(tmp_path, GOOD))

    async def body(store: Store) -> None:
        registry = Registry(store)
        await registry.put_brand(file.brands[0].model_copy(update={"name": "by-rest"}))
        await apply(file, registry)
        assert list(registry.brands) == ["acme-air", "by-rest", "other"]
        assert registry.matcher.match("I flew Acme Air") == ["acme-air", "by-rest"]
        another = Registry(store)
        assert await another.refresh()
        assert not await another.refresh()
        assert another.brands == registry.brands

    with_store(store_url, body)


def test_the_documented_notifications_are_understood(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "notifications.md"
    file = load(written(tmp_path, page.read_text().split("```yaml\n")[1].split("```")[0]))
    assert [c.type for c in file.channels] == ["apprise", "slack"]
    assert (len(file.duties), len(file.routes), len(file.mutes)) == (1, 1, 2)


def test_a_name_that_something_of_another_kind_has_by_rest_is_refused(store_url: str, tmp_path: Path) -> None:
    secret = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
    text = f"channels:\n  - {{name: pager, type: webhook, url: 'https://example.com', secrets: [{secret}]}}\n"

    async def body(store: Store) -> None:
        registry = Registry(store)
        await registry.put_webhook(Webhook(name="pager", url="https://example.com", secret=secret))
        with pytest.raises(BrandFileError, match="channel 'pager': a webhook of that name came by REST"):
            await apply(load(written(tmp_path, text)), registry)
        assert registry.channels == {}

    with_store(store_url, body)
