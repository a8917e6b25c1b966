"""`foreshock bench annotate`: what a text costs on one core before the store sees it, where every text matches.

10,000 queries as brands have them (a phrase, a word, a tag, a handle); every text names one of the brands. The stages
run one after the other over as many texts as a worker takes at a time, as they do in the service. `match_mixed_us` is
matching where five of six queries have NOT, wildcards, NEAR, {Case} or filters.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

from collectors.annotate import annotate_all
from collectors.language import guess
from collectors.match import Matcher
from collectors.query import parse
from collectors.sentiment import Engine, EngineError
from service.annotate import chosen
from service.bench import BenchError, Figures
from service.bench.texts import brand_names, forms, frames, query

TEXTS, SHORT_TEXTS = 20_000, 2_000
QUERIES = 10_000
TOGETHER = 500
"""Texts that go through a stage before the next one begins."""
TIMES = 5
"""Each figure is the best of so many: what the machine does beside is not ours."""


def measure(arguments: argparse.Namespace) -> Figures:
    """Return microseconds a text of each stage, and texts a second of all together.

    Raises:
        BenchError: the engine cannot be loaded.
    """
    try:
        engine = chosen(arguments)
    except EngineError as error:
        raise BenchError(str(error)) from None
    names = brand_names(QUERIES)
    texts = tweets(names, SHORT_TEXTS if arguments.short else TEXTS, arguments.seed)
    matcher = Matcher({name: parse(query(name)) for name in names})
    matched = sum(bool(matcher.match(text)) for text in texts)
    hinted = [(text, None) for text in texts]
    match_us = _best(lambda some: [matcher.match(text) for text in some], texts)
    mixed = Matcher({name: parse(mixed_query(name, n)) for n, name in enumerate(names)})
    match_mixed_us = _best(lambda some: [mixed.match(text, SAID) for text in some], texts)
    language_us = _best(lambda some: [guess(text) for text in some], texts)
    sentiment_us = _best(lambda some: [engine.judge(text) for text in some], texts)
    annotate_us = _best(lambda some: annotate_all([(text, None) for text in some], engine), texts)
    notes = annotate_all(hinted, engine)
    return {
        "texts": len(texts),
        "characters": statistics.fmean(map(len, texts)),
        "queries": QUERIES,
        "matched_share": matched / len(texts),
        "scored_share": sum(note.scored for note in notes) / len(texts),
        "match_us": match_us,
        "match_mixed_us": match_mixed_us,
        "language_us": language_us,
        "sentiment_us": sentiment_us,
        "spam_us": max(0.0, annotate_us - language_us - sentiment_us),
        "annotate_us": annotate_us,
        "sentiment_texts_per_second": 1e6 / sentiment_us,
        "texts_per_second": 1e6 / (match_us + annotate_us),
        **_longest(engine),
    }


def mixed_query(name: str, n: int) -> str:
    """Return the `n`th brand's query, of six kinds in turn that ask all that a query can."""
    kinds = (
        query(name),
        f'({name} OR "{name} air" OR @{name}) NOT ({name}land OR "{name} street")',
        f"({name}* OR #{name}) (flight* OR luggage OR refund* OR delay* OR crew)",
        f'(@{name}help OR {name}) NEAR/8 (late OR refund* OR cancel* OR worst) OR "{name} air"',
        f"{{{name.title()}}} -job* -hiring (lang:en OR lang:de)",
        f"({name} OR #{name}) followers:>100 -source:reddit -kind:ticket",
    )
    return kinds[n % len(kinds)]


SAID = {"source": "x", "kind": "post", "language": "en", "author": {"id": "1", "name": "jane", "followers": 500}}
"""What the network says of each text, for queries that ask."""


def tweets(names: Sequence[str], n: int, seed: int) -> list[str]:
    """Write `n` texts as long as tweets are, each of which names one of the brands."""
    chance, some = Random(seed), frames()  # noqa: S311 - a seed must give the same texts
    written = []
    for _ in range(n):
        (before, after), more = chance.choice(some), chance.choice(some)[1]
        text = f"{before}{chance.choice(forms(chance.choice(names)))}{after}"
        written.append(text if len(text) > SHORT else f"{text}{more}")
    return written


SHORT = 80
"""Characters up to which a text goes on: in two public collections a tweet has 104 on average."""


def _best(stage: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Microseconds a text of the quickest of some runs."""
    return min(_run(stage, texts) for _ in range(TIMES)) / len(texts) * 1e6


def _run(stage: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    began = time.process_time()
    for some in _batches(texts):
        stage(some)
    return time.process_time() - began


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[at : at + TOGETHER] for at in range(0, len(texts), TOGETHER))


def _longest(engine: Engine) -> Figures:
    """Milliseconds of the slowest of some texts that are made to be slow."""
    cruel = ("x" * 1_000_000, "no x love but " * 70_000, "😡" * 300_000, "https://a #b @c " * 60_000, "最低" * 300_000)
    took = []
    for text in cruel:
        began = time.process_time()
        annotate_all([(text, None)], engine)
        took.append(time.process_time() - began)
    return {"slowest_ms": 1e3 * max(took)}
