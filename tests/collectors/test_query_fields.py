from typing import Any

import pytest

from collectors.match import Matcher
from collectors.query import QueryError, parse
from collectors.query_fields import Field, Followers


@pytest.mark.parametrize(
    ("written", "leaf"),
    [
        ("source:Reddit", Field("source", "reddit")),
        ("SOURCE：reddit", Field("source", "reddit")),
        ("kind:ticket", Field("kind", "ticket")),
        ("lang:en-GB", Field("lang", "en")),
        ("lang:iw", Field("lang", "he")),
        ("author:@Jane", Field("author", "jane")),
        ('author:"Jane  Doe"', Field("author", "jane doe")),
        ("url:https://Acme.com/help/", Field("url", "acme.com/help")),
        ('url:"acme.com/a b"', Field("url", "acme.com/a b")),
        ("followers:>1000", Followers(1001, None)),
        ("followers:>=1000", Followers(1000, None)),
        ("followers:<1000", Followers(None, 999)),
        ("followers:<=1000", Followers(None, 1000)),
        ("followers:1000", Followers(1000, 1000)),
        ("followers:5..70", Followers(5, 70)),
        ("followers:5-70", Followers(5, 70)),
    ],
)
def test_a_filter_is_read_and_prints_as_text_that_is_read_alike(written: str, leaf: Field | Followers) -> None:
    query = parse(written)
    assert query.root == leaf
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    ("query", "column", "message", "expected"),
    [
        ("acme foo:bar", 6, "no filter foo:", "source:"),
        ("acme https://acme.com", 6, "no filter https:", "quotes"),
        ("acme :)", 6, "no filter :", "source:"),
        ("acme source:", 6, "source: cannot be nothing", "source:reddit"),
        ('acme source: "x"', 6, "source: cannot be nothing", "source:reddit"),
        ("acme source:(x", 6, "source: cannot be nothing", "source:reddit"),
        ("acme source:a/b", 6, "source: cannot be a/b", "source:reddit"),
        ("acme kind:tweet", 6, "kind: cannot be tweet", "post, comment"),
        ("acme lang:german", 6, "lang: cannot be german", "lang:en"),
        ("acme lang:und", 6, "lang: cannot be und", "lang:en"),
        ("acme author:@", 6, "author: cannot be @", "author:jane"),
        ("acme url:https://", 6, "url: cannot be", "url:acme.com"),
        ("acme followers:many", 6, "followers: cannot be many", "followers:>1000"),
        ("acme followers:9..5", 6, "followers: cannot be 9..5", "somebody can be in"),
        ("acme followers:<0", 6, "followers: cannot be <0", "somebody can be in"),
        ("acme followers:>10000000000", 6, "followers: cannot be", "somebody can be in"),
        (f"acme url:{'x' * 501}", 6, "url: cannot be", "at most 500"),
    ],
)
def test_a_wrong_filter_is_told_with_what_would_be_right(query: str, column: int, message: str, expected: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert caught.value.column == column
    assert message in caught.value.message
    assert expected in caught.value.expected


@pytest.mark.parametrize(
    ("query", "said", "holds"),
    [
        ("followers:>=10", {"author": {"id": "1", "followers": 10}}, True),
        ("followers:>10", {"author": {"id": "1", "followers": 10}}, False),
        ("followers:<=10", {"author": {"id": "1", "followers": 10}}, True),
        ("followers:<10", {"author": {"id": "1", "followers": 10}}, False),
        ("followers:0", {"author": {"id": "1", "followers": 0}}, True),
        ("followers:0", {"author": {"id": "1"}}, False),
        ("kind:post", {}, True),
        ("kind:post", {"kind": "ticket"}, False),
        ("author:7", {"author": {"id": "7"}}, True),
        ("author:jane", {"author": {"id": "7", "name": "@Jane"}}, True),
        ("author:jan", {"author": {"id": "7", "name": "jane"}}, False),
        ("url:acme.com", {"url": "https://www.ACME.com/x"}, True),
        ("url:acme", {"url": "https://pacme.com/x"}, False),
        ("url:acme.com", {}, False),
        ("lang:he", {"language": "iw"}, True),
        ("lang:en", {"language": "de"}, False),
    ],
)
def test_a_filter_holds_by_what_the_mention_says(query: str, said: dict[str, Any], holds: bool) -> None:
    assert bool(Matcher({"": parse(query)}).match("so a text", said)) == holds
