"""Routing of all that is configured, and the holes in it."""

from service.brand import Brand, Webhook
from service.notify.channel import CHANNEL, Channel
from service.notify.holes import Hole, holes, untold
from service.notify.mute import Mute
from service.notify.on_call import Duty
from service.notify.route import Route, Told
from service.notify.routing import all_routes, brands_of, receivers, seen_by, told
from tests.service.notify.routed import Configured, at, event

SIGNING = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
PAGER = Webhook(name="pager", url="https://example.com", secret=SIGNING)
SALE = {"name": "Sale", "start": "2026-03-01T00:00:00Z", "end": "2026-03-05T00:00:00Z"}
ACME = Brand.model_validate({"name": "acme", "query": "acme", "timezone": "Europe/Berlin", "campaigns": [SALE]})
WORKING = {"start": "09:00", "end": "17:00", "days": ["mon", "tue", "wed", "thu", "fri"]}


def mail(name: str = "mail") -> Channel:
    return CHANNEL.validate_python({"name": name, "type": "apprise", "url": "mailtos://a:b@example.com"})


def system(**more: object) -> Channel:
    given = {"name": "system", "type": "webhook", "url": "https://example.com", "secrets": [SIGNING], **more}
    return CHANNEL.validate_python(given)


def route(**more: object) -> Route:
    return Route.model_validate({"name": "r", "to": ["mail"], **more})


def has(*channels: Channel, **more: object) -> Configured:
    given = {"brands": {"acme": ACME}, "channels": {c.name: c for c in channels}, **more}
    return Configured(**given)  # type: ignore[arg-type]


def test_without_routes_every_channel_gets_every_page_and_the_end() -> None:
    configured = has(mail(), system())
    assert told(configured, event(severity=1)) == [
        Told("mail", True, "route default"),
        Told("system", True, "route default"),
    ]
    assert told(configured, event("episode.updated")) == []
    assert [one.only_if_paged for one in told(configured, event("episode.resolved"))] == [True, True]
    assert all_routes(has()) == []


def test_a_webhook_gets_every_event_also_what_is_muted_and_never_waits() -> None:
    mute = Mute.model_validate({"name": "m", "end": "2027-01-01T00:00:00Z"})
    configured = has(mail(), routes=[route()], webhooks={"pager": PAGER}, mutes=[mute])
    for kind in ("episode.opened", "episode.updated", "episode.noted", "episode.resolved"):
        found = [one for one in told(configured, event(kind)) if one.channel == "pager"]
        assert [(one.after_seconds, one.muted, one.only_if_paged) for one in found] == [(0, None, False)]
    assert receivers(configured)["pager"].type == "webhook"


def test_a_receiver_that_wants_some_events_gets_those() -> None:
    configured = has(system(events=["episode.resolved"]), routes=[route(to=["system"], events="all")])
    assert told(configured, event("episode.opened")) == []
    assert told(configured, event("episode.resolved")) == [Told("system", False, "route r")]


def test_a_name_that_is_gone_keeps_nobody_else_from_being_told() -> None:
    assert told(has(mail(), routes=[route(to=["gone", "mail"])]), event()) == [Told("mail", True, "route r")]


def test_a_campaigns_mute_holds_until_the_campaign_ends_and_leaves_a_revolt_armed() -> None:
    mute = Mute.model_validate({"name": "sale", "campaign": "Sale"})
    configured = has(mail(), mutes=[mute])
    said, later = told(configured, event(detector="volume", when="2026-03-04T12:00:00Z"))
    assert (said.muted, later.after_seconds) == ("sale", 12 * 3600)
    assert told(configured, event(detector="revolt")) == [Told("mail", True, "route default")]


def test_the_brands_zone_is_that_of_the_routes_and_a_brand_that_is_gone_is_told_of_in_utc() -> None:
    configured = has(mail(), routes=[route(hours=[{"start": "13:00", "end": "13:30"}])])
    assert len(told(configured, event(when="2026-03-04T12:15:00Z"))) == 1
    assert told(configured, event(when="2026-03-04T12:15:00Z", brand="gone")) == []
    assert len(told(configured, event(when="2026-03-04T13:15:00Z", brand="gone"))) == 1


def test_an_event_is_told_as_of_when_it_happened_however_late_it_is_looked_at() -> None:
    configured = has(mail(), routes=[route(hours=[WORKING])])
    what = event(when="2026-03-04T10:00:00Z")
    assert told(configured, what) == [Told("mail", True, "route r")]
    assert told(configured, what, at("2026-03-04T20:00:00Z")) == []


def test_hours_without_a_route_are_found_before_somebody_is_missed() -> None:
    now = at("2026-03-04T12:00:00+01:00")
    other = Brand(name="other", query="other", timezone="Europe/Berlin")
    configured = has(mail(), routes=[route(hours=[WORKING])], brands={"acme": ACME, "other": other})
    closed = at("2026-03-04T17:00:00+01:00")
    names = ("acme", "other")
    assert holes(configured, now) == [Hole(names, d, closed) for d in ("revolt", "volume", "voice")]
    assert next(untold(configured, now)) == (
        "no route serves a crisis of severity 5 (revolt) at 2026-03-04T16:00:00Z of acme, other"
    )


def test_a_brand_or_a_detector_that_no_route_serves_is_found() -> None:
    configured = has(mail(), routes=[route(brands=["other"]), route(name="v", detectors=["volume"])])
    now = at("2026-03-04T12:00:00Z")
    assert holes(configured, now) == [Hole(("acme",), "revolt", now), Hole(("acme",), "voice", now)]


def test_no_holes_are_found_where_there_are_none() -> None:
    rest = [{"start": "17:00", "end": "09:00"}, {"start": "00:00", "end": "00:00", "days": ["sat", "sun"]}]
    both = [route(hours=[WORKING]), route(name="night", hours=rest)]
    assert holes(has(mail(), routes=both), at("2026-03-04T12:00:00Z")) == []
    assert list(untold(has(mail()), 0.0)) == []
    assert list(untold(has(webhooks={"pager": PAGER}), 0.0)) == []


def test_a_route_to_nobody_and_no_channel_at_all_are_said() -> None:
    assert list(untold(has(), 0.0)) == ["no channel and no webhook is configured: episodes are told to nobody"]
    duty = Duty.model_validate({"name": "pr", "starts": "2026-01-01", "people": [{"name": "A", "channel": "gone"}]})
    configured = has(mail(), routes=[route(to=["mail", "boss"])], duties={"pr": duty})
    assert list(untold(configured, 0.0)) == [
        "routes and duties: there is no channel 'gone'; there is mail",
        "routes and duties: there is no channel or duty 'boss'; there is mail, pr",
    ]


def test_a_channel_hears_of_no_other_clients_than_those_of_its_routes() -> None:
    duty = Duty.model_validate({"name": "pr", "starts": "2026-01-05", "people": [{"name": "Ann", "channel": "ann"}]})
    routes = [
        route(to=["mail"], brands=["acme"]),
        route(to=["pr"], brands=["acme"], escalate=[{"after_minutes": 5, "to": ["boss"]}]),
        route(to=["pr"], brands=["globex"]),
        route(to=["boss"]),
    ]
    channels = [mail("mail"), mail("ann"), mail("boss")]
    configured = has(*channels, duties={"pr": duty}, routes=routes, webhooks={"pager": PAGER})
    alike = event(severity=4)
    shown = alike.model_copy(
        update={"episode": alike.episode.model_copy(update={"evidence": {"others": ["globex", "umbra"]}})}
    )

    def others(channel: str) -> list[str]:
        return list(seen_by(configured, channel, shown).episode.evidence["others"])

    assert others("mail") == []
    assert others("ann") == ["globex"]
    assert others("boss") == others("pager") == ["globex", "umbra"]
    assert brands_of(configured, "boss") is None
    assert brands_of(has(mail()), "mail") is None
    assert shown.episode.evidence["others"] == ["globex", "umbra"]
