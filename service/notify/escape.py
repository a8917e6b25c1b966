"""What strangers wrote, made harmless for each place that it is shown in.

Posts and names are hostile: they carry invisible signs that turn lines round, markup that forges links and calls
everybody, and formulas that a spreadsheet would run. Every function here takes such a text and gives one line that
shows the same words.
"""

import html as _html
import re
import unicodedata

JOINERS = "\u200c\u200d"
"""Invisible, and needed: they join letters in Persian and Indic scripts, and emoji."""
MARKS = 4
"""Combining marks that one letter may bear; more climb over the lines around."""
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode categories of what is not seen: controls, directions, surrogates, private and unassigned signs."""
BREAK = "\u200b"
"""Stands, without width, where a channel would read a markup into what is none."""
FORMULA = "=+-@\t\r＝＋－＠"
"""What a cell must not begin with; the wide ones are read as the narrow by some."""

_SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {sign: sign + BREAK for sign in "*_~`"}
_CALLS = re.compile(r"@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
_ENTITIES = re.compile(r"[<>&|~@$]")
_SIGNS = re.compile(r"([\\`*_\[\]])")
_AT_START = re.compile(r"\d{0,9}(?=[.)])|(?=[#+\-=!:])")
"""Up to where a line would begin a list, a heading or a line under one."""
_ADDRESS = re.compile(r"(?<=[a-z]):(?=//)|(?<=www)\.", re.IGNORECASE)


def plain(text: str, most: int | None = None) -> str:
    r"""Return one line of plain text, cut to `most` characters with an ellipsis.

    >>> plain("a\u202egnp.exe\n\tb")
    'agnp.exe b'
    >>> plain("so much to say", most=8)
    'so much…'
    """
    shown, marks = [], 0
    for sign in unicodedata.normalize("NFC", text):
        category = unicodedata.category(sign)
        if sign.isspace() or category in ("Zl", "Zp"):
            sign = " "
        elif category in INVISIBLE and sign not in JOINERS:
            continue
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= MARKS:
            shown.append(sign)
    line = " ".join("".join(shown).split())
    return line if most is None or len(line) <= most else line[: most - 1].rstrip() + "…"


def slack(text: str) -> str:
    """Return a text for Slack's mrkdwn: no link, no call to everybody, no format comes out of it.

    https://docs.slack.dev/messaging/formatting-message-text: `&`, `<` and `>` are its only signs of control.

    >>> slack("<!here> & <http://evil.example|your bank>")
    '&lt;!here&gt; &amp; &lt;http://evil.example|your bank&gt;'
    """
    return _CALLS.sub("@" + BREAK, "".join(_SLACK.get(sign, sign) for sign in plain(text)))


def markdown(text: str) -> str:
    r"""Return a text for Markdown, wherever it stands in a line: CommonMark 0.31 with GitHub's and other additions.

    What only some kinds of Markdown let a backslash escape becomes an entity, which all know. Not for Telegram's own
    kinds, which are none: send it HTML.

    >>> markdown("[your bank](http://evil.example) <b>")
    '\\[your bank\\](http&#58;//evil.example) &#60;b&#62;'
    >>> markdown("1. *so*")
    '1&#46; \\*so\\*'
    """
    line = _SIGNS.sub(r"\\\1", _ENTITIES.sub(_entity, plain(text)))
    line = _ADDRESS.sub(_entity, line)
    start = _AT_START.match(line)
    return line if start is None else start[0] + _entity(line[start.end()]) + line[start.end() + 1 :]


def _entity(found: "re.Match[str] | str") -> str:
    return f"&#{ord(found if isinstance(found, str) else found[0])};"


def html(text: str) -> str:
    """Return a text for HTML, in an element or in a quoted attribute.

    >>> html("<img src=x onerror='alert(1)'>")
    '&lt;img src=x onerror=&#x27;alert(1)&#x27;&gt;'
    """
    return _html.escape(plain(text), quote=True)


def cell(text: str) -> str:
    r"""Return a text for a cell of a CSV, which no spreadsheet takes for a formula (OWASP, CSV Injection).

    >>> cell('=HYPERLINK("http://evil.example")')
    '\'=HYPERLINK("http://evil.example")'
    """
    line = plain(text)
    return f"'{line}" if line[:1] in FORMULA and line else line


def link(url: str | None) -> str | None:
    """Return an address that a reader may follow, None for any other: it is of the web, and shows where it leads.

    >>> link("javascript:alert(1)") is None
    True
    >>> link("https://example.org/post/1")
    'https://example.org/post/1'
    """
    found = re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(?:[/?#][!#-;=?-\[\]_a-z~%]*)?", url or "")
    return found.group(0) if found else None
