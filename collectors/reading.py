"""One text as queries ask of it: which terms stand in it, where, and what else its mention says."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ahocorasick_rs import AhoCorasick, Implementation

from collectors.fold import EDGES, begins, fold_cased, is_whole, word_starts
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

Place = tuple[int, int]
"""Start and end."""

Hit = tuple[int, int, int]
"""Number of the term, start and end of a place."""

Span = tuple[int, int]
"""First and last word of a place."""


class Terms:
    """Many terms that are found in one pass over a text (Aho and Corasick 1975); those that may go on come last."""

    def __init__(self, keys: Iterable[str]) -> None:
        given = dict.fromkeys(keys)
        whole = [key for key in given if key[-1] != GOES_ON]
        begun = [key for key in given if key[-1] == GOES_ON]
        self.number = {key: number for number, key in enumerate(whole + begun)}
        self.whole = len(whole)
        patterns = [*whole, *(key[:-1] for key in begun)]
        dense = sum(map(len, patterns)) <= DENSE
        automaton = AhoCorasick(patterns, implementation=Implementation.DFA if dense else None)
        self._find = automaton.find_matches_as_indexes

    def standing(self, text: str) -> list[Hit]:
        """Places in a folded text where a term stands: no word goes on beyond it, or only where it may."""
        return self.all_standing(text) if len(text) <= PIECE else self._pieces(text)

    def all_standing(self, text: str) -> list[Hit]:
        """Give every place, for a text that is not long, or a few of them."""
        hits = self._find(text, overlapping=True)
        if not hits:
            return hits
        round_about = text + " "  # so that -1 and the length are an edge as well
        return [
            (number, a, b)
            for number, a, b in hits
            if (round_about[b] in EDGES and round_about[a - 1] in EDGES) or self._stands(text, number, a, b)
        ]

    def _stands(self, text: str, number: int, start: int, end: int) -> bool:
        return is_whole(text, start, end) if number < self.whole else begins(text, start)

    def _pieces(self, text: str) -> list[Hit]:
        """Places in a long text, at most MAX_PLACES of a term."""
        found: list[Hit] = []
        places: Counter[int] = Counter()
        for offset in range(0, len(text), PIECE):
            before = min(offset, MAX_TERM_LENGTH)  # a term may lie across two pieces
            for number, start, end in self._find(text[offset - before : offset + PIECE], overlapping=True):
                if end <= before or places[number] == MAX_PLACES:
                    continue
                hit = (number, start + offset - before, end + offset - before)
                if self._stands(text, *hit):
                    places[number] += 1
                    found.append(hit)
        return found


class Standing:
    """Where terms stand in one folded text, by their numbers."""

    def __init__(self, text: str, hits: Iterable[Hit]) -> None:
        self._text = text
        self._places: dict[int, list[Place]] = {}
        for number, start, end in hits:
            self._places.setdefault(number, []).append((start, end))
        self._words: dict[int, list[Span]] = {}
        self._starts: list[int] | None = None

    def places(self, number: int) -> list[Place]:
        """Start and end of the first MAX_PLACES places of a term."""
        return self._places.get(number, [])[:MAX_PLACES]

    def words(self, number: int) -> list[Span]:
        """First and last word of each place of a term, counted from 1 and rising."""
        if number not in self._words:
            if self._starts is None:
                self._starts = word_starts(self._text)
            at = self._starts
            self._words[number] = [(bisect_left(at, a) + 1, bisect_right(at, b - 1)) for a, b in self.places(number)]
        return self._words[number]


class Reading:
    """One text; what costs time is found out when it is first asked for, and then kept for the next query.

    `said` is what else is known of the mention, by name as in its JSON; `found` are the numbers of the terms that stand
    in the folded text.
    """

    __slots__ = (
        "_cased",
        "_cased_terms",
        "_folded",
        "_hits",
        "_language",
        "_plain",
        "_terms",
        "_text",
        "found",
        "said",
    )

    def __init__(
        self,
        text: str,
        said: Mapping[str, Any] | None,
        folded: str,
        hits: list[Hit],
        found: set[int],
        terms: Terms,
        cased: Terms,
    ) -> None:
        self.said, self.found = said or {}, found
        self._text, self._folded, self._hits, self._terms, self._cased_terms = text, folded, hits, terms, cased
        # By hand: a cached_property takes a lock, and more time than what is kept here.
        self._plain: Standing | None = None
        self._cased: Standing | None = None
        self._language: str | None = ""

    @property
    def plain(self) -> Standing:
        """Where the terms stand in the folded text."""
        if self._plain is None:
            self._plain = Standing(self._folded, self._hits)
        return self._plain

    @property
    def cased(self) -> Standing:
        """Where the case-sensitive terms stand."""
        if self._cased is None:
            text = fold_cased(self._text)
            self._cased = Standing(text, self._as_written(text))
        return self._cased

    def _as_written(self, text: str) -> list[Hit]:
        """Places of case-sensitive terms; mostly it is enough to compare case where their folded forms stand."""
        cased = self._cased_terms
        if len(text) > PIECE or len(text) != len(self._folded) or text.lower() != self._folded:
            return cased.standing(text)
        whole, number = self._terms.whole, cased.number
        return [(number[text[a:b]], a, b) for term, a, b in self._hits if term < whole and text[a:b] in number]

    @property
    def language(self) -> str | None:
        """ISO 639 code: the network's hint, else our own guess where it is sure."""
        if self._language == "":
            self._language = from_hint(self.said.get("language")) or detect(self._text)
        return self._language
