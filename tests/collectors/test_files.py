"""A file that another program writes is followed: whole records, each once, and only below the operator's directory."""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.collector import Batch, CollectorError
from collectors.files import CHUNK, MAX_RECORD, FileCollector, FileSettings
from collectors.outbound import Outbound
from collectors.registry import build

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
WRITTEN = NOW - timedelta(minutes=3)


def line(number: int, text: str = "acme", **more: Any) -> str:
    return json.dumps({"id": str(number), "text": text, "published_at": "2026-03-08T11:00:00Z", **more}) + "\n"


def poll(folder: Path, cursor: Mapping[str, Any] | None = None, **more: Any) -> Batch:
    settings = FileSettings.model_validate({"path": "said.jsonl", **more})
    path = folder / settings.path
    if path.exists():
        os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    collector = FileCollector(settings, "acme", folder)
    return asyncio.run(collector.poll(json.loads(json.dumps(cursor or {})), NOW))


def ids(batch: Batch) -> list[str]:
    return [mention.id for mention in batch.mentions]


def test_a_file_is_followed_as_it_grows_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text(line(1) + line(2) + line(3)[:20])
    first = poll(tmp_path)
    path.write_text(path.read_text() + line(3)[20:] + "\n" + line(4))
    second = poll(tmp_path, first.cursor)
    third = poll(tmp_path, second.cursor)
    assert [ids(first), ids(second), ids(third)] == [["1", "2"], ["3", "4"], []]
    assert (first.more, first.complete_until, third.complete_until) == (False, WRITTEN, WRITTEN)
    assert first.mentions[0].source == "file"
    assert first.mentions[0].brands is None


def test_a_lost_cursor_reads_the_same_again(tmp_path: Path) -> None:
    (tmp_path / "said.jsonl").write_text(line(1) + line(2))
    assert ids(poll(tmp_path)) == ids(poll(tmp_path, {})) == ["1", "2"]


def test_a_file_that_was_replaced_or_cut_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text(line(1) + line(2))
    cursor = poll(tmp_path).cursor
    path.write_text(line(1))
    cut = poll(tmp_path, cursor)
    (tmp_path / "new").write_text(line(1) + line(2) + line(8))
    (tmp_path / "new").rename(path)
    replaced = poll(tmp_path, cursor)
    path.write_text(line(7) + line(8) + line(9))
    written_over = poll(tmp_path, replaced.cursor)
    assert [ids(cut), ids(replaced), ids(written_over)] == [["1"], ["1", "2", "8"], ["7", "8", "9"]]


def test_a_large_file_is_read_in_pieces_and_complete_at_its_end(tmp_path: Path) -> None:
    text = "acme " * 4000
    (tmp_path / "said.jsonl").write_text("".join(line(n, text) for n in range(250)))
    first = poll(tmp_path)
    second = poll(tmp_path, first.cursor)
    assert 0 < len(first.mentions) < 250
    assert (first.more, first.complete_until) == (True, None)
    assert ids(first) + ids(second) == [str(n) for n in range(250)]
    assert (second.more, second.complete_until) == (False, WRITTEN)


def test_broken_lines_are_counted_and_keep_no_other_back(tmp_path: Path) -> None:
    broken = [b"{\n", b"[]\n", b"\xff\xfe\n", b'{"id": "1"}\n', line(1, "x" * 200_000).encode(), b"\n", b"  \n"]
    (tmp_path / "said.jsonl").write_bytes(b"".join(broken) + line(2).encode())
    batch = poll(tmp_path)
    assert (ids(batch), batch.skipped) == (["2"], 5)


def test_a_record_without_end_is_passed(tmp_path: Path) -> None:
    (tmp_path / "said.jsonl").write_bytes(b"x" * (CHUNK + MAX_RECORD) + b"\n" + line(1).encode())
    found, skipped, batch = list[str](), 0, Batch(more=True)
    while batch.more:
        batch = poll(tmp_path, batch.cursor)
        found, skipped = found + ids(batch), skipped + batch.skipped
    assert (found, skipped > 0) == (["1"], True)


def test_a_line_speaks_for_its_own_file_alone(tmp_path: Path) -> None:
    (tmp_path / "said.jsonl").write_text(line(1, source="x", brands=["globex"], language="de", colour="red"))
    (mention,) = poll(tmp_path, source="shop").mentions
    assert (mention.source, mention.brands, mention.language) == ("shop", None, "de")
    (mention,) = poll(tmp_path, matched=True).mentions
    assert mention.brands == ["acme"]


def test_a_csv_file_is_read_by_its_columns(tmp_path: Path) -> None:
    rows = (
        "\ufeffid,published_at,Text,author_name,author_followers,kind,deleted,colour\r\n"
        '1,2026-03-08T11:00:00Z,"said ""no"",\nand left",Ada,12,review,,red\r\n'
        "2,2026-03-08T11:00:00Z,plain,,,,,\r\n"
        "3,2026-03-08T11:00:00Z,,,,,true,\r\n"
        "4,yesterday,x,,,,,\r\n"
        "5,2026-03-08T11:00:00Z\r\n"
    )
    (tmp_path / "said.csv").write_bytes(rows.encode())
    batch = poll(tmp_path, path="said.csv", format="csv")
    first, second, third = batch.mentions
    assert (first.text, first.kind) == ('said "no",\nand left', "review")
    assert first.author is not None
    assert (first.author.id, first.author.name, first.author.followers) == ("Ada", "Ada", 12)
    assert (second.text, second.author) == ("plain", None)
    assert (third.deleted, batch.skipped) == (True, 2)


def test_a_csv_file_that_grows_keeps_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "said.csv"
    path.write_text('id,text,published_at\n1,a,2026-03-08T11:00:00Z\n2,"half\n')
    first = poll(tmp_path, path="said.csv", format="csv")
    path.write_text(path.read_text() + 'of it",2026-03-08T11:00:00Z\n')
    second = poll(tmp_path, first.cursor, path="said.csv", format="csv")
    assert (ids(first), [m.text for m in second.mentions]) == (["1"], ["half\nof it"])
    third = poll(tmp_path, second.cursor, path="said.csv", format="csv")
    assert (ids(third), third.skipped) == ([], 0)


def test_a_quote_that_never_ends_costs_neither_time_nor_what_follows(tmp_path: Path) -> None:
    rows = 'id,text,published_at\n1,"open' + "\n" * (MAX_RECORD + 10) + "\n2,b,2026-03-08T11:00:00Z\n"
    (tmp_path / "said.csv").write_text(rows)
    batch = poll(tmp_path, path="said.csv", format="csv")
    assert (ids(batch), batch.skipped) == (["2"], 1)


@pytest.mark.parametrize("header", ["id,text", "a;b;c", "id\x00,text"])
def test_a_csv_file_without_the_needed_columns_says_which(tmp_path: Path, header: str) -> None:
    (tmp_path / "said.csv").write_text(header + "\n1,2\n")
    with pytest.raises(CollectorError, match=r"said.csv: its first line (lacks .*published_at|is no CSV)"):
        poll(tmp_path, path="said.csv", format="csv")


def test_without_the_operators_directory_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "said.jsonl").write_text(line(1))
    config = FileSettings(path="said.jsonl")
    with pytest.raises(CollectorError, match="FORESHOCK_FILES_DIR"):
        build(config, "acme", "acme", Outbound(), {})
    built = build(config, "acme", "acme", Outbound(), {"files_dir": str(tmp_path)})
    assert ids(asyncio.run(built.poll({}, NOW))) == ["1"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "a\0b"])
def test_a_path_out_of_the_directory_is_refused_where_it_is_written(path: str) -> None:
    with pytest.raises(ValidationError):
        FileSettings(path=path)


def test_a_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.jsonl").write_text(line(1))
    (inside / "said.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (inside / "up").symlink_to(tmp_path)
    for path in ("said.jsonl", "up/secret.jsonl"):
        with pytest.raises(CollectorError, match="leads out"):
            poll(inside, path=path)


def test_what_is_no_file_or_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match="No such file"):
        poll(tmp_path)
    (tmp_path / "said.jsonl").mkdir()
    with pytest.raises(CollectorError, match="no file"):
        poll(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CollectorError, match="no file"):
        poll(tmp_path, path="pipe")
