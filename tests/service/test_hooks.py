"""`/v1/hooks/{source}` over real HTTP: what is signed is counted, everything else is refused before it is read."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.hook import digest
from collectors.hook_zendesk import ZendeskHook
from service import keys
from service.api.hooks import MAX_BODY
from service.brand import Brand
from service.brandfile import BrandFileError, apply, load
from service.hooks import find_hook, variable
from service.ingest import drained
from service.registry import Registry
from service.search import search
from service.settings import Settings, from_environment
from service.store import Store
from service.worker import Worker
from tests.service.live import with_store
from tests.service.rest import serving

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
SECRETS = {"FACEBOOK_SECRET": "app-secret", "FACEBOOK_VERIFY_TOKEN": "our-token", "LINKEDIN_SECRET": "client-secret"}
FILE = """\
hooks:
  - type: zendesk
    source: zendesk
    secret: signing-secret
    brands: [acme]
  - type: webhook
    source: shop
    secret: shop-secret
    kind: review
    signature: {type: token}
    map: {id: id, text: text}
"""


class At:
    """A clock that stands."""

    replay = False

    async def now(self) -> float:
        return NOW.timestamp()


def page(text: str = "acme is awful", verb: str = "add", comment: str = "c1", minute: int = 58) -> bytes:
    at = int(datetime(2026, 3, 8, 11, minute, tzinfo=UTC).timestamp())
    value = {
        "item": "comment", "verb": verb, "comment_id": comment, "post_id": "1_2", "message": text,
        "from": {"id": "u1"}, "created_time": at if verb == "add" else at - 60,
    }  # fmt: skip
    entry = {"id": "1", "time": at, "changes": [{"field": "feed", "value": value}]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


def signed(body: bytes, secret: bytes = b"app-secret") -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={digest(secret, body)}"}


def served(url: str, body: Callable[[Store, httpx.AsyncClient], Awaitable[None]]) -> None:
    """Run `body` with a store and the API, asked by one who has no key."""

    async def run(store: Store) -> None:
        await Registry(store).put_brand(Brand(name="acme", query="acme"))
        settings = Settings(hook_secrets=SECRETS)
        async with serving(store, clock=At(), settings=settings) as client:
            del client.headers["Authorization"]
            await body(store, client)

    with_store(url, run)


async def texts(store: Store) -> list[str]:
    worker = asyncio.create_task(Worker(store, At(), "w").run())
    await drained(store, ["acme"])
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    return [m["text"] for m in (await search(store, ["acme"], "", 50, None))["items"]]


def test_a_signed_delivery_is_counted_once_however_often_it_comes(store_url: str) -> None:
    async def body(store: Store, client: httpx.AsyncClient) -> None:
        told = page()
        for _ in range(2):
            answer = await client.post("/v1/hooks/facebook", content=told, headers=signed(told))
            assert answer.status_code == 200
            assert (answer.json()["accepted"], answer.json()["matched"], answer.json()["skipped"]) == (1, 1, 0)
        assert await texts(store) == ["acme is awful"]

    served(store_url, body)


def test_what_the_network_removes_is_taken_out_and_a_replay_does_not_bring_it_back(store_url: str) -> None:
    async def body(store: Store, client: httpx.AsyncClient) -> None:
        said, gone = page(), page(verb="remove", minute=59)
        for told, expected in ((said, ["acme is awful"]), (gone, []), (said, [])):
            await client.post("/v1/hooks/facebook", content=told, headers=signed(told))
            assert await texts(store) == expected

    served(store_url, body)


def test_what_is_not_signed_is_refused_before_it_is_read(store_url: str) -> None:
    async def body(store: Store, client: httpx.AsyncClient) -> None:
        told = page()
        for headers in ({}, signed(told, b"other-secret"), signed(told + b" "), {"Authorization": "Bearer app-secret"}):
            answer = await client.post("/v1/hooks/facebook", content=told, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["content-type"] == "application/problem+json"
            assert "app-secret" not in answer.text
        assert (await client.post("/v1/hooks/facebook", content=b"{", headers={})).status_code == 401
        assert (await client.post("/v1/hooks/facebook", content=b"{", headers=signed(b"{"))).status_code == 400
        assert await store.do("XLEN", keys.ingest(keys.shard("acme"))) == 0

    served(store_url, body)


def test_a_body_over_the_limit_is_refused(store_url: str) -> None:
    async def body(_: Store, client: httpx.AsyncClient) -> None:
        told = b" " * (MAX_BODY + 1)
        assert (await client.post("/v1/hooks/facebook", content=told, headers=signed(told))).status_code == 413

    served(store_url, body)


def test_a_hook_without_a_secret_takes_nothing(store_url: str) -> None:
    async def body(store: Store, client: httpx.AsyncClient) -> None:
        await Registry(store).put_hook(ZendeskHook())
        for source in ("zendesk", "nobody"):
            for answer in (
                await client.post(f"/v1/hooks/{source}", content=b"{}"),
                await client.get(f"/v1/hooks/{source}"),
            ):
                assert answer.status_code == 404
                assert "docs/hooks.md" in answer.json()["detail"]

    served(store_url, body)


def test_challenges_are_answered_as_each_network_asks(store_url: str) -> None:
    async def body(_: Store, client: httpx.AsyncClient) -> None:
        asked = {"hub.mode": "subscribe", "hub.challenge": "<b>42</b>", "hub.verify_token": "our-token"}
        answer = await client.get("/v1/hooks/facebook", params=asked)
        assert (answer.status_code, answer.text) == (200, "<b>42</b>")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"
        wrong = await client.get("/v1/hooks/facebook", params={**asked, "hub.verify_token": "guess"})
        assert wrong.status_code == 403
        assert "our-token" not in wrong.text
        code = "890e4665-4dfe-4ab1-b689-ed553bceeed0"
        found = (await client.get("/v1/hooks/linkedin", params={"challengeCode": code})).json()
        assert found == {"challengeCode": code, "challengeResponse": digest(b"client-secret", code.encode())}

    served(store_url, body)


def test_a_hook_from_the_file_takes_its_deliveries_and_shows_no_secret(tmp_path: Path, store_url: str) -> None:
    (tmp_path / "foreshock.yaml").write_text(FILE)
    file = load(tmp_path / "foreshock.yaml")

    async def body(store: Store, client: httpx.AsyncClient) -> None:
        await apply(file, Registry(store))
        stamp = NOW.isoformat()
        detail = {"id": "1", "subject": "Refund", "description": "now", "created_at": stamp}
        told = json.dumps({"type": "zen:event-type:ticket.created", "time": stamp, "detail": detail}).encode()
        name = "X-Zendesk-Webhook-Signature"
        made = digest(b"signing-secret", stamp.encode(), told, encoding="base64")
        answer = await client.post("/v1/hooks/zendesk", content=told, headers={name: made, f"{name}-Timestamp": stamp})
        assert answer.json()["matched"] == 1, "the hook's brands are named, so that no query is asked"
        shop = {"Authorization": "Bearer shop-secret"}
        answer = await client.post("/v1/hooks/shop", json={"id": 1, "text": "acme, never again"}, headers=shop)
        assert answer.json()["matched"] == 1
        assert sorted(await texts(store)) == ["Refund\n\nnow", "acme, never again"]
        listed = await client.get("/v1/hooks", headers={"Authorization": "Bearer fsk_tests-only"})
        assert [item["source"] for item in listed.json()["items"]] == ["zendesk", "shop"]
        assert "-secret" not in listed.text
        assert (await client.get("/v1/hooks")).status_code == 401

    served(store_url, body)


def test_an_operator_sets_changes_and_drops_a_hook_by_rest(store_url: str) -> None:
    async def body(_: Store, client: httpx.AsyncClient) -> None:
        admin = {"Authorization": "Bearer fsk_tests-only"}
        hook: dict[str, Any] = {
            "type": "webhook", "source": "shop", "secret": "shop-secret", "signature": {"type": "token"},
            "map": {"id": "id", "text": "text"},
        }  # fmt: skip
        assert (await client.put("/v1/hooks/shop", json=hook)).status_code == 401
        assert (await client.put("/v1/hooks/other", json=hook, headers=admin)).status_code == 422
        for status in (201, 200):
            answer = await client.put("/v1/hooks/shop", json=hook, headers=admin)
            assert answer.status_code == status
            assert "shop-secret" not in answer.text
        bad = await client.put("/v1/hooks/shop", json={**hook, "secret": 12345678}, headers=admin)
        assert bad.status_code == 422
        assert "12345678" not in bad.text
        shop = {"Authorization": "Bearer shop-secret"}
        assert (await client.post("/v1/hooks/shop", json={"id": 1, "text": "acme"}, headers=shop)).status_code == 200
        assert (await client.delete("/v1/hooks/shop", headers=admin)).status_code == 204
        assert (await client.delete("/v1/hooks/shop", headers=admin)).status_code == 404
        assert (await client.post("/v1/hooks/shop", json={"id": 1, "text": "acme"}, headers=shop)).status_code == 404

    served(store_url, body)


def test_the_environments_secret_goes_before_the_files(store_url: str) -> None:
    async def body(store: Store) -> None:
        registry = Registry(store)
        await registry.put_hook(ZendeskHook(source="zendesk.eu", secret="in-the-file"))
        environ = {"FORESHOCK_HOOK_ZENDESK_EU_SECRET": "in-the-environment", "FORESHOCK_HOOK_X_SECRET": ""}
        given = from_environment(environ)["hook_secrets"]
        assert given == {"ZENDESK_EU_SECRET": "in-the-environment"}
        for settings, expected in ((Settings(hook_secrets=given), "in-the-environment"), (Settings(), "in-the-file")):
            found = find_hook(registry, settings, "zendesk.eu")
            assert found is not None
            assert found[1].secret == expected
            assert expected not in repr(settings)
        assert variable("zendesk.eu", "secret") == "FORESHOCK_HOOK_ZENDESK_EU_SECRET"

    with_store(store_url, body)


def test_a_hook_that_is_wrong_in_the_file_is_named_by_line_without_its_secret(tmp_path: Path) -> None:
    path = tmp_path / "foreshock.yaml"
    path.write_text(FILE.replace("map: {id: id, text: text}", "map: {id: id}"))
    with pytest.raises(BrandFileError, match=r"foreshock\.yaml:11: hooks\.1\.webhook\.map\.text") as caught:
        load(path)
    assert "shop-secret" not in str(caught.value)
    path.write_text(FILE.replace("source: shop", "source: zendesk"))
    with pytest.raises(BrandFileError, match="hook 'zendesk' stands here twice"):
        load(path)
