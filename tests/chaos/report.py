"""RELIABILITY.md, rendered from the figures: what is promised, and what was found, each next to its command."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

Row = dict[str, Any]

TOP = """\
# Reliability

What Foreshock promises about what it accepted, and what was found when it was broken on purpose. This page is written
by `make chaos`; edit `tests/chaos/report.py` instead. A request is *accepted* when it is answered 202; a sender
repeats what was not answered so, and repeating never counts twice.

| the store | promised of what was accepted | found |
| --- | --- | --- |
"""
PROMISES: tuple[tuple[str, Row, str, str], ...] = (
    (
        "kills",
        {},
        "any, a process killed (`kill -9`)",
        "nothing is lost, nothing is counted twice",
    ),
    (
        "power-always",
        {},
        "`--fsync always`, the power cut",
        "nothing is lost: the server syncs before it answers",
    ),
    (
        "power-everysec",
        {},
        "`--fsync everysec` (default), the power cut",
        "what was accepted in the last second may be lost, two where the disk is slow; what is left is whole, and the "
        "senders' repeats bring back the rest",
    ),
    (
        "sentinel",
        {"accept": "replicas:2"},
        "Sentinel, 2 replicas, `--accept replicas:2`, a primary lost",
        "nothing is lost: every replica had it before the answer",
    ),
    (
        "sentinel",
        {"accept": "replicas:1"},
        "Sentinel, 2 replicas, `--accept replicas:1`, a primary lost",
        "what one replica had is lost where Sentinel puts the other in the primary's place; nothing is counted twice",
    ),
    (
        "sentinel",
        {"accept": "memory"},
        "Sentinel, `--accept memory` (default), a primary lost",
        "what had not reached a replica is lost; nothing is counted twice",
    ),
    (
        "cluster",
        {"accept": "replicas:1"},
        "Cluster, 1 replica each, `--accept replicas:1`, a primary lost",
        "nothing is lost: the replica had it before the answer",
    ),
    (
        "cluster",
        {"accept": "memory"},
        "Cluster, `--accept memory` (default), a primary lost",
        "what had not reached a replica is lost; nothing is counted twice",
    ),
)
HOW_KILLS = """\
Worker, API and store of `foreshock serve --fsync everysec` are killed with `kill -9`, each at random instants of its
own, within 0.25 s of having done something; now and then the supervisor is, and everything dies. Meanwhile senders
post new mentions, repeats, edits, deletions, mentions that move from one brand to another, all shuffled and up to
seven days late, and counts that replace. At the end every minute, five minutes and hour of every brand and source is
compared with an independent model (`tests/chaos/oracle.py`). A killed process loses nothing of what it wrote, because
the system holds it: that is why the power is cut next.
"""
HOW_POWER = """\
The append-only file is cut to what was on disk for sure at the very instant of some answer ({method}); every second
cut leaves some of what was written after it, up to a record torn in the middle. The service starts on what is left:
what was accepted before that instant is looked for, then every request is repeated, and all must be exact. A last run
does the same with edits, deletions and counts.
"""
HOW_FAILOVER = """\
`foreshock api` and `foreshock worker` run on real servers while primaries are lost in turn in three ways: *killed*;
killed after it served for half a second *alone*, cut off from its replicas; *deaf*: stopped until another has taken its
place, then back, believing that it is still primary. The roles go on by themselves: one that ends fails the run. With
`replicas:N` for all N replicas nothing is taken until the lost server is back as a replica.
"""
HOW_DELIVERIES = """\
Episodes open and resolve in the store of `foreshock serve --fsync everysec` while the process that tells and the
store are killed with `kill -9` at random instants. The receiver of a webhook answers 503 or 429 now and then, or takes
a request and never answers. Every event must arrive, the begin of an episode before its end. A POST is repeated, under
the same id, where the receiver took it and nobody lived to note it, or it did not answer: receivers drop what they know
by `webhook-id`.
"""
HOW_COST = """\
`foreshock bench ingest` with every mention matching a brand, load generator and store on the same machine.
"""


def render(rows: Sequence[Row]) -> str:
    """Return the document; parts that were not run are left out, and said to be."""
    return TOP + "\n".join([*_promises(rows), "", *_sections(rows), *_machines(rows)])


def _of(rows: Sequence[Row], part: str, **wanted: Any) -> list[Row]:
    return [row for row in rows if row["part"] == part and all(row.get(k) == v for k, v in wanted.items())]


def _promises(rows: Sequence[Row]) -> Iterator[str]:
    for part, wanted, store, promised in PROMISES:
        some = _of(rows, part, **wanted)
        yield f"| {store} | {promised} | {_found(part, some) if some else 'not measured'} |"


def _found(part: str, rows: Sequence[Row]) -> str:
    twice = sum(row["twice"] + row.get("twice_before_repeats", 0) for row in rows)
    if part.startswith("power"):
        lost = [n for row in rows for n in row.get("mentions_lost", [])]
        seconds = [n for row in rows for n in row.get("seconds_lost", [])]
        worst = f", at worst the last {max(seconds, default=0):.2f} s" if any(lost) else ""
        return f"{sum(lost)} lost{worst}; {twice} counted twice, in {sum(row['cuts'] for row in rows)} cuts"
    lost = sum(row["lost"] for row in rows)
    if part == "kills":
        kills = {kind: sum(row["kills"][kind] for row in rows) for kind in rows[0]["kills"]}
        return f"{lost} lost, {twice} counted twice, in {sum(kills.values())} kills"
    return f"{lost} lost, {twice} counted twice, in {sum(sum(row['losses'].values()) for row in rows)} losses"


def _sections(rows: Sequence[Row]) -> Iterator[str]:
    if some := _of(rows, "kills"):
        yield from ("## Killed processes", "", HOW_KILLS, _command("kills"), "", *_kills(some), "")
    for mode in ("always", "everysec"):
        if some := _of(rows, f"power-{mode}"):
            how = HOW_POWER.format(method=some[0]["method"])
            yield from (f"## Power loss, fsync {mode}", "", how, _command(f"power-{mode}"), "", *_power(some), "")
    for topology in ("sentinel", "cluster"):
        if some := _of(rows, topology):
            yield from (f"## Lost primaries, {topology.capitalize()}", "", HOW_FAILOVER, _command(topology), "")
            yield from (*_failover(some), "")
    if some := _of(rows, "deliveries"):
        yield from ("## Killed amid a delivery", "", HOW_DELIVERIES, _command("deliveries"), "", *_deliveries(some), "")
    if some := _of(rows, "cost"):
        yield from ("## What a mode costs", "", HOW_COST, _command("cost"), "", *_cost(some), "")


def _command(part: str) -> str:
    return f"    python -m tests.chaos {part}"


def _table(*lines: tuple[str, object]) -> Iterator[str]:
    yield "| | |"
    yield "| --- | ---: |"
    for name, value in lines:
        yield f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value} |"


def _total(rows: Sequence[Row], name: str) -> int:
    return sum(row.get(name, 0) for row in rows)


def _kills(rows: Sequence[Row]) -> Iterator[str]:
    yield from _table(
        ("mentions sent, repeats included", _total(rows, "mentions_sent")),
        ("requests repeated by the senders", _total(rows, "requests_repeated")),
        ("buckets compared, all fields", _total(rows, "buckets")),
        ("accepted mentions lost", _total(rows, "lost")),
        ("mentions counted twice", _total(rows, "twice")),
        ("fields that differ", _total(rows, "differences")),
    )
    yield from ("", "| killed | times | seconds until work went on, median | most |", "| --- | ---: | ---: | ---: |")
    for kind in rows[0]["kills"]:
        seconds = [s for row in rows for s in row["seconds_until_work_went_on"][kind]]
        yield f"| {kind} | {sum(row['kills'][kind] for row in rows)} | {_middle(seconds)} | {_most(seconds)} |"


def _deliveries(rows: Sequence[Row]) -> Iterator[str]:
    events, repeated = _total(rows, "events"), _total(rows, "repeated_posts")
    yield from _table(
        ("events", events),
        ("processes killed", sum(sum(row["kills"].values()) for row in rows)),
        ("faults of the receiver", sum(sum(row["faults_of_the_receiver"].values()) for row in rows)),
        ("events that never arrived", _total(rows, "missing")),
        ("ends that came before their begin", _total(rows, "misordered")),
        ("POSTs repeated", repeated),
        ("POSTs repeated, of 1,000 events", f"{1000 * repeated / events:.1f}"),
    )


def _power(rows: Sequence[Row]) -> Iterator[str]:
    lost = [n for row in rows for n in row.get("mentions_lost", [])]
    seconds = [n for row in rows for n in row.get("seconds_lost", [])]
    yield from _table(
        ("cuts", _total(rows, "cuts")),
        ("mentions accepted before the cut, median", int(_middle([n for row in rows for n in row["answered"]], 0))),
        ("bytes written and not on disk, most", max(n for row in rows for n in row["unsynced_bytes"])),
        ("accepted mentions lost by a cut, median", int(_middle(lost, 0))),
        ("accepted mentions lost by a cut, most", max(lost, default=0)),
        ("seconds of accepted mentions lost, median", _middle(seconds)),
        ("seconds of accepted mentions lost, most", _most(seconds)),
        ("mentions counted twice before the repeats", _total(rows, "twice_before_repeats")),
        ("mentions missing after the repeats", _total(rows, "lost")),
        ("mentions counted twice after the repeats", _total(rows, "twice")),
        ("fields that differ after the repeats", _total(rows, "differences")),
    )


def _failover(rows: Sequence[Row]) -> Iterator[str]:
    columns = [f"`--accept {row['accept']}`" for row in rows]
    yield f"| | {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * len(rows)}"
    lines = {
        "primaries lost: " + ", ".join(rows[0]["losses"]): [", ".join(map(str, r["losses"].values())) for r in rows],
        "mentions sent": [f"{row['mentions_sent']:,}" for row in rows],
        "accepted mentions lost": [f"{row['lost']:,}" for row in rows],
        "seconds of accepted mentions lost, most": [_most(row.get("seconds_lost", [])) for row in rows],
        "mentions counted twice": [f"{row['twice']:,}" for row in rows],
        "seconds until work went on, median": [_middle(row["seconds_until_work_went_on"]) for row in rows],
        "seconds until work went on, most": [_most(row["seconds_until_work_went_on"]) for row in rows],
    }
    for name, values in lines.items():
        yield f"| {name} | {' | '.join(values)} |"


def _cost(rows: Sequence[Row]) -> Iterator[str]:
    yield f"| | {' | '.join('fsync ' + row['mode'] for row in rows)} |"
    yield f"| --- |{' ---: |' * len(rows)}"
    for name in rows[0]["figures"]:
        values = [f"{row['figures'][name]:,.6g}" for row in rows]
        yield f"| {name} | {' | '.join(values)} |"


def _middle(values: Sequence[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f}" if values else "0"


def _most(values: Sequence[float]) -> str:
    return f"{max(values):.2f}" if values else "0"


def _machines(rows: Sequence[Row]) -> Iterator[str]:
    yield "## Measured with"
    yield ""
    names = ("foreshock", "server", "python", "system", "cores", "gibibytes")
    seen = {tuple(row[name] for name in names) for row in rows}
    days = sorted({row["at"][:10] for row in rows})
    for version, server, python, system, cores, memory in sorted(seen):
        yield f"Foreshock {version}, {server}, Python {python}, {system}, {cores} cores, {memory} GiB of memory."
    yield ""
    yield f"{days[0]} to {days[-1]}." if len(days) > 1 else f"{days[0]}." if days else "Nothing was measured."
    yield ""
