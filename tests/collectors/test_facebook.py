"""Facebook pages by polling: what visitors say, what is taken back or edited, limits, and who may read."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import yaml

from collectors.collector import Batch, CollectorError
from collectors.facebook import FacebookCollector, FacebookSettings
from collectors.facebook_answer import batch_of, data_of
from collectors.hook import Delivery
from collectors.hook_facebook import FacebookHook
from collectors.mention import Mention
from collectors.outbound import Outbound
from collectors.registry import build
from tests.collectors.case import NOW
from tests.collectors.facebook_network import PAGE, TOKEN, FacebookNetwork, error
from tests.collectors.networks import Reply
from tests.shared_data import shared

AGO = NOW - timedelta(minutes=5)
LATER = NOW + timedelta(minutes=20)


def sweep(
    network: FacebookNetwork, cursor: Mapping[str, Any], now: Any = NOW, **settings: Any
) -> tuple[list[Mention], Batch]:
    async def run() -> tuple[list[Mention], Batch]:
        async with Outbound(frozenset({network.host})) as out:
            config = FacebookSettings(page=PAGE, **settings)
            collector = FacebookCollector(config, "acme", "acmeair", out, TOKEN, network.url)
            told: list[Mention] = []
            batch = Batch(cursor=cursor, more=True)
            while batch.more:
                batch = await collector.poll(json.loads(json.dumps(dict(batch.cursor))), now)
                told += batch.mentions
            return told, batch

    return asyncio.run(run())


def refused(network: FacebookNetwork, reply: Reply) -> CollectorError:
    network.failures.append(reply)
    with pytest.raises(CollectorError) as told:
        sweep(network, {})
    assert TOKEN not in str(told.value)
    return told.value


def test_a_comment_and_a_reply_have_the_webhooks_identity_and_the_pages_own_words_are_not_counted() -> None:
    with FacebookNetwork() as network:
        post = network.post(NOW - timedelta(days=30), "we fly", writer=PAGE)
        first = network.comment(post, AGO, "acmeair never again")
        reply = network.comment(post, AGO, "acmeair indeed", parent=first)
        network.comment(post, AGO, "acmeair is sorry", writer=PAGE)
        told, batch = sweep(network, {})
    value = {
        "item": "comment", "verb": "add", "comment_id": first, "post_id": post, "parent_id": post,
        "message": "acmeair never again", "from": {"id": "u2", "name": "Ada"}, "created_time": int(AGO.timestamp()),
    }  # fmt: skip
    body = {"object": "page", "entry": [{"id": PAGE, "time": 0, "changes": [{"field": "feed", "value": value}]}]}
    (pushed,) = FacebookHook().read(Delivery({}, json.dumps(body).encode(), NOW)).mentions
    polled = {mention.id: mention for mention in told}
    assert polled.keys() == {first, reply}
    same = ("id", "source", "kind", "text", "published_at", "author", "reply_to")
    assert [getattr(polled[first], name) for name in same] == [getattr(pushed, name) for name in same]
    assert (polled[reply].reply_to, polled[first].engagement) == (first, 3)
    assert batch.complete_until == NOW - timedelta(minutes=2)


def test_new_comments_on_an_old_post_are_found_in_one_request() -> None:
    with FacebookNetwork() as network:
        post = network.post(NOW - timedelta(days=6), "we fly", writer=PAGE)
        _, batch = sweep(network, {})
        asked = len(network.asked)
        late = network.comment(post, LATER - timedelta(minutes=3), "acmeair is late")
        told, _ = sweep(network, batch.cursor, LATER)
        assert ([m.id for m in told], len(network.asked) - asked) == ([late], 1)


def test_what_was_deleted_is_taken_out_and_what_was_edited_is_told_anew() -> None:
    with FacebookNetwork() as network:
        post = network.post(AGO, "acmeair lost my bag")
        comment = network.comment(post, AGO, "acmeair lost mine too")
        kept = network.comment(post, AGO, "acmeair again")
        _, batch = sweep(network, {})
        network.delete(comment)
        network.posts[post]["message"] = "acmeair found my bag"
        told, batch = sweep(network, batch.cursor, LATER)
        assert {(m.id, m.kind, m.deleted, m.text, m.updated_at) for m in told} == {
            (comment, "comment", True, "", LATER),
            (post, "post", False, "acmeair found my bag", LATER),
        }
        assert sweep(network, batch.cursor, LATER + timedelta(minutes=20))[0] == []
        assert set(batch.cursor["told"]) == {post, kept}


def test_what_cannot_be_asked_for_again_is_not_taken_for_deleted() -> None:
    with FacebookNetwork() as network:
        post = network.post(AGO, "acmeair lost my bag")
        _, batch = sweep(network, {})
        for reply in (error(400, 100), Reply(0), error(500, 2), error(400, 190)):
            network.refused[f"/{post}"] = reply
            try:
                told, _ = sweep(network, batch.cursor, LATER)
            except CollectorError:
                continue
            assert told == []


def test_all_of_an_own_page_counts_and_comments_and_tags_can_be_left_out() -> None:
    with FacebookNetwork() as network:
        post = network.post(AGO, "where is my bag")
        network.comment(post, AGO, "no idea")
        network.post(AGO, "elsewhere", tagged=True)
        told, _ = sweep(network, {}, own=True, comments=False)
    assert [(m.id, m.brands) for m in told] == [(post, ["acme"])]


@pytest.mark.parametrize("code", [4, 17, 32, 613])
def test_a_limits_code_is_a_wait_as_long_as_the_header_says(code: int) -> None:
    usage = {"x-business-use-case-usage": json.dumps({PAGE: [{"estimated_time_to_regain_access": 7}]})}
    with FacebookNetwork() as network:
        assert refused(network, error(400, code)).retry_after == 300
        assert refused(network, error(400, code, headers=usage)).retry_after == 420


def test_an_expired_token_a_missing_permission_and_a_wrong_page_are_one_line_each_without_the_token() -> None:
    with FacebookNetwork() as network:
        assert "set a new FORESHOCK_FACEBOOK_TOKEN" in str(refused(network, error(400, 190)))
        assert "pages_read_user_content" in str(refused(network, error(403, 200)))
        assert "page's number" in str(refused(network, error(400, 100, 33)))
        assert refused(network, error(400, 190)).retry_after is None


@pytest.mark.parametrize(
    "usage",
    [
        {"x-app-usage": '{"call_count": 95, "total_time": 1, "total_cputime": 1}'},
        {"x-business-use-case-usage": '{"111": [{"call_count": 10, "total_time": 99}]}'},
    ],
)
def test_nothing_is_asked_while_a_limit_that_is_almost_used_up_recovers(usage: dict[str, str]) -> None:
    with FacebookNetwork() as network:
        network.usage = usage
        _, batch = sweep(network, {})
        asked = len(network.asked)
        _, batch = sweep(network, batch.cursor, NOW + timedelta(minutes=2))
        assert len(network.asked) == asked
        network.usage = {}
        sweep(network, batch.cursor, NOW + timedelta(minutes=6))
        assert len(network.asked) > asked


def test_a_cursor_that_expired_amid_the_pages_says_nothing_is_complete_until_all_was_read() -> None:
    with FacebookNetwork() as network:
        wanted = {network.post(AGO, f"acmeair {i}") for i in range(30)}
        network.cursors_expire = True
        told, batch = sweep(network, {})
        assert batch.complete_until is None
        network.cursors_expire = False
        again, batch = sweep(network, batch.cursor)
        assert {m.id for m in [*told, *again]} == wanted
        assert batch.complete_until is not None


def test_a_token_goes_to_its_own_page_alone() -> None:
    settings = FacebookSettings(page=PAGE)
    for told in ({}, {"facebook_token": "222=other"}):
        with pytest.raises(CollectorError, match=f"FORESHOCK_FACEBOOK_TOKEN .*{PAGE}=TOKEN"):
            build(settings, "acme", "acmeair", Outbound(), told)
    with FacebookNetwork() as network:

        async def run() -> None:
            async with Outbound(frozenset({network.host})) as out:
                secrets = {"facebook_token": f"222=other, {PAGE}={TOKEN}", "facebook_base_url": network.url}
                await build(settings, "acme", "acmeair", out, secrets).poll({}, NOW)

        asyncio.run(run())
        assert network.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_recorded_pages_and_batches_are_read() -> None:
    graph = yaml.safe_load(shared("payloads/facebook/mock_facebook_responses.yml").read_text())["graph_api"]
    answers = [
        answer["post"]["with_token"]
        for name, answer in graph["root"].items()
        if name.startswith("batch=") and isinstance(answer["post"]["with_token"], str)
    ]
    sound = []
    for text in answers:
        try:
            sound.append(json.loads(text))
        except ValueError:
            continue  # one is recorded without a quotation mark
    read = [batch_of(found, len(found)) for found in sound]
    assert len(read) >= 8
    assert {0, 200, 400} <= {status for batch in read for status, _ in batch}
    pages = [body for batch in read for _, body in batch if isinstance(body, dict) and "data" in body]
    assert [data_of(page)[1] for page in pages if isinstance(page["data"], list)]
