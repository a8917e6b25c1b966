"""Bad input gets a problem document that names the field, and nothing of it is stored."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance.running import KEY, Service, total

NOW = datetime.now(UTC)


def mention(**change: Any) -> dict[str, Any]:
    return {
        "id": "bad-1",
        "source": "x",
        "text": "acme air lost my bag",
        "published_at": NOW.isoformat(),
        **change,
    }


def test_a_valid_mention_is_accepted_and_says_so(client: httpx.Client) -> None:
    answer = client.post("/v1/mentions", json=mention(id="good-1", text="quietbrand is fine"))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 1, "matched": 1, "repeated": 0, "rejected": 0, "errors": []}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"colour": "red"}, "colour"),
        ({"id": 7}, "id"),
        ({"id": ""}, "id"),
        ({"text": None}, "text"),
        ({"source": "Not A Source"}, "source"),
        ({"published_at": "yesterday"}, "published_at"),
        ({"published_at": "2026-01-01T00:00:00"}, "published_at"),
        ({"published_at": (NOW + timedelta(hours=1)).isoformat()}, "published_at"),
        ({"published_at": (NOW - timedelta(days=9)).isoformat()}, "published_at"),
        ({"published_at": "0001-01-01T00:00:00Z"}, "published_at"),
        ({"kind": "rant"}, "kind"),
        ({"author": {"id": "a", "followers": -1}}, "author.followers"),
        ({"author": {"id": "a", "followers": "many"}}, "author.followers"),
        ({"engagement": 1.5}, "engagement"),
        ({"brands": ["no-such-brand"]}, "brands"),
        ({"deleted": "perhaps"}, "deleted"),
        ({"text": "x" * 100_001}, "text"),
    ],
)
def test_the_problem_names_the_field(client: httpx.Client, change: dict[str, Any], where: str) -> None:
    before = total(client, "acme-air")
    answer = client.post("/v1/mentions", json=mention(**change))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert where in problem["detail"]
    assert problem["errors"][0]["where"] == where
    assert total(client, "acme-air") == before


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "no JSON"),
        (b"", 400, "no JSON"),
        (b'{"id": "\xff\xfe"}', 400, "no JSON"),
        (b'{"id": "1", "engagement": NaN}', 400, "no JSON"),
        (b'{"id": "1", "engagement": Infinity}', 400, "no JSON"),
        (b'{"text": "\\ud800"}', 400, "no JSON"),
        (b"[" * 5000, 400, "no JSON"),
        (b"7", 422, "item 0"),
        (b"null", 422, "item 0"),
        (b" " * (10 * 1024 * 1024), 413, "over 8388608 bytes"),
    ],
)
def test_a_body_that_is_no_mention_is_refused_whole(client: httpx.Client, body: bytes, status: int, says: str) -> None:
    answer = client.post("/v1/mentions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


def test_one_bad_item_never_rejects_its_batch(client: httpx.Client) -> None:
    good = mention(id="good-2", text="quietbrand again")
    answer = client.post("/v1/mentions", json=[good, mention(kind="rant"), good])
    assert answer.status_code == 202
    receipt = answer.json()
    assert (receipt["accepted"], receipt["repeated"], receipt["rejected"]) == (1, 1, 1)
    assert receipt["errors"][0]["index"] == 1


def test_lines_of_json_are_taken_and_a_broken_line_is_named(client: httpx.Client) -> None:
    lines = [json.dumps(mention(id=f"line-{n}", text="quietbrand")) for n in range(3)]
    headers = {"content-type": "application/x-ndjson"}
    good = client.post("/v1/mentions", content="\n".join(lines) + "\n", headers=headers)
    assert good.json()["accepted"] == 3
    mixed = client.post("/v1/mentions", content="\n".join([lines[0], "{oops", lines[1]]), headers=headers)
    assert (mixed.status_code, mixed.json()["accepted"], mixed.json()["rejected"]) == (202, 2, 1)
    assert mixed.json()["errors"][0]["where"] == "line 2"
    # Two on one line, and one over two lines: as many as there are lines, and yet none of them is one.
    whole = json.dumps(mention(id="whole", text="quietbrand", brands=["quietbrand", "quietbrand"]))
    begin, end = whole.split(', "quietbrand"]')
    torn = client.post(
        "/v1/mentions", content="\n".join([f"{lines[0]},{lines[1]}", begin, f'"quietbrand"]{end}']), headers=headers
    )
    assert torn.status_code == 422
    bad = client.post("/v1/mentions", content="{oops", headers=headers)
    assert bad.status_code == 422
    assert "line 1" in bad.json()["detail"]


def test_another_content_type_is_refused_with_what_would_be_right(client: httpx.Client) -> None:
    answer = client.post("/v1/mentions", content=b"a=b", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert "application/x-ndjson" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/v1/brands", "/v1/episodes", "/v1/events", "/v1/clock", "/v1/mentions", "/openapi.json"]
)
@pytest.mark.parametrize("key", [None, "wrong", KEY + "x", ""])
def test_without_a_valid_key_nothing_is_told(service: Service, path: str, key: str | None) -> None:
    with service.client(key) as stranger:
        answer = stranger.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Bearer" in answer.headers["www-authenticate"]


def test_only_health_is_told_to_anybody(service: Service) -> None:
    with service.client(None) as stranger:
        assert stranger.get("/healthz").json() == {"status": "ok"}


def test_an_ingest_key_writes_the_sources_it_names_and_reads_nothing(service: Service, client: httpx.Client) -> None:
    made = client.post("/v1/keys", json={"name": "shop", "scope": "ingest", "sources": ["shop"]}).json()["key"]
    with service.client(made) as shop:
        mine = shop.post("/v1/mentions", json=mention(id="s1", source="shop", text="quietbrand"))
        other = shop.post("/v1/mentions", json=mention(id="s2", source="x", text="quietbrand"))
        assert mine.status_code == 202
        assert other.status_code == 422
        assert other.json()["errors"][0]["where"] == "source"
        assert shop.get("/v1/episodes").status_code == 403
        assert shop.post("/v1/sources/x/heartbeat", json={"complete_until": NOW.isoformat()}).status_code == 403


def test_a_page_of_another_name_cannot_reach_the_service(service: Service) -> None:
    with service.client() as client:
        assert client.get("/v1/brands", headers={"host": "rebound.example"}).status_code == 400


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"query": "acme AND ("}, "query"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"budget": 0}, "budget"),
        ({"budget": "NaN"}, "budget"),
        ({"sources": [{"type": "telepathy"}]}, "sources"),
        ({"campaigns": [{"name": "x", "start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}]}, "campaigns"),
        ({"wishes": 1}, "wishes"),
    ],
)
def test_a_wrong_brand_is_not_stored(client: httpx.Client, change: dict[str, Any], where: str) -> None:
    answer = client.put("/v1/brands/wrong-brand", json={"query": "wrong", **change})
    assert answer.status_code == 422
    assert any(where in error["where"] for error in answer.json()["errors"])
    assert client.get("/v1/brands/wrong-brand").status_code == 404


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"brand": "no-such-brand"}, "brand"),
        ({"seconds": 59}, "seconds"),
        ({"count": -1}, "count"),
        ({"start": (NOW + timedelta(days=1)).replace(second=0, microsecond=0).isoformat()}, "start"),
        ({"start": NOW.replace(second=7).isoformat()}, "start"),
    ],
)
def test_a_wrong_count_is_not_stored(client: httpx.Client, change: dict[str, Any], where: str) -> None:
    start = (NOW - timedelta(hours=1)).replace(second=0, microsecond=0)
    count = {"brand": "quiet-brand", "source": "desk", "start": start.isoformat(), "seconds": 300, "count": 5}
    answer = client.post("/v1/counts", json={**count, **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == where


@pytest.mark.parametrize("path", ["/v1/mentions", "/v1/brands/big", "/login"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_stranger_cannot_make_the_service_read_without_end(service: Service, path: str, chunked: bool) -> None:
    body = b" " * (9 * 1024 * 1024)
    with service.client(None) as stranger:
        method = "PUT" if "brands" in path else "POST"
        pieces = iter([body[i : i + 65536] for i in range(0, len(body), 65536)])
        answer = stranger.request(method, path, content=pieces if chunked else body)
    assert answer.status_code in {401, 413}
    assert answer.headers["content-type"] == "application/problem+json"
