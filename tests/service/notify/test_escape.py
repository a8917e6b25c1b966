"""What strangers wrote shows the same words in every channel, and does nothing there."""

import csv
import html as standard_html
import io
import re
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.notify.escape import BREAK, FORMULA, INVISIBLE, JOINERS, cell, html, link, markdown, plain, slack

PIECES = (
    "<!here>", "<!channel>", "@channel", "<http://evil.example|bank>", "[bank](http://evil.example)", "![x](y)",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;", "&#60;", "javascript:alert(1)", "**", "__",
    "~~", "`", "```", "| a | b |", "# ", "- ", "1. ", "> ", "+", "=", "---", "\\", "=HYPERLINK(1)", "@SUM(A1)",
    "\u202e", "\u2066", "\ufeff", "\x00", "\x1b[31m", "\r\n", "\t", "\u2028", "www.evil.example", "http://evil.example",
    "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301", "\U000e0041", "＝1+1", '"', "'", ",", ";", "a@evil.example", "$x$",
)  # fmt: skip
hostile = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=8).map("".join)


class Read(HTMLParser):
    """What a browser makes of a text: the words, and whatever is none."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words, self.markup = "", list[str]()
        self.feed(text)
        self.close()

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        self.markup.append(tag)

    def handle_comment(self, data: str) -> None:
        self.markup.append(data)

    def handle_decl(self, decl: str) -> None:
        self.markup.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.markup.append(data)

    def handle_pi(self, data: str) -> None:
        self.markup.append(data)


@given(hostile)
def test_plain_text_is_one_line_that_nothing_unseen_steers(text: str) -> None:
    line = plain(text)
    assert len(line.splitlines()) <= 1
    assert not [c for c in line if unicodedata.category(c) in INVISIBLE and c not in JOINERS]
    assert plain(line) == line
    assert len(plain(text, 10)) <= 10


@given(hostile)
def test_html_gives_the_words_and_no_element(text: str) -> None:
    for place in ("{}", '<p title="{}">'):
        read = Read(place.format(html(text)))
        assert read.markup == (["p"] if "title" in place else [])
    assert Read(html(text)).words == plain(text)
    assert not re.search("[<>\"']", html(text))


@given(hostile)
def test_slack_gives_the_words_and_neither_link_nor_call(text: str) -> None:
    said = slack(text)
    assert "<" not in said
    assert ">" not in said
    assert set(re.findall(r"&\w*;?", said)) <= {"&amp;", "&lt;", "&gt;"}
    assert not re.search(r"@(channel|here|everyone|group)\b", said, re.IGNORECASE)
    assert standard_html.unescape(said).replace(BREAK, "") == plain(text)


@given(hostile)
def test_markdown_gives_the_words_and_no_markup_wherever_it_stands(text: str) -> None:
    rendered: Any = pytest.importorskip("markdown")
    for before, around in (("", ["p"]), ("> ", ["blockquote", "p"]), ("- ", ["ul", "li"]), ("so ", ["p"])):
        if not plain(text):
            continue
        read = Read(rendered.markdown(before + markdown(text), extensions=["tables", "nl2br"]))
        assert read.markup == around, (markdown(text), read.markup)
        assert read.words.strip() == (before if before == "so " else "") + plain(text)


@given(st.lists(hostile, min_size=1, max_size=4))
def test_a_cell_survives_a_csv_and_is_never_a_formula(texts: list[str]) -> None:
    table = io.StringIO()
    csv.writer(table).writerow([cell(text) for text in texts])
    table.seek(0)
    (row,) = list(csv.reader(table))
    for text, shown in zip(texts, row, strict=True):
        assert not shown or shown[0] not in FORMULA
        assert shown.removeprefix("'") == plain(text).removeprefix("'")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "https://example.org/\u202egnp.exe", "https://a@evil.example/",
        "https://example.org/a b", "//example.org", "ftp://example.org", 'https://example.org/"onclick=x', "", None,
        "https://example.org/<b>", "https://example.org\n.evil.example/", "https://bаnk.example/",
    ],
)  # fmt: skip
def test_an_address_that_hides_where_it_leads_is_none(url: str | None) -> None:
    assert link(url) is None


@pytest.mark.parametrize(
    "url", ["https://x.com/i/status/1", "http://example.org", "https://example.org:8443/a/b?c=d&e=%20#f"]
)
def test_an_address_of_the_web_stays(url: str) -> None:
    assert link(url) == url
