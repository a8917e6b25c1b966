"""One text as queries ask of it: which terms stand in it, where, and what else its mention says."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import islice
from typing import Any

from ahocorasick_rs import AhoCorasick, Implementation

from collectors.fold import begins, fold_cased, is_whole, word_starts
from collectors.language import detect, from_hint

DENSE = 500_000
"""Characters of all terms up to which the automaton is a table: a third quicker, at 48 bytes a character."""

MAX_TERM_LENGTH = 200
"""Characters of one word or phrase: bounds how many terms can end at one place of a text."""

PIECE = 8_192
"""Characters that are looked through at once: of longer texts only whole terms are remembered, so memory is bounded."""

MAX_PLACES = 1_000
"""Places of one term in one text that NEAR looks at, from the text's beginning."""

GOES_ON = "\n"
"""Ends the key of a term whose last word may go on; no folded text holds it."""

Hit = tuple[int, int, int]
"""Number of the term, start and end of a place."""

Span = tuple[int, int]
"""First and last word of a place."""


class Terms:
    """Many terms that are found in one pass over a text (Aho and Corasick 1975)."""

    def __init__(self, keys: Iterable[str]) -> None:
        given = dict.fromkeys(keys)
        whole = [key for key in given if key[-1] != GOES_ON]
        begun = [key for key in given if key[-1] == GOES_ON]
        self.keys = whole + begun
        self.whole = len(whole)
        patterns = [*whole, *(key[:-1] for key in begun)]
        dense = sum(map(len, patterns)) <= DENSE
        automaton = AhoCorasick(patterns, implementation=Implementation.DFA if dense else None)
        self.find = automaton.find_matches_as_indexes

    def hits(self, text: str) -> list[Hit]:
        """Places of every term in a folded text, not yet looked at whether it stands as whole words."""
        return self.find(text, overlapping=True) if len(text) <= PIECE else self.pieces(text)

    def stands(self, text: str, hit: Hit) -> bool:
        """Whether no word goes on beyond the place, or only where it may."""
        number, start, end = hit
        return is_whole(text, start, end) if number < self.whole else begins(text, start)

    def pieces(self, text: str) -> list[Hit]:
        """Places in a long text, of which only those are kept that stand, at most MAX_PLACES of a term."""
        found: list[Hit] = []
        places: Counter[int] = Counter()
        for offset in range(0, len(text), PIECE):
            before = min(offset, MAX_TERM_LENGTH)  # a term may lie across two pieces
            for number, start, end in self.find(text[offset - before : offset + PIECE], overlapping=True):
                if end <= before or places[number] == MAX_PLACES:
                    continue
                hit = (number, start + offset - before, end + offset - before)
                if self.stands(text, hit):
                    places[number] += 1
                    found.append(hit)
        return found


class Standing:
    """The terms that stand in one folded text; `keys` are those that stand somewhere."""

    def __init__(self, terms: Terms, text: str, hits: list[Hit], keys: set[str] | None = None) -> None:
        self._terms, self._text, self._hits = terms, text, hits
        self._words: dict[str, list[Span]] = {}
        self.keys = {key for key in self._by_key if self.places(key)} if keys is None else keys

    def places(self, key: str) -> list[tuple[int, int]]:
        """Start and end of the first MAX_PLACES places of a term."""
        stands = (hit[1:] for hit in self._by_key.get(key, ()) if self._terms.stands(self._text, hit))
        return list(islice(stands, MAX_PLACES))

    def words(self, key: str) -> list[Span]:
        """First and last word of each place of a term, counted from 1 and rising."""
        if key not in self._words:
            starts = self._starts
            self._words[key] = [(bisect_left(starts, a) + 1, bisect_right(starts, b - 1)) for a, b in self.places(key)]
        return self._words[key]

    @cached_property
    def _by_key(self) -> dict[str, list[Hit]]:
        found: dict[str, list[Hit]] = {}
        for hit in self._hits:
            found.setdefault(self._terms.keys[hit[0]], []).append(hit)
        return found

    @cached_property
    def _starts(self) -> list[int]:
        return word_starts(self._text)


class Reading:
    """One text; what costs time is found out when it is first asked for.

    `said` is what else is known of the mention, by name as in its JSON; `plain` are the terms that stand in the folded
    text (`keys` theirs), `cased` those that stand in it as written.
    """

    def __init__(self, text: str, said: Mapping[str, Any] | None, plain: Standing, cased: Terms) -> None:
        self.said = said or {}
        self.plain, self.keys = plain, plain.keys
        self._text, self._cased = text, cased

    @cached_property
    def cased(self) -> Standing:
        """The case-sensitive terms that stand in it."""
        text = fold_cased(self._text)
        return Standing(self._cased, text, self._cased.hits(text))

    @cached_property
    def language(self) -> str | None:
        """ISO 639 code: the network's hint, else our own guess where it is sure."""
        return from_hint(self.said.get("language")) or detect(self._text)
