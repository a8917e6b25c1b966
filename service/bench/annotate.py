"""`foreshock bench annotate`: what a text costs on one core before the store sees it."""

import argparse
import time

from collectors.annotate import annotate
from collectors.match import Matcher
from collectors.query import parse
from service.bench import Figures
from service.bench.texts import texts

TEXTS = 5_000
BRANDS = 10_000


def measure(_: argparse.Namespace) -> Figures:
    """Language, sentiment, spam and signature of 5,000 texts, and 10,000 brands' queries matched."""
    some = texts(TEXTS)
    annotate(some[0])
    began = time.perf_counter()
    for text in some:
        annotate(text)
    annotated = time.perf_counter() - began
    queries = {f"b{n}": parse(f'"brand {n}" OR brand{n}') for n in range(BRANDS - 1)}
    matcher = Matcher(queries | {"air": parse("northvane")})
    began = time.perf_counter()
    hits = sum(bool(matcher.match(text)) for text in some)
    matched = time.perf_counter() - began
    return {
        "texts": len(some),
        "annotate_us": 1e6 * annotated / len(some),
        "texts_per_second": len(some) / annotated,
        "queries": BRANDS,
        "match_us": 1e6 * matched / len(some),
        "matched_share": hits / len(some),
    }
