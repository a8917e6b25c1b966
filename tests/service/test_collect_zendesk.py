"""A desk that is counted and pushes too, through the whole way in: counts are the volume, a ticket is told once."""

import asyncio
import json
from datetime import timedelta

import httpx

from collectors.hook import digest
from collectors.outbound import Outbound
from service.brand import Brand
from service.collect import Collection
from service.completeness import report
from service.counts import read
from service.ingest import drained
from service.polling import Polls
from service.registry import Registry
from service.search import search
from service.settings import Settings
from service.store import Store
from service.worker import Worker
from tests.collectors.networks import Reply
from tests.collectors.zendesk_network import WHO, ZendeskNetwork
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.test_collect import NOW, Watch


async def count(store: Store, clock: Watch) -> list[str]:
    worker = asyncio.create_task(Worker(store, clock, "w").run())
    await drained(store, ["acme"])
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    return [m["text"] for m in (await search(store, ["acme"], "", 50, None))["items"]]


async def push(client: httpx.AsyncClient, number: str) -> None:
    stamp = NOW.isoformat()
    detail = {"id": number, "subject": "Refund", "description": "now", "created_at": "2026-03-08T11:55:40Z"}
    told = json.dumps({"type": "zen:event-type:ticket.created", "time": stamp, "detail": detail}).encode()
    name = "X-Zendesk-Webhook-Signature"
    signature = digest(b"signing-secret", stamp.encode(), told, encoding="base64")
    headers = {name: signature, f"{name}-Timestamp": stamp}
    assert (await client.post("/v1/hooks/zendesk", content=told, headers=headers)).status_code == 200


def test_a_desk_is_counted_its_tickets_come_once_and_its_failure_is_unknown(store_url: str) -> None:
    async def body(store: Store) -> None:
        clock, registry = Watch(), Registry(store)
        settings = Settings(
            name="me",
            hook_secrets={"ZENDESK_SECRET": "signing-secret"},
            zendesk_email=WHO[0],
            zendesk_token=WHO[1],
            zendesk_base_url=network.url,
        )
        sources = [{"type": "zendesk", "tickets": True}]
        await registry.put_brand(Brand.model_validate({"name": "acme", "query": "refund", "sources": sources}))
        async with (
            Outbound(frozenset({network.host}), timeout=5) as out,
            serving(store, clock=clock, settings=settings) as client,
        ):
            collection = Collection(store, clock, registry, out, settings)
            ((name, collector),) = (await collection.wanted()).items()
            polls = Polls(collection.way(name), name, collector)
            network.ticket(NOW - timedelta(minutes=5))
            network.ticket(NOW - timedelta(minutes=5), "Where is my bag?")
            while await polls.turn() == 0:
                pass
            await push(client, "1")
            assert sorted(await count(store, clock)) == ["Refund\n\nnow", "Where is my bag?\n\nnow"]
            end = NOW.timestamp()
            table = await read(store, "acme", end - 900, end, 60, end)
            assert table.total("mentions").sum() == 2, "posts add nothing to what the counts say"
            assert [bool(flag) for flag in table.complete[-4:]] == [True, False, False, False]
            clock.at = network.now = NOW + timedelta(minutes=5)
            network.change("2", NOW + timedelta(minutes=1), status="deleted")
            while await polls.turn() == 0:
                pass
            assert await count(store, clock) == ["Refund\n\nnow"]
            network.failures.append(Reply(503))
            clock.at += timedelta(minutes=5)
            await polls.turn()
            end = clock.at.timestamp()
            told = (await report(store, "acme", end - 900, end, 60, end))["zendesk"]
            assert [missing["why"] for missing in told["missing"]] == ["error"]

    with ZendeskNetwork(NOW) as network:
        with_store(store_url, body)
