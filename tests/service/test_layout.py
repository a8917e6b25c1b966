"""docs/store.md says of every key what it holds."""

import inspect
from pathlib import Path

from service import keys


def test_every_key_is_in_the_layouts_table() -> None:
    table = (Path(__file__).parents[2] / "docs" / "store.md").read_text()
    named = {value for name, value in vars(keys).items() if name.isupper() and str(value).startswith("fs:")}
    for name, key in inspect.getmembers(keys, inspect.isfunction):
        if list(inspect.signature(key).parameters) == ["tag"]:
            named.add(key("{sNNN}"))
        elif list(inspect.signature(key).parameters) == ["brand"] and name != "shard":
            named.add(key("BRAND").rpartition(":")[2])
    assert len(named) > 25
    assert {key for key in named if f"{key}`" not in table} == set()
