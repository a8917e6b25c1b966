"""Apprise reaches people, by the guarded way alone, and its secrets stay its own."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default

import pytest

from collectors.outbound import Outbound
from service.notify.notice import Message, Outcome
from service.notify.send_apprise import AppriseSender, body, load
from service.notify.sockets import Way, through
from tests.collectors.networks import Network, Reply
from tests.collectors.proxy import Proxy
from tests.service.notify.letters import HOSTILE, channel, event, outside, sent, words

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""A part of Apprise looks for it when it is loaded."""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """Load it in nobody's time limit."""
    load()


def to(url: str, **secrets: str):
    return lambda out: AppriseSender(out, channel("apprise", url=url), secrets)


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """Speak enough of SMTP (RFC 5321) to take mails; gives its port and what came."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer, peer.makefile("rwb") as talk:
                    _smtp(talk, came)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1], came
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _smtp(talk, came: list[bytes]) -> None:
    def say(line: bytes) -> None:
        talk.write(line + b"\r\n")
        talk.flush()

    say(b"220 mail.example")
    while line := talk.readline():
        verb = line[:4].upper()
        if verb == b"DATA":
            say(b"354 go on")
            lines = []
            while (text := talk.readline()) != b".\r\n":
                lines.append(text)
            came.append(b"".join(lines))
        say(b"221 bye" if verb == b"QUIT" else b"250 ok")
        if verb == b"QUIT":
            return


def test_a_message_reaches_a_service_through_its_plugin() -> None:
    with Network(lambda _: Reply(200, b"{}")) as network:
        (outcome,) = sent(to(f"gotify://{network.host}/tokenoftheapp"), event(), allow=[network.host])
    assert outcome == Outcome("delivered", "Gotify")
    told = json.loads(network.asked[0].body)
    assert told["title"] == "acme: revolt, severity 3 of 5"
    assert "http://board.example/#ep_" in told["message"]


@pytest.mark.parametrize(("form", "written"), [("text", "<b>@\u200beveryone"), ("html", "&lt;b&gt;@\u200beveryone")])
def test_a_mail_carries_the_words_and_the_chart(form: str, written: str) -> None:
    async def send(out: Outbound) -> Outcome:
        url = f"mailto://{host}?from=a@foreshock.example&to=ann@acme.example&format={form}"
        return await to(url)(out).say(chart)

    with mail_server() as (port, came):
        host, chart = f"127.0.0.1:{port}", words(event(), chart=PNG)
        outcome = outside(send, [host])
    assert outcome.result == "delivered"
    mail = message_from_bytes(came[0], policy=default)
    assert mail["subject"] == "acme: revolt, severity 3 of 5"
    assert written in mail.get_body((form if form == "html" else "plain",)).get_content()
    assert [part.get_content() for part in mail.iter_attachments()] == [PNG]


@pytest.mark.parametrize("scheme", ["gotify://{}/tokenoftheapp", "mailto://{}?from=a@b.example&to=c@d.example"])
def test_an_internal_address_gets_no_connection(scheme: str) -> None:
    with Network(lambda _: Reply(200, b"{}")) as network:
        (outcome,) = sent(to(scheme.format(network.host)), event())
        (allowed,) = sent(to(f"gotify://{network.host}/tokenoftheapp"), event(), allow=[network.host])
    assert outcome.result == "again"
    assert "FORESHOCK_ALLOW_HOSTS" in outcome.detail
    assert not outcome.maybe
    assert allowed.result == "delivered"
    assert len(network.asked) == 1


def test_a_name_that_resolves_to_an_internal_address_gets_no_connection() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    with Network(lambda _: Reply(200, b"{}")) as network:
        (outcome,) = sent(to(f"gotify://harmless.example:{network.port}/tokenoftheapp"), event(), resolve=resolve)
    assert "internal address" in outcome.detail
    assert network.asked == []


def test_a_redirect_to_an_internal_address_gets_no_connection() -> None:
    with Network(lambda _: Reply(200, b"{}")) as inside:
        away = Reply(307, b"", {"Location": f"{inside.url}/message"})
        with Network(lambda _: away) as outer:
            url = f"gotify://{outer.host}/tokenoftheapp"
            (outcome,) = sent(to(url), event(), allow=[outer.host])
            (followed,) = sent(to(url), event(), allow=[outer.host, inside.host])
    assert outcome.result == "again"
    assert followed.result == "delivered"
    assert len(outer.asked) == 2
    assert len(inside.asked) == 1


def test_mail_leaves_by_the_operators_proxy_to_judged_addresses() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14"]

    with mail_server() as (port, came), Proxy(("127.0.0.1", port)) as proxy:
        url = "mailto://mail.example:25?from=a@b.example&to=c@d.example"
        (outcome,) = sent(to(url), event(), resolve=resolve, proxy=f"http://{proxy.address}")
    assert outcome.result == "delivered"
    assert len(came) == 1
    assert [head.split()[1] for head in proxy.asked] == ["93.184.215.14:25"]


def test_what_connects_past_the_guard_is_refused_in_a_sending_thread_alone() -> None:
    refused = pytest.raises(PermissionError, match=r"socket\.connect is not a way out")
    with Network(lambda _: Reply(200)) as network:

        async def send(out: Outbound) -> None:
            with through(Way(out, asyncio.get_running_loop())), socket.socket() as own, refused:
                own.connect(("127.0.0.1", network.port))
            with socket.create_connection(("127.0.0.1", network.port)):
                pass

        outside(send, [network.host])


def test_a_server_that_never_answers_costs_a_time_limit() -> None:
    with Network() as network:
        network.failures.append(Reply(hang=True))
        found = channel("apprise", url=f"gotify://{network.host}/tokenoftheapp")
        (outcome,) = sent(lambda out: AppriseSender(out, found, {}, 3), event(), allow=[network.host])
    assert outcome == Outcome("again", "no answer within 3 s", maybe=True)


@pytest.mark.parametrize(("status", "after"), [(500, None), (429, 30.0), (401, None)])
def test_a_refusal_names_the_status_and_never_the_url(
    status: int, after: float | None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), Network(lambda _: Reply(status)) as network:
        (outcome,) = sent(to(f"gotify://{network.host}/verysecrettoken"), event(), allow=[network.host])
    assert outcome == Outcome("again", f"Gotify answered {status}", after=after)
    said = caplog.text + "".join(capfd.readouterr())
    assert "verysecrettoken" not in said


def test_a_url_may_stand_in_the_environment() -> None:
    with Network(lambda _: Reply(200, b"{}")) as network:
        secrets = {"FORESHOCK_CHANNEL_G": f"gotify://{network.host}/tokenoftheapp"}
        url = "env:FORESHOCK_CHANNEL_G"
        outcomes = [
            *sent(to(url, **secrets), event(), allow=[network.host]),
            *sent(to(url), event(), allow=[network.host]),
        ]
    assert [o.result for o in outcomes] == ["delivered", "again"]
    assert "FORESHOCK_CHANNEL_G is not set" in outcomes[1].detail


def test_what_strangers_wrote_calls_nobody() -> None:
    text = body(words(event()))
    assert "@everyone" not in text
    assert "@\u200beveryone" in text
    assert "@everyone" in HOSTILE


def test_a_message_without_parts_has_no_empty_lines() -> None:
    assert body(Message("t", "s")) == "s"
