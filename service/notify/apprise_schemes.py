"""Which of Apprise's schemes may be used: those that reach somebody over HTTPS or by e-mail, and no others.

Left out is what runs a program, writes a file or opens a socket of its own (dbus, gnome, macosx, windows, syslog,
rsyslog, blink1, mqtt, amqp, xmpp, irc, smpp, growl, aprs), what reads key files (fcm, vapid), what posts in public (x,
bluesky, mastodon, reddit, misskey, github), devices of a household (kodi, emby, lametric), what relays to any other
scheme (apprise), and what a channel of ours does better: json, xml and form (`webhook`), slack (`slack`). Which hosts
may be reached is judged when something is sent.
"""

import re
from urllib.parse import unquote

MAIL = frozenset({"mailto", "mailtos"})

OWN_SERVERS = frozenset({
    "bark", "barks", "evolution", "evolutions", "goalert", "goalerts", "gorush", "gorushs", "gotify", "gotifys",
    "hassio", "hassios", "humhub", "humhubs", "matrix", "matrixs", "mmost", "mmosts", "ncloud", "nclouds", "nctalk",
    "nctalks", "ntfy", "ntfys", "rocket", "rockets", "signal", "signals", "smseagle", "smseagles", "synology",
    "synologys",
})  # fmt: skip
"""Services that people run themselves: the URL names the host."""

SERVICES = frozenset({
    "46elks", "atalk", "azure", "betterstack", "brevo", "bulksms", "bulkvs", "burstsms", "chanify", "clickatell",
    "clicksend", "cliq", "cm", "d7sms", "dingtalk", "discord", "elks", "exotel", "feishu", "firehydrant", "flock",
    "freemobile", "gchat", "groupme", "guilded", "gupshup", "httpsms", "ifttt", "ilert", "incidentio", "infobip",
    "jira", "join", "kakaotalk", "kaleyra", "kavenegar", "kook", "kudosity", "lark", "line", "mailersend",
    "mailgun", "msg91", "msgbird", "nexmo", "notifiarr", "o365", "octopush", "onesignal", "opsgenie", "pagerduty",
    "pagertree", "pbul", "plivo", "postmark", "pover", "prowl", "psafers", "push", "pushed", "pushme", "pushplus",
    "pushy", "qq", "resend", "revolt", "ringc", "ryver", "schan", "sendgrid", "sendpulse", "ses", "seven", "signl4",
    "simplepush", "sinch", "smsmanager", "smtp2go", "sns", "sparkpost", "spike", "splunk", "spush", "squadcast",
    "stackfield", "telesign", "telnyx", "tgram", "threema", "twilio", "twist", "viber", "victorops", "voipms",
    "vonage", "webex", "wechat", "wecombot", "whapi", "whatsapp", "workflow", "workflows", "wxpusher", "wxteams",
    "xmatters", "zalo", "zoom", "zulip",
})  # fmt: skip
"""Services at hosts of their own."""

SCHEMES = MAIL | OWN_SERVERS | SERVICES

INSTEAD = dict.fromkeys(("json", "jsons", "xml", "xmls", "form", "forms"), "webhook") | {"slack": "slack"}
"""Schemes for which a channel has a type of its own."""

FORBIDDEN = frozenset({
    "template", "pgp", "pgppub", "pgpprv", "pgpkey", "wkd", "keyfile", "subfile", "verify", "redirect", "config",
    "attach",
})  # fmt: skip
"""Parameters that name files of this machine, fetch keys, follow redirects, or leave certificates unchecked."""


def allowed(url: str) -> str:
    """Return an Apprise URL that may be used.

    Raises:
        ValueError: one line that says what would be right and nothing of the URL but its scheme.
    """
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if not found or not re.fullmatch(r"[a-z0-9]{1,20}", scheme):
        raise ValueError("an Apprise URL is expected, like mailtos://... or tgram://...")
    if scheme not in SCHEMES:
        what = f"type: {INSTEAD[scheme]} does it" if scheme in INSTEAD else f"allowed are {', '.join(sorted(SCHEMES))}"
        raise ValueError(f"scheme {scheme}:// is not allowed; {what}")
    if re.search(r"[\s\x00-\x1f]|[,;][a-z0-9]+://", rest):
        raise ValueError("one Apprise URL without blanks is expected; a channel is one receiver")
    _, _, query = rest.partition("?")
    for part in re.split("[?&;]", query):  # Apprise takes ; for & as well
        name = unquote(part.partition("=")[0].replace("+", " ")).strip().lower().lstrip("-:")
        if name in FORBIDDEN:
            raise ValueError(f"parameter {name!r} is not allowed")
    return url
