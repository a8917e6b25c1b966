"""Where the measured data lies that may not enter the project; tests that need it skip with a sentence without it."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("FORESHOCK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def shared(name: str) -> Path:
    """Path of `name` (relative) in the data folder, or skip the calling test."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not under {ROOT}; set FORESHOCK_DATA to the folder that holds it")
    return path
