"""`make sentiment`: measures the engines of sentiment and writes SENTIMENT.md from their figures."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from service.bench import Figures
from service.bench.languages import SENTENCES
from service.bench.sentiment import FOLDER
from service.bench.sentiment_text import HOURLY, LANGUAGES, LIMITS, OTHER_ENGINE, SPEED, TOP, TWEETS

ENGINES = ("linear", "vader")
"""Those that come with Foreshock; others are measured beside them where they are named."""

LONGEST = 1800.0
"""Seconds after which a bench is given up; all together take a minute."""

Parts = Mapping[str, Figures | str]
"""By engine its figures, or why there are none."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benches, write the page; 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m service.bench.sentiment_card", description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="DIR", help="tweets.dev.tsv and airlines.dev.tsv")
    parser.add_argument("--engine", action="append", default=[], metavar="ENGINE", help="measured beside the others")
    parser.add_argument("--short", action="store_true", help="fewer samples; the page is printed and not written")
    parser.add_argument("--document", type=Path, default=Path("SENTIMENT.md"), help="what is written")
    arguments = parser.parse_args(argv)
    short = ["--short"] * arguments.short
    parts = {
        name: _run("sentiment", "--sentiment", name, "--data", str(arguments.data), *short)
        for name in (*ENGINES, *arguments.engine)
    }
    annotate = _run("annotate", *short)
    page = render(parts, annotate)
    if arguments.short:
        sys.stdout.write(page)
    else:
        arguments.document.write_text(page, encoding="utf-8")
    return int(any(isinstance(found, str) for found in (*parts.values(), annotate)))


def _run(name: str, *options: str) -> Figures | str:
    """Run a bench in a process of its own; its figures, or the last thing it said."""
    command = [sys.executable, "-m", "service", "bench", name, "--format", "json", *options]
    # The command is this program's own.
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)  # noqa: S603
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    figures: Figures = json.loads(done.stdout)["figures"]
    return figures


def render(parts: Parts, annotate: Figures | str) -> str:
    """Return the page; what could not be measured is left out, and said to be."""
    measured = {name: found for name, found in parts.items() if not isinstance(found, str)}
    lines = [TOP]
    for name, found in parts.items():
        if isinstance(found, str):
            lines += [f"`{name}` was not measured this time: its texts or its engine are not here.", ""]
    if measured:
        lines += [*_tweets(measured), *_hours(measured), *_languages(measured)]
    lines += _speed(measured, annotate)
    return "\n".join([*lines, LIMITS, OTHER_ENGINE.rstrip()]) + "\n"


def _tweets(measured: Mapping[str, Figures]) -> Iterator[str]:
    yield from (TWEETS, "    foreshock bench sentiment --data DIR --sentiment ENGINE", "")
    yield "| engine | texts | macro recall | negative: recall | precision | precision at 32 % negative |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for name, found in measured.items():
        for texts, said in (("tweets", "about anything"), ("airlines", "to airlines")):
            cells = (
                _sure(found, f"{texts}_{what}")
                for what in (
                    "macro_recall", "negative_recall", "negative_precision", "negative_precision_at_32",
                )
            )  # fmt: skip
            yield f"| {name} | {found[texts]:,.0f} {said} | {' | '.join(cells)} |"
    yield ""


def _hours(measured: Mapping[str, Figures]) -> Iterator[str]:
    yield from (HOURLY, "    foreshock bench sentiment --data DIR --sentiment ENGINE", "")
    yield "| engine | hours | correlation | mean absolute error, points |"
    yield "| --- | ---: | ---: | ---: |"
    for name, found in measured.items():
        error = 100 * found["airlines_hourly_error"]
        yield f"| {name} | {found['airlines_hours']:.0f} | {_sure(found, 'airlines_hourly_r', 2)} | {error:.1f} |"
    yield ""


def _languages(measured: Mapping[str, Figures]) -> Iterator[str]:
    yield from (LANGUAGES, "    foreshock bench sentiment --data DIR --sentiment ENGINE", "")
    codes = ("en", *SENTENCES)
    yield f"| | {' | '.join(codes)} |"
    yield f"| --- |{' ---: |' * len(codes)}"
    first = next(iter(measured.values()))
    yield f"| told | {' | '.join(_percent(first[f'told_{code}']) for code in codes)} |"
    for name, found in measured.items():
        yield f"| {name} abstains | {' | '.join(_percent(1 - found[f'scored_{code}']) for code in codes)} |"
    yield ""


def _speed(measured: Mapping[str, Figures], annotate: Figures | str) -> Iterator[str]:
    yield SPEED
    if measured:
        yield from ("    foreshock bench sentiment --data DIR --sentiment ENGINE", "")
        yield "| engine | texts a second | data, MB |"
        yield "| --- | ---: | ---: |"
        for name, found in measured.items():
            yield f"| {name} | {found['texts_per_second']:,.0f} | {found['data_mb']:.1f} |"
        yield ""
    if isinstance(annotate, str):
        yield from ("All stages together were not measured this time.", "")
        return
    yield from ("    foreshock bench annotate", "", "| stage | microseconds a text |", "| --- | ---: |")
    for stage, said in _STAGES.items():
        yield f"| {said} | {annotate[f'{stage}_us']:.1f} |"
    yield f"| **together** ({annotate['texts_per_second']:,.0f} a second) | {1e6 / annotate['texts_per_second']:.1f} |"
    yield from ("", f"The slowest of some texts of a megabyte takes {annotate['slowest_ms']:.0f} ms.", "")


_STAGES = {
    "match": "10,000 queries",
    "language": "language",
    "sentiment": "sentiment (linear)",
    "spam": "spam, and by what copies are known",
}


def _sure(found: Figures, name: str, digits: int = 3) -> str:
    low, high = found[f"{name}_low"], found[f"{name}_high"]
    return f"{found[name]:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


if __name__ == "__main__":
    sys.exit(main())
