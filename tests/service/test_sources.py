"""What can be listened to, as the command and the README say it."""

import json
from pathlib import Path

import service
from collectors.registry import PUSHED, SOURCES
from service.sources import COLUMNS, markdown
from tests.test_command import run

README = Path(service.__file__).parents[1] / "README.md"


def test_the_table_in_the_readme_is_what_the_command_prints() -> None:
    _, _, rest = README.read_text().partition("<!-- foreshock sources --format markdown -->\n")
    table, end, _ = rest.partition("\n<!-- end of sources -->")
    assert end
    assert table == markdown()


def test_the_json_has_every_source_with_the_promised_fields() -> None:
    rows = json.loads(run("sources", "--format", "json").stdout)
    assert [set(row) for row in rows] == [set(COLUMNS)] * len(rows)
    assert sorted(row["name"] for row in rows) == sorted([*SOURCES, *PUSHED])
    assert all(row["reads"] and row["price"] for row in rows)


def test_the_table_for_people_names_every_source() -> None:
    shown = run("sources").stdout
    assert [name for name in SOURCES if name[:8] not in shown] == []
