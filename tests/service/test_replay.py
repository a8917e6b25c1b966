import asyncio
import json
import math
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from collectors.mention import Mention
from service import replay
from service.mention_file import MentionFileError, extent, mentions
from service.replay import ReplayError, Tally, WayIn, as_line, batches, connect, replay_now, replay_on_clock, steps

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
KEY = "fs_right"


def _mention(number: int, at: datetime, text: str = "northvane") -> Mention:
    return Mention(id=f"m{number}", source="x", text=text, published_at=at)


def _every(minutes: float, count: int) -> list[Mention]:
    return [_mention(n, START + timedelta(minutes=minutes * n)) for n in range(count)]


def _write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return path


class Standin(ThreadingHTTPServer):
    """Speaks the service's REST on a port of its own: clock, way in, keys; keeps what it was asked, in order."""

    def __init__(self, clock: datetime | None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.replays = clock is not None
        self.now = clock or datetime.now(UTC)
        self.asked: list[tuple[str, Any]] = []
        self.refusals: list[tuple[int, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def posted(self) -> list[dict[str, Any]]:
        return [item for what, items in self.asked if what == "mentions" for item in items]


class _Answer(BaseHTTPRequestHandler):
    server: Standin
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def _say(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self._known():
            self._say(200, {"now": self.server.now.isoformat(), "replay": self.server.replays})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._known():
            return
        if self.server.refusals:
            status, headers, problem = self.server.refusals.pop(0)
            self._say(status, problem, headers)
        elif self.path == "/v1/clock":
            self.server.now = datetime.fromisoformat(json.loads(body)["now"])
            self.server.asked.append(("clock", self.server.now))
            self._say(200, {"now": self.server.now.isoformat(), "replay": True})
        else:
            items = [json.loads(line) for line in body.splitlines()]
            self.server.asked.append(("mentions", items))
            self._say(202, {"accepted": len(items), "matched": len(items), "repeated": 0, "rejected": 0, "errors": []})

    def _known(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {KEY}":
            return True
        self._say(401, {"title": "Unauthorized", "status": 401, "detail": "a valid key is needed"})
        return False


@contextmanager
def _standin(clock: datetime | None = None) -> Iterator[Standin]:
    with Standin(clock) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


async def _no_sleep(_: float) -> None:
    """Time stands still in these tests."""


def _play(server: Standin, recorded: list[Mention], speed: float = math.inf, **more: Any) -> Tally:
    async def play() -> Tally:
        async with connect(server.url, KEY) as client:
            way = WayIn(client, more.get("sleep", _no_sleep))
            first = recorded[0].published_at
            return await replay_on_clock(recorded, way, first, speed, 100, lambda _: None, **more)

    return asyncio.run(play())


def _arguments(file: Path, url: str = "", **other: Any) -> Namespace:
    return Namespace(**{"file": file, "url": url, "speed": None, "key": KEY, "batch": 100, **other})


def test_the_clock_is_moved_to_a_steps_end_before_its_mentions_come_and_past_the_last_at_the_end() -> None:
    with _standin(START) as server:
        tally = _play(server, _every(minutes=4, count=6))
    minutes = timedelta(minutes=1)
    told = [
        (what, (said - START) / minutes if what == "clock" else [item["id"] for item in said])
        for what, said in server.asked
    ]
    assert told == [
        ("clock", 10),
        ("mentions", ["m0", "m1", "m2"]),
        ("clock", 20),
        ("mentions", ["m3", "m4", "m5"]),
        ("clock", 30),
    ]
    assert tally == Tally(sent=6, accepted=6)


def test_on_the_clock_no_mention_is_posted_that_lies_ahead_of_the_services_time() -> None:
    with _standin(START) as server:
        _play(server, _every(minutes=2.5, count=40))
    now = START
    for what, said in server.asked:
        if what == "clock":
            now = said
        else:
            assert all(datetime.fromisoformat(item["published_at"]) <= now for item in said)
    assert len(server.posted) == 40


def test_quiet_steps_move_the_clock_too_so_that_silence_is_judged() -> None:
    recorded = [_mention(1, START), _mention(2, START + timedelta(minutes=45))]
    with _standin(START) as server:
        _play(server, recorded)
    assert [what for what, _ in server.asked] == [
        "clock",
        "mentions",
        "clock",
        "clock",
        "clock",
        "clock",
        "mentions",
        "clock",
    ]


def test_a_speed_is_kept_by_waiting_after_each_step() -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    with _standin(START) as server:
        _play(server, _every(minutes=4, count=6), speed=6.0, sleep=note)
    assert len(waits) == 2
    assert 90 < waits[0] <= 100  # 600 simulated seconds at 6 a second, less what posting took
    assert 190 < waits[1] <= 200


def test_a_service_that_asks_to_come_again_later_is_waited_for_and_gets_the_same_mentions() -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    async def play(server: Standin) -> Tally:
        async with connect(server.url, KEY) as client:
            return await replay_now(_every(1, 5), WayIn(client, note), timedelta(), 2, lambda _: None)

    with _standin() as server:
        server.refusals = [(429, {"Retry-After": "7"}, {"detail": "busy"}), (503, {}, {"detail": "away"})]
        tally = asyncio.run(play(server))
    assert waits == [7.0, 2.0]
    assert [item["id"] for item in server.posted] == ["m0", "m1", "m2", "m3", "m4"]
    assert tally.sent == tally.accepted == 5


def test_rejected_mentions_are_counted_with_their_first_reasons() -> None:
    problem = {
        "detail": "...",
        "errors": [{"index": 0, "where": "published_at", "what": "is more than 8 days ago"}] * 5,
    }
    with _standin(START) as server:
        server.refusals = [(200, {}, {"now": START.isoformat(), "replay": True}), (422, {}, problem)]
        tally = _play(server, _every(1, 5))
    assert (tally.sent, tally.accepted, tally.rejected) == (5, 0, 5)
    assert tally.reasons == ("published_at: is more than 8 days ago",) * 3


@pytest.mark.parametrize(
    ("clock", "sentence"),
    [
        (None, "the service runs on the system's clock, and --speed needs a replay's; start it with --replay-clock"),
        (
            START + timedelta(hours=1),
            "the recording starts elsewhere; start it with --replay-clock 2025-03-01T12:00:00",
        ),
        (START - timedelta(days=9), "the recording starts elsewhere"),
    ],
)
def test_a_service_whose_clock_is_not_the_recordings_is_refused_with_the_right_start(
    clock: datetime | None, sentence: str
) -> None:
    with _standin(clock) as server, pytest.raises(ReplayError, match=sentence):
        _play(server, _every(1, 3))
    assert server.asked == []


def test_a_409_is_told_with_the_services_own_reason() -> None:
    with _standin(START) as server:
        server.refusals = [(409, {}, {"detail": "the clock never goes back"})]
        with pytest.raises(ReplayError, match=r"the service refused /v1/clock \(409\): the clock never goes back"):
            _play(server, _every(1, 3))


def test_a_recording_is_shifted_as_a_whole_so_that_it_ends_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path / "r.jsonl", *(as_line(mention) for mention in _every(30, 4)))
    with _standin() as server:
        assert replay.run(_arguments(file, server.url)) == 0
    times = [datetime.fromisoformat(item["published_at"]) for item in server.posted]
    assert [later - times[0] for later in times] == [timedelta(minutes=30 * n) for n in range(4)]
    assert abs(datetime.now(UTC) - times[-1]) < timedelta(minutes=1)
    assert capsys.readouterr().out.startswith("sent 4, accepted 4, repeated 0, rejected 0, ")


def test_an_unsorted_recording_may_be_shifted_but_not_played_on_a_clock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path / "r.jsonl", *(as_line(mention) for mention in reversed(_every(30, 3))))
    with _standin(START) as server:
        assert replay.run(_arguments(file, server.url, speed="max")) == 2
        assert server.asked == []
    assert (
        f"{file}:2: published_at 2025-03-01T12:30:00+00:00 is before that of the line above" in capsys.readouterr().err
    )
    with _standin() as server:
        assert replay.run(_arguments(file, server.url)) == 0
        assert len(server.posted) == 3


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"{", "no JSON at column"),
        (b"[]", "no mention; a JSON object such as"),
        (b'{"id": "1", "source": "x", "text": "t"}', "published_at: is missing; id, source, text and published_at are"),
        (
            b'{"id": "1", "source": "x", "text": "t", "published_at": "2025-03-01T12:00:00"}',
            "published_at: Input should",
        ),
        (
            b'{"id": "1", "source": "X", "text": "t", "published_at": "2025-03-01T12:00:00Z"}',
            "source: String should match",
        ),
        (
            b'{"id": "1", "mood": 1, "source": "x", "text": "t", "published_at": "2025-03-01T12:00:00Z"}',
            "mood: no such fi",
        ),
        (b'{"id": "\xff"}', "byte 9 is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_line_and_nothing_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes, sentence: str
) -> None:
    file = _write(tmp_path / "r.jsonl", as_line(_mention(1, START)), b"", line)
    with _standin() as server:
        assert replay.run(_arguments(file, server.url)) == 2
    assert server.asked == []
    assert capsys.readouterr().err.startswith(f"foreshock replay: {file}:3: {sentence}")


def test_many_wrong_lines_are_told_up_to_ten(tmp_path: Path) -> None:
    with pytest.raises(MentionFileError) as caught:
        extent(_write(tmp_path / "r.jsonl", *["{"] * 40))
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[9].startswith(f"{tmp_path / 'r.jsonl'}:10: ")
    assert lines[10].endswith("the first 10 errors; the rest was not read")


def test_an_empty_file_and_a_missing_one_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MentionFileError, match="holds no mention; one JSON object on each line would be right"):
        extent(_write(tmp_path / "empty.jsonl", ""))
    with pytest.raises(MentionFileError, match=r"absent\.jsonl: No such file or directory"):
        extent(tmp_path / "absent.jsonl")


def test_a_recordings_extent_is_its_count_and_its_times(tmp_path: Path) -> None:
    recorded = _every(30, 4)
    file = _write(tmp_path / "r.jsonl", *(as_line(mention) for mention in recorded))
    found = extent(file)
    assert (found.mentions, found.first, found.last, found.unsorted) == (4, START, START + timedelta(minutes=90), None)
    assert list(mentions(file)) == recorded


def test_what_is_wrong_with_the_command_is_one_sentence_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORESHOCK_ADMIN_KEY", raising=False)
    file = _write(tmp_path / "r.jsonl", as_line(_mention(1, START)))
    with _standin() as server:
        url = server.url
        cases: list[tuple[dict[str, Any], str]] = [
            ({"key": "fs_wrong"}, "the service does not know this key; give the right one by --key"),
            ({"key": None}, "a key is needed; give it by --key or FORESHOCK_ADMIN_KEY"),
            ({"speed": "fast"}, "--speed fast: simulated seconds a second, such as 600, or max, would be right"),
            ({"speed": "-1"}, "--speed -1: simulated seconds a second"),
            ({"speed": "nan"}, "--speed nan: simulated seconds a second"),
            ({"speed": "60"}, "the service runs on the system's clock, and --speed needs a replay's"),
            ({"batch": 0}, "--batch 0: how many mentions a request, 1 or more, would be right"),
            ({"url": "127.0.0.1"}, "--url 127.0.0.1: an address such as http://127.0.0.1:8470 would be right"),
        ]
        for change, sentence in cases:
            assert replay.run(_arguments(file, **{"url": url, **change})) == 2
            error = capsys.readouterr().err
            assert error.startswith(f"foreshock replay: {sentence}")
            assert error.count("\n") == 1
        assert server.asked == []
    assert replay.run(_arguments(file, url)) == 2
    assert capsys.readouterr().err == (
        f"foreshock replay: nothing answers on {url}; start the service, or name its address by --url\n"
    )


def test_the_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORESHOCK_ADMIN_KEY", KEY)
    file = _write(tmp_path / "r.jsonl", as_line(_mention(1, START)))
    with _standin() as server:
        assert replay.run(_arguments(file, server.url, key=None)) == 0
        assert len(server.posted) == 1


def test_without_a_speed_a_service_on_a_replays_clock_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path / "r.jsonl", as_line(_mention(1, START)))
    with _standin(START) as server:
        assert replay.run(_arguments(file, server.url)) == 2
        assert server.asked == []
    assert "the service runs on a replay's clock; say how fast by --speed N" in capsys.readouterr().err


def test_requests_stay_below_the_size_the_service_takes() -> None:
    lines = ["x" * 1_500_000] * 5 + ["y" * 9_000_000, "z"]
    assert [len(batch) for batch in batches(lines, size=100)] == [2, 2, 1, 1, 1]
    assert [len(batch) for batch in batches(["a"] * 7, size=3)] == [3, 3, 1]


def test_steps_hold_every_mention_once_in_the_step_it_was_published_in() -> None:
    recorded = _every(minutes=7, count=10)
    found = list(steps(recorded, START, timedelta(minutes=10)))
    assert [mention for _, held in found for mention in held] == recorded
    for end, held in found:
        assert all(end - timedelta(minutes=10) <= mention.published_at <= end for mention in held)


def test_shifting_moves_publication_and_update_alike_and_nothing_else() -> None:
    edited = _mention(1, START).model_copy(update={"updated_at": START + timedelta(hours=1)})
    moved = Mention.model_validate_json(as_line(edited, timedelta(days=3)))
    assert moved.published_at - edited.published_at == timedelta(days=3)
    assert moved.updated_at == START + timedelta(days=3, hours=1)
    assert moved.model_copy(update={"published_at": START, "updated_at": edited.updated_at}) == edited
