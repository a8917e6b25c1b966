"""Queries evaluated the simple way, and random ones: by lists of words, without an automaton, folding or positions."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from hypothesis import strategies as st

from collectors.query_fields import Field, Followers
from collectors.query_tree import And, Cased, Near, Node, Not, Or, Phrase, Prefix, Sayable, Term

WORDS = ["acme", "Acme", "acmes", "air", "AIR", "airline", "#air", "@acme", "late", "🔥", "best"]
SOURCES, KINDS, AUTHORS = ["x", "reddit"], ["post", "ticket"], ["jane", "42"]

texts = st.lists(st.sampled_from(WORDS), max_size=9)
mentions = st.fixed_dictionaries(
    {},
    optional={
        "source": st.sampled_from(SOURCES),
        "kind": st.sampled_from(KINDS),
        "language": st.sampled_from(["en-GB", "de"]),
        "url": st.sampled_from(["https://acme.com/help?a=1", "https://notacme.com/help"]),
        "author": st.fixed_dictionaries(
            {"id": st.sampled_from(AUTHORS)},
            optional={"name": st.sampled_from(["Jane", "@jane"]), "followers": st.integers(0, 6)},
        ),
    },
)

_terms = st.builds(
    Term, st.sampled_from(["acme", "air", "#air", "@acme", "late", "🔥", "acme air", "air late", "late 🔥"])
)
_prefixes = st.builds(Prefix, st.sampled_from(["acm", "air", "best", "#air", "acme air"]))
_cased = st.builds(Cased, st.sampled_from(["Acme", "acme", "AIR", "Acme AIR"]))
_phrases = st.sampled_from([Phrase((Prefix("acm"), Term("air"))), Phrase((Prefix("air"), Prefix("air late")))])
_sayable = st.one_of(_terms, _prefixes, _cased, _phrases)
_sides = st.lists(_sayable, min_size=1, max_size=3).map(tuple)
_fields = st.one_of(
    st.builds(Field, st.just("source"), st.sampled_from(SOURCES)),
    st.builds(Field, st.just("kind"), st.sampled_from(KINDS)),
    st.builds(Field, st.just("author"), st.sampled_from(AUTHORS)),
    st.builds(Field, st.just("lang"), st.sampled_from(["en", "de"])),
    st.builds(Field, st.just("url"), st.sampled_from(["acme.com", "com/help"])),
    st.builds(Followers, st.integers(0, 3), st.integers(3, 6)),
    st.builds(Followers, st.none(), st.integers(0, 6)),
    st.builds(Followers, st.integers(0, 6), st.none()),
)
_leaves = st.one_of(_sayable, st.builds(Near, _sides, _sides, st.integers(1, 4)), _fields)


def _deeper(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    parts = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.one_of(st.builds(And, parts), st.builds(Or, parts), st.builds(Not, inner))


trees: st.SearchStrategy[Node] = st.recursive(_leaves, _deeper, max_leaves=12)


def holds(node: Node, words: list[str], said: Mapping[str, Any]) -> bool:
    """Whether a tree is true of a text of these words; the language must be said."""
    if isinstance(node, And):
        return all(holds(part, words, said) for part in node.parts)
    if isinstance(node, Or):
        return any(holds(part, words, said) for part in node.parts)
    if isinstance(node, Not):
        return not holds(node.part, words, said)
    if isinstance(node, Near):
        pairs = product(_either(node.left, words), _either(node.right, words))
        return any(0 < max(c - b, a - d) <= node.distance for (a, b), (c, d) in pairs)
    if isinstance(node, Field | Followers):
        return _said(node, said)
    assert isinstance(node, Sayable)
    return any(True for _ in _places(node, words))


def _either(side: tuple[Sayable, ...], words: list[str]) -> list[tuple[int, int]]:
    return [place for choice in side for place in _places(choice, words)]


def _places(node: Sayable, words: list[str]) -> Iterator[tuple[int, int]]:
    wanted = [word for part in node.parts for word in _written(part)] if isinstance(node, Phrase) else _written(node)
    cased = isinstance(node, Cased)
    bare = {0}  # a sign before a word is passed over where the term, or a part of a phrase, begins
    if isinstance(node, Phrase):
        bare.add(len(_written(node.parts[0])))
    for first in range(len(words) - len(wanted) + 1):
        if all(_is(w, words[first + n], cased, n in bare) for n, w in enumerate(wanted)):
            yield first, first + len(wanted) - 1


def _written(part: Term | Prefix | Cased) -> list[str]:
    return (part.text + "*" * isinstance(part, Prefix)).split(" ")


def _is(wanted: str, word: str, cased: bool, bare: bool) -> bool:
    written = [word] if cased else [word.lower()]
    if bare:
        written += [form.lstrip("#@") for form in written]
    if wanted.endswith("*"):
        return any(form.startswith(wanted[:-1]) for form in written)
    return wanted in written


def _said(node: Field | Followers, said: Mapping[str, Any]) -> bool:
    author = said.get("author", {})
    if isinstance(node, Followers):
        low, high = node.low or 0, 10**10 if node.high is None else node.high
        return bool(low <= author.get("followers", -1) <= high)
    values = {
        "source": [said.get("source")],
        "kind": [said.get("kind", "post")],
        "lang": [said.get("language", "")[:2]],
        "author": [author.get("id"), author.get("name", "").strip("@").lower()],
        "url": ["acme.com", "com/help"] if "/acme" in said.get("url", "") else ["com/help"] * ("url" in said),
    }
    return node.value in values[node.name]
