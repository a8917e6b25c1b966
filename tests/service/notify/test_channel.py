"""What a channel needs is said where it is wrong, and what is secret in it is shown nowhere."""

import json

import pytest
from apprise import Apprise
from apprise.utils.parse import parse_url
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.brand import Webhook
from service.notify.apprise_schemes import FORBIDDEN, SCHEMES, allowed
from service.notify.channel import CHANNEL, ChannelError, masked, of_webhook, with_secrets
from service.settings import from_environment

SIGNING = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
OLD = "whsec_" + "b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZC1zZWNyZXQ="
ALL = {
    "apprise": {"url": "mailtos://ann:hunter2@example.com"},
    "slack": {"token": "xoxb-hunter2", "channel": "#crisis", "signing_secret": "hunter2"},
    "webhook": {"url": "https://example.com/hunter2", "secrets": [SIGNING, OLD]},
    "alertmanager": {"url": "https://ann.example/hunter2", "username": "ann", "password": "hunter2"},
}


def of_type(name: str, **given: object) -> dict[str, object]:
    return {"name": "c", "type": name, **ALL[name], **given}


@pytest.mark.parametrize("name", ALL)
def test_every_type_comes_back_from_the_store_as_it_was_and_shows_no_secret(name: str) -> None:
    channel = CHANNEL.validate_python(of_type(name))
    assert CHANNEL.validate_json(CHANNEL.dump_json(channel)) == channel
    for shown in (repr(channel), str(channel), json.dumps(masked(channel))):
        assert "hunter2" not in shown
        assert SIGNING not in shown
    assert masked(channel)["name"] == "c"


def test_an_answer_that_is_sent_back_does_not_become_the_secret() -> None:
    for name in ALL:
        with pytest.raises(ValidationError) as caught:
            CHANNEL.validate_python(masked(CHANNEL.validate_python(of_type(name))))
        assert "give the secret itself" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("apprise", {"url": "hunter2"}, "an Apprise URL is expected"),
        ("slack", {"token": "xoxp-hunter2"}, "begins with xoxb-"),
        ("slack", {"channel": None}, "either token and channel, or webhook_url"),
        ("slack", {"webhook_url": "https://hooks.slack.com/hunter2"}, "either token and channel, or webhook_url"),
        ("slack", {"webhook_url": "ftp://hunter2"}, "begins with https://"),
        ("webhook", {"secrets": []}, "secrets"),
        ("webhook", {"secrets": ["hunter2"]}, "whsec_"),
        ("webhook", {"events": ["episode.hunted"]}, "episode.opened"),
        ("webhook", {"url": "hunter2"}, "begins with https://"),
        ("alertmanager", {"password": None}, "either token, or username and password"),
        ("alertmanager", {"token": "hunter2"}, "either token, or username and password"),
        ("webhook", {"url": "env:HOME"}, "FORESHOCK_CHANNEL_"),
        ("alertmanager", {"password": "env:FORESHOCK_ADMIN_KEY"}, "FORESHOCK_CHANNEL_"),
        ("alertmanager", {"password": "***"}, "give the secret itself"),
    ],
)
def test_a_wrong_channel_says_what_would_be_right_and_not_what_stands_there(
    name: str, given: dict[str, object], says: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        CHANNEL.validate_python(of_type(name, **given))
    (told,) = caught.value.errors(include_input=False, include_url=False, include_context=False)
    assert says in str(told["msg"]) + str(told["loc"])
    assert "hunter2" not in str(told) + str(caught.value)


@pytest.mark.parametrize(
    ("name", "field", "secret", "shown"),
    [
        ("apprise", "url", "mailtos://ann:hunter2@example.com", "mailtos://***"),
        ("webhook", "url", "https://ann:hunter2@example.com:8443/hunter2?k=hunter2", "https://example.com/***"),
        ("webhook", "url", "https://[hunter2/", "https://***"),
        ("alertmanager", "password", "hunter2", "***"),
    ],
)
def test_where_a_channel_leads_is_shown_and_no_more(name: str, field: str, secret: str, shown: str) -> None:
    assert masked(CHANNEL.validate_python(of_type(name, **{field: secret})))[field] == shown


def test_secrets_may_stand_in_the_environment_under_their_prefix() -> None:
    environ = {"FORESHOCK_CHANNEL_MAIL": "mailtos://ann:hunter2@example.com", "HOME": "/root"}
    settings = from_environment(environ)
    assert settings == {"channel_secrets": {"FORESHOCK_CHANNEL_MAIL": environ["FORESHOCK_CHANNEL_MAIL"]}}
    channel = CHANNEL.validate_python(of_type("apprise", url="env:FORESHOCK_CHANNEL_MAIL"))
    assert masked(channel)["url"] == "env:FORESHOCK_CHANNEL_MAIL"
    found = with_secrets(channel, environ)
    assert found == CHANNEL.validate_python(of_type("apprise"))
    assert with_secrets(found, {}) == found


@pytest.mark.parametrize(
    ("name", "field", "holds", "says"),
    [
        ("apprise", "url", None, "channel c: FORESHOCK_CHANNEL_A is not set"),
        ("apprise", "url", "env:FORESHOCK_CHANNEL_A", "channel c: FORESHOCK_CHANNEL_A is not set"),
        ("apprise", "url", "dbus://hunter2", "channel c: url: scheme dbus:// is not allowed"),
        ("webhook", "secrets", "hunter2", "channel c: secrets.0: whsec_"),
    ],
)
def test_what_the_environment_holds_is_checked_as_what_a_file_holds(
    name: str, field: str, holds: str | None, says: str
) -> None:
    reference = "env:FORESHOCK_CHANNEL_A"
    channel = CHANNEL.validate_python(of_type(name, **{field: [reference] if field == "secrets" else reference}))
    with pytest.raises(ChannelError) as caught:
        with_secrets(channel, {"FORESHOCK_CHANNEL_A": holds} if holds else {})
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise asks for it before Python 3.13
def test_every_allowed_scheme_is_one_of_apprises() -> None:
    known = set[str]()
    for service in Apprise().details()["schemas"]:
        known |= {*(service["protocols"] or ()), *(service["secure_protocols"] or ())}
    assert known >= SCHEMES


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("dbus://", "scheme dbus:// is not allowed; allowed are 46elks, "),
        ("WINDOWS://", "scheme windows:// is not allowed"),
        ("syslog://", "not allowed"),
        ("macosx://", "not allowed"),
        ("apprise://host/token", "not allowed"),
        ("x://key/secret", "not allowed"),
        ("file:///etc/passwd", "not allowed"),
        ("https://discord.com/api/webhooks/1/2", "not allowed"),
        ("json://10.0.0.1/", "type: webhook does it"),
        ("slack://a/b/c", "type: slack does it"),
        ("mailto://a@b.example,json://10.0.0.1", "one Apprise URL"),
        ("mailto://a@b.example json://10.0.0.1", "one Apprise URL"),
        ("mailto://a@b.example\njson://10.0.0.1", "one Apprise URL"),
        ("tgram://token/chat?template=/etc/passwd", "parameter 'template' is not allowed"),
        ("tgram://token/chat?a=b&TEMPLATE=/etc/passwd", "parameter 'template' is not allowed"),
        ("tgram://token/chat?a=b;template=/etc/passwd", "parameter 'template' is not allowed"),
        ("tgram://token/chat?a=b?template+=/etc/passwd", "parameter 'template' is not allowed"),
        ("tgram://token/chat?templ%61te=/etc/passwd", "parameter 'template' is not allowed"),
        ("mailtos://a@b.example?verify=no", "parameter 'verify' is not allowed"),
        ("mailtos://a@b.example?pgp=sign&pgpprv=/root/.key", "parameter 'pgp' is not allowed"),
        ("mailtos://a@b.example?PGPpub=/root/.key", "parameter 'pgppub' is not allowed"),
        ("ntfys://b.example/x?redirect=yes", "parameter 'redirect' is not allowed"),
        ("", "an Apprise URL is expected"),
        ("://", "an Apprise URL is expected"),
    ],
)
def test_what_runs_writes_reads_files_or_leads_elsewhere_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        allowed(url)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


BITS = ("template", "TEMPLATE", "templ%61te", "pgp", "verify", *"=&;?+-:a/#\\", "%3B", "%26", "%2B", "%00")


@settings(deadline=None)
@given(st.lists(st.sampled_from(BITS), max_size=9).map("".join))
def test_no_parameter_slips_through_that_apprise_would_read(query: str) -> None:
    url = f"tgram://token/chat?{query}"
    try:
        allowed(url)
    except ValueError:
        return
    read = parse_url(url)
    assert read is None or not FORBIDDEN & set(read["qsd"])


@pytest.mark.parametrize(
    "url", ["mailtos://a:b@example.com?smtp=mail.example.com", "TGRAM://1:abc/2", "pagerduty://key@key", "ntfys://x/y"]
)
def test_what_people_use_is_allowed_as_it_is(url: str) -> None:
    assert allowed(url) == url


def test_a_webhook_is_a_channel_of_every_event() -> None:
    channel = of_webhook(Webhook(name="pager", url="https://example.com", secret=SIGNING))
    assert (channel.name, channel.secrets, channel.events) == ("pager", [SIGNING], None)
