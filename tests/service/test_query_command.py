import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from service.store import Store
from tests.service.rest import serving

TEXTS = "Acme Air lost my bag\nby train\nacme, a refund!\n"


def query(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", "query", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def test_the_command_says_of_each_line_whether_it_matches_and_what_did_it() -> None:
    done = query("acme -refund*", "--format", "json", given=TEXTS)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"matches": True, "found": [{"term": "acme", "spans": [[0, 4]]}]},
        {"matches": False, "found": []},
        {
            "matches": False,
            "found": [
                {"term": "acme", "spans": [[0, 4]]},
                {"term": "refund*", "spans": [[8, 14]], "excludes": True},
            ],
        },
    ]
    assert done.returncode == 0


def test_the_table_reads_a_file_and_hides_what_a_terminal_would_obey(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("Acme \x1b[31m air\n")
    done = query("acme", str(tmp_path / "texts"))
    assert "yes" in done.stdout
    assert "\x1b" not in done.stdout


def test_mentions_are_read_where_they_are_announced() -> None:
    lines = [json.dumps({"text": "a", "source": s, "id": "1"}) for s in ("x", "reddit")]
    done = query("source:reddit", "--mentions", "--format", "json", given="\n".join(lines))
    assert [json.loads(line)["matches"] for line in done.stdout.splitlines()] == [False, True]


def test_bad_input_gets_one_line(tmp_path: Path) -> None:
    for done, said in (
        (query("acme (air"), "query: column 6: the parenthesis is not closed; expected a closing )"),
        (query("acme", str(tmp_path / "none")), "none: No such file"),
        (query("acme", "--mentions", given='{"text": 7}'), "line 1: a mention as JSON is expected"),
    ):
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def ask(store_url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    async def posted() -> tuple[int, dict[str, Any]]:
        async with Store(store_url) as store:
            await store.prepare()
            async with serving(store) as client:
                answer = await client.post("/v1/queries/test", json=body)
                return answer.status_code, answer.json()

    return asyncio.run(posted())


def test_a_query_is_tried_by_rest_on_texts_and_mentions(store_url: str) -> None:
    whole = {"id": "9", "text": "😀 ACME", "source": "reddit", "published_at": "2026-03-01T00:00:00Z", "engagement": 3}
    status, told = ask(store_url, {"query": "acme source:reddit", "texts": ["acme", whole]})
    assert status == 200
    assert told == {
        "query": "acme AND source:reddit",
        "results": [
            {"matches": False, "found": [{"term": "acme", "spans": [[0, 4]]}]},
            {"matches": True, "found": [{"term": "acme", "spans": [[2, 6]]}, {"term": "source:reddit"}]},
        ],
    }


def test_a_query_that_cannot_be_read_is_a_problem_with_its_column(store_url: str) -> None:
    status, told = ask(store_url, {"query": "acme NEAR air", "texts": []})
    assert status == 422
    assert told["detail"].startswith("query: column 6: NEAR does not say how near")
    assert told["errors"] == [
        {
            "where": "query",
            "what": "NEAR does not say how near",
            "column": 6,
            "expected": "NEAR/5: words from 1 to 100",
        }
    ]


def test_more_texts_than_a_request_may_try_are_refused(store_url: str) -> None:
    assert ask(store_url, {"query": "acme", "texts": ["a"] * 201})[0] == 422
    assert ask(store_url, {"query": "acme", "texts": [7]})[0] == 422
    assert ask(store_url, {"query": "acme", "texts": ["a" * 100_000] * 6})[0] == 413
