"""How much memory this machine, or the control group that holds this process, has; and sizes as people write them."""

import os
import re
from pathlib import Path

UNITS = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "kb": 2**10,
    "m": 10**6,
    "mb": 2**20,
    "g": 10**9,
    "gb": 2**30,
    "t": 10**12,
    "tb": 2**40,
}
"""As the server's own configuration reads them."""
LEAST = 16 * UNITS["mb"]
"""Bytes below which a store has no room for more than itself."""
SHARE = 0.6
"""Part of the memory that the embedded store takes: the rest is for the processes, and for what changes while the
append-only file is rewritten."""


def size_of(text: str) -> int:
    """Return the bytes of a size such as `4gb` or `512mb`.

    Raises:
        ValueError: it is none, or less than a store needs; the message is one sentence.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", text.strip().lower())
    if found is None or found[2] not in UNITS:
        raise ValueError(f"{text!r} is no size; 4gb or 512mb would be right")
    size = int(float(found[1]) * UNITS[found[2]])
    if size < LEAST:
        raise ValueError(f"{text!r} is too little for a store; {LEAST // UNITS['mb']}mb or more would be right")
    return size


def machine_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory that this process may see used: the machine's, or less by its control groups' limits.

    `root` is where `proc` and `sys` are.
    """
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_limits(root)])


def default_store_memory() -> int:
    """Return the bytes that the embedded store takes where nobody says how many."""
    return max(int(SHARE * machine_memory()), LEAST)


def _limits(root: Path) -> list[int]:
    """Return the limits of this process's control groups and of those above, of both versions."""
    try:
        groups = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []  # not Linux
    found = []
    for _, controllers, path in groups:
        if controllers == "":
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = top / path.strip("/")
        for folder in (group, *(above for above in group.parents if above.is_relative_to(top))):
            found += _number(folder / name)
    return found


def _number(path: Path) -> list[int]:
    try:
        text = path.read_text().strip()
    except OSError:
        return []  # in a container the path is the host's: what is limited stands at the top
    return [int(text)] if text.isdigit() else []
