"""A wrong `foreshock.yaml` says file, line and what would be right; nothing of it is used."""

from pathlib import Path

import pytest

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
