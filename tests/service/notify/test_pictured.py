"""Pages and ends come with a picture to those who see one; nothing waits long for it, and nothing fails for it."""

import asyncio

import pytest

from service.episode import Episode, event_of
from service.frozen import Frozen, packed, put
from service.notify.message import message
from service.notify.notice import Message, Notice, Outcome
from service.notify.pictured import Pictured, Pictures, pictured
from service.registry import Registry
from service.store import Store
from tests.service.live import with_store
from tests.service.notify.samples import BRAND, URL, acknowledged, curve, escalated, opened, resolved


class Desk:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Message] = []

    async def send(self, notice: Notice, message: Message) -> Outcome:  # noqa: ARG002
        self.given.append(message)
        return Outcome("delivered")


async def sent(pictures: Pictures, episode: Episode, identity: str = "ntc_1") -> bytes | None:
    event, desk = event_of(episode), Desk()
    notice = Notice(identity, "mail", event, "route", page=True)
    outcome = await Pictured(desk, pictures).send(notice, message(event, BRAND, URL))
    assert outcome.result == "delivered"
    return desk.given[0].chart


async def kept(store: Store, broken: bool = False) -> Pictures:
    """Pictures of a store in which the sample's counts are kept."""
    content = b"no zlib" if broken else packed(Frozen(0.0, curve(), []))
    await put(store, opened().id, "acme-air", content, [])
    return Pictures(store, Registry(store), patience=60.0)


def test_pages_and_ends_have_a_picture_and_what_people_do_has_none(store_url: str) -> None:
    async def body(store: Store) -> None:
        pictures = await kept(store)
        for episode in (opened(), escalated(), resolved()):
            assert (await sent(pictures, episode) or b"").startswith(b"\x89PNG")
        assert await sent(pictures, acknowledged()) is None
        assert await sent(pictures, opened(), "ntc_1+3") is None

    with_store(store_url, body)


def test_one_event_to_many_channels_is_drawn_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        pictures = await kept(store)
        found = await asyncio.gather(*(sent(pictures, opened()) for _ in range(20)))
        assert len({id(picture) for picture in found}) == 1
        assert await sent(pictures, opened()) is found[0]

    with_store(store_url, body)


def test_a_message_does_not_wait_for_a_picture_that_takes_too_long(store_url: str) -> None:
    async def body(store: Store) -> None:
        await kept(store)
        assert await sent(Pictures(store, Registry(store), patience=0.0), opened()) is None

    with_store(store_url, body)


@pytest.mark.parametrize("broken", [True, False])
def test_what_cannot_be_drawn_is_sent_without(store_url: str, broken: bool) -> None:
    async def body(store: Store) -> None:
        pictures = await kept(store, broken=True) if broken else Pictures(store, Registry(store))
        assert await sent(pictures, opened()) is None

    with_store(store_url, body)


def test_channels_of_systems_get_none() -> None:
    def make(_: object) -> Desk:
        return Desk()

    async def body() -> None:
        async with Store("redis://127.0.0.1:1") as store:
            makers = pictured({"apprise": make, "webhook": make}, Pictures(store, Registry(store)))
            assert makers["webhook"] is make
            assert isinstance(makers["apprise"](None), Pictured)  # type: ignore[arg-type]

    asyncio.run(body())
