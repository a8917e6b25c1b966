"""`foreshock bench spam`: how much of a campaign the counts leave out, and how much of honest talk.

Campaigns are of 20 and 100 posts in an hour, all by doubtful accounts; honest talk is the last hour of simulated
revolts and, where `--data` has them, tweets to three airlines in their hours; in both none, a tenth and three tenths
of the people have doubtful accounts. What is left out is what `fs_count` leaves out: a test holds the two together.
Intervals hold 95 %, by bootstrap over campaigns, outcries and draws of who is doubtful.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from collectors.suspects import Post, excluded
from service.bench import Figures
from service.bench.campaigns import CAMPAIGNS, campaign, outcry, tweets

SIZES = (20, 100)
"""Posts of a campaign in its hour."""
DOUBTFUL = (0.0, 0.1, 0.3)
"""Part of honest people whose account is doubtful."""
DRAWS, SHORT_DRAWS = 100, 5
OUTCRIES, SHORT_OUTCRIES = 10, 1
SAMPLES = 2000
"""Bootstrap samples of an interval."""
FOLDER = "../shared/data"
FILE = "sentiment/measure/airlines.dev.tsv"


def measure(arguments: argparse.Namespace) -> Figures:
    """Return percent left out, `_low` and `_high`: of campaigns by kind and size, of honest talk by doubtful part."""
    draws = SHORT_DRAWS if arguments.short else DRAWS
    figures: Figures = {"campaigns": draws}
    for kind in CAMPAIGNS:
        for size in SIZES:
            figures |= _told(f"{kind}_{size}", [campaign(kind, size, arguments.seed + n) for n in range(draws)])
    for part in DOUBTFUL:
        seeds = range(arguments.seed, arguments.seed + (SHORT_OUTCRIES if arguments.short else OUTCRIES))
        figures |= _told(f"outcry_{part:g}", [outcry(seed, part) for seed in seeds])
    path = Path(arguments.data or os.environ.get("FORESHOCK_DATA") or FOLDER) / FILE
    if path.exists():
        seeds = range(arguments.seed, arguments.seed + SHORT_DRAWS)
        for part in DOUBTFUL:
            figures |= _told(f"tweets_{part:g}", [tweets(path, part, seed) for seed in seeds])
    return figures


def _told(name: str, talks: Sequence[list[Post]]) -> Figures:
    shares = np.array([100 * np.mean(excluded(posts)) for posts in talks])
    again = np.random.default_rng(1).choice(shares, (SAMPLES, len(shares))).mean(axis=1)
    low, high = np.quantile(again, (0.025, 0.975))
    return {name: float(shares.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
