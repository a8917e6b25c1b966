"""What figures were measured on: sizes and versions, no names."""

import os
import platform
import subprocess
from importlib import metadata

from service.embedded import find_server


def machine() -> dict[str, object]:
    """Return cores, memory and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    server = subprocess.run([find_server(), "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gibibytes": round(memory / 2**30),
        "foreshock": metadata.version("foreshock"),
        "python": platform.python_version(),
        "server": " ".join(server.split()[:1] + [w for w in server.split() if w.startswith("v=")]),
        "system": f"{platform.system()} {platform.machine()}",
    }
