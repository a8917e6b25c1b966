"""The delivery log: newest first over all shards, by episode, channel and outcome, without secrets."""

import pytest

from service.notify import delivery_log
from service.notify.delivery_log import public
from service.notify.notice import Outcome
from service.store import Store
from tests.service.live import with_store
from tests.service.notify.tellers import DOWN, START, Desk, opened
from tests.service.rest import serving

BRANDS = [f"brand{n}" for n in range(30)]


async def told(store: Store) -> Desk:
    """Tell of some episodes; the pager fails once for each, and the first channel's answers hold a secret."""
    desk = Desk(store)
    await desk.configured()
    desk.answers["pager"] = lambda _: DOWN if desk.now == START else Outcome("delivered")
    for brand in BRANDS:
        await opened(store, brand, severity=5)
    await desk.turn()
    await desk.until(START + 600)
    return desk


def test_pages_follow_one_another_without_a_gap_or_a_repetition(store_url: str) -> None:
    async def body(store: Store) -> None:
        await told(store)
        whole, more = await delivery_log.page(store, limit=200)
        assert more is None
        found, cursor = list[delivery_log.Delivery](), None
        while True:
            page, cursor = await delivery_log.page(store, limit=7, cursor=cursor)
            assert len(page) <= 7
            found += page
            if cursor is None:
                break
        assert found == whole
        places = [tuple(map(int, one.id.split("-"))) for one in whole]
        assert places == sorted(places, reverse=True)
        assert len([one for one in whole if one.outcome == "delivered"]) == 2 * len(BRANDS)

    with_store(store_url, body)


def test_filters_leave_what_they_name_also_over_several_pages(store_url: str) -> None:
    async def body(store: Store) -> None:
        await told(store)
        whole, _ = await delivery_log.page(store, limit=200)
        for bounds in ({"channel": "pager"}, {"outcome": "failed"}, {"episode": whole[0].episode, "channel": "system"}):
            wanted = [one for one in whole if all(getattr(one, name) == value for name, value in bounds.items())]
            found, cursor = await delivery_log.page(store, limit=3, **bounds)
            while cursor:
                page, cursor = await delivery_log.page(store, limit=3, cursor=cursor, **bounds)
                found += page
            assert found == wanted != []
        assert await delivery_log.page(store, episode="ep_none") == ([], None)

    with_store(store_url, body)


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("POST https://hooks.slack.com/services/T0/B0/x: 500", "POST https://hooks.slack.com 500"),
        ("mailtos://ann:pw@mail.example.com:465?to=bob is away", "mailtos://mail.example.com:465 is away"),
        ("two\nlines", "two lines"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_an_address_in_a_detail_is_its_scheme_and_host_alone(detail: str, shown: str) -> None:
    assert public(detail) == shown


def test_rest_lists_deliveries_and_says_what_is_wrong_with_a_request(store_url: str) -> None:
    async def body(store: Store) -> None:
        await told(store)
        async with serving(store) as client:
            answer = (await client.get("/v1/deliveries", params={"channel": "system", "limit": 2})).json()
            assert [item["outcome"] for item in answer["items"]] == ["delivered", "delivered"]
            assert answer["items"][0]["type"] == "episode.opened"
            assert answer["items"][0]["why"].startswith("route ")
            more = (await client.get("/v1/deliveries", params={"limit": 2, "cursor": answer["next"]})).json()
            assert more["items"][0]["id"] < answer["items"][1]["id"]
            for wrong, says in (({"cursor": "x"}, "cursor"), ({"outcome": "gone"}, "outcome"), ({"limit": 0}, "limit")):
                refused = await client.get("/v1/deliveries", params=wrong)
                assert refused.status_code == 422
                assert says in refused.json()["detail"]
            client.headers.pop("authorization")
            assert (await client.get("/v1/deliveries")).status_code == 401

    with_store(store_url, body)
