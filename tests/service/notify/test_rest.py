"""Channels, duties, routes and mutes by REST: one line for what is wrong, no secret in any answer."""

import httpx

from service.store import Store
from tests.service.live import with_store
from tests.service.rest import serving

SECRET = "hunter2"
MAIL = {"type": "apprise", "url": f"mailtos://ann:{SECRET}@example.com"}
SIGNING = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
PR = {"people": [{"name": "Ann", "channel": "mail"}], "starts": "2026-01-05"}


async def made(client: httpx.AsyncClient, what: str, body: dict[str, object], status: int = 201) -> httpx.Response:
    answer = await client.put(f"/v1/{what}", json=body)
    assert answer.status_code == status, answer.text
    assert SECRET not in answer.text
    return answer


def test_what_is_put_is_listed_without_secrets_and_goes_when_nobody_needs_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with serving(store) as client:
            shown = (await made(client, "channels/mail", MAIL)).json()
            assert (shown["name"], shown["url"]) == ("mail", "mailtos://***")
            await made(client, "channels/mail", {**MAIL, "per_minute": 5}, 200)
            await made(client, "duties/pr", PR)
            await made(client, "routes/all", {"to": ["pr"]})
            await made(client, "mutes/sale", {"end": "2100-01-01T00:00:00Z"})
            for what, field in (("channels", "per_minute"), ("duties", "now"), ("routes", "to"), ("mutes", "end")):
                answer = await client.get(f"/v1/{what}")
                (item,) = answer.json()["items"]
                assert item[field]
                assert SECRET not in answer.text
            for name, user in (("channels/mail", "duty pr"), ("duties/pr", "route all")):
                refused = await client.delete(f"/v1/{name}")
                assert (refused.status_code, refused.json()["detail"].split(" names")[0]) == (409, user)
            for name in ("mutes/sale", "routes/all", "duties/pr", "channels/mail"):
                assert (await client.delete(f"/v1/{name}")).status_code == 204
                assert (await client.delete(f"/v1/{name}")).status_code == 404

    with_store(store_url, body)


def test_what_is_wrong_is_said_in_one_line_without_the_secret(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with serving(store) as client:
            await made(client, "channels/mail", MAIL)
            for what, wrong, status, says in (
                ("channels/a", {"type": "apprise", "url": f"dbus://{SECRET}"}, 422, "scheme dbus:// is not allowed"),
                ("channels/a", {"type": "webhook", "url": "https://a", "secrets": [SECRET]}, 422, "whsec_"),
                ("channels/a", {"type": "pigeon"}, 422, "'apprise', 'slack'"),
                ("channels/A!", MAIL, 422, "name"),
                ("duties/mail", PR, 409, "different names"),
                ("webhooks/mail", {"url": "https://a", "secret": SIGNING}, 409, "different names"),
                ("duties/pr", {**PR, "people": [{"name": "A", "channel": "b"}]}, 422, "there is no channel 'b'"),
                ("routes/r", {"to": ["boss"]}, 422, "to.0: there is no channel or duty 'boss'; there is mail"),
                ("mutes/m", {"brands": ["acme"]}, 422, "needs an end"),
                ("mutes/m", {"end": "2020-01-01T00:00:00Z"}, 422, "later than now"),
            ):
                answer = await made(client, what, wrong, status)
                assert says in answer.json()["detail"]
                assert "\n" not in answer.json()["detail"]

    with_store(store_url, body)


def test_only_an_admin_may_see_or_change_who_is_told(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with serving(store) as client:
            key = (await client.post("/v1/keys", json={"name": "f", "scope": "ingest", "sources": ["feed"]})).json()
            ingest = {"Authorization": f"Bearer {key['key']}"}
            for what in ("channels", "duties", "routes", "mutes", "routes/test?brand=acme"):
                assert (await client.get(f"/v1/{what}", headers=ingest)).status_code == 403
            assert (await client.put("/v1/channels/mail", json=MAIL, headers=ingest)).status_code == 403
            assert (await client.delete("/v1/routes/r", headers={"Authorization": "Bearer x"})).status_code == 401

    with_store(store_url, body)


def test_routes_can_be_asked_who_would_be_told_when_and_why(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with serving(store) as client:
            await client.put("/v1/brands/acme", json={"query": "acme", "timezone": "Europe/Berlin"})
            await made(client, "channels/mail", MAIL)
            quiet = {"hours": [{"start": "22:00", "end": "07:00"}], "unless_severity": 5}
            await made(client, "routes/nights", {"to": ["mail"], "quiet": quiet, "severity_from": 2})
            night = {"brand": "acme", "at": "2026-03-04T23:00:00+01:00"}

            async def asked(**more: object) -> httpx.Response:
                return await client.get("/v1/routes/test", params={**night, **more})

            (one,) = (await asked(severity=4)).json()["told"]
            assert (one["channel"], one["type"], one["at"]) == ("mail", "apprise", "2026-03-05T06:00:00Z")
            assert one["why"] == "route nights: after quiet hours"
            assert (await asked(severity=5)).json()["told"][0]["at"] == "2026-03-04T22:00:00Z"
            nobody = (await asked(severity=1)).json()
            assert (nobody["routes"], nobody["told"]) == ([], [])
            assert (await asked(brand="none")).status_code == 404
            assert (await asked(severity=6)).status_code == 422
            assert (await asked(at="9999-12-31T23:00:00Z")).status_code == 422

    with_store(store_url, body)
