"""What is not known of authors must not look like one author."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from collectors.annotate import annotate
from service.counts import COUNTED, FIELDS, KNOWN, SourceTable, Table
from service.row import row


def counted(identity: str, author: dict[str, Any] | None) -> int:
    """What the store counts as the author of a mention."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    told = {"source": "x", "id": identity, "text": "acme lost my bag", "published_at": at.isoformat()}
    text = str(told["text"])
    return row("acme", told | ({"author": author} if author else {}), annotate(text)).author


def test_mentions_that_name_no_author_are_not_taken_for_the_work_of_one_hand() -> None:
    ann, bob = {"id": "ann"}, {"id": "bob"}
    assert counted("1", ann) == counted("2", ann) != counted("3", bob)
    assert counted("1", None) != counted("2", None)
    assert counted("ann", None) not in {0, counted("1", ann)}


def table(mentions: list[float], authors: list[float], counts: list[float]) -> Table:
    """Return minutes of one source, all of them known."""
    columns = {code: np.zeros(len(mentions)) for code in (*FIELDS.values(), COUNTED, KNOWN)}
    columns |= {"m": np.array(mentions), "a": np.array(authors), COUNTED: np.array(counts)}
    columns[KNOWN] = np.ones(len(mentions)) * any(counts)
    return Table(0.0, 60, len(mentions), {"x": SourceTable(columns, np.ones(len(mentions), dtype=bool))})


def test_a_sample_of_posts_tells_how_many_authors_a_mention_has_and_not_how_many_there_are() -> None:
    series = table(mentions=[50.0, 0.0, 2.0], authors=[40.0, 0.0, 2.0], counts=[1000.0, 30.0, 2.0]).series()["x"]
    assert series.authors is not None
    assert series.mentions.tolist() == [1000.0, 30.0, 2.0]
    assert series.authors.tolist() == pytest.approx([800.0, np.nan, 2.0], nan_ok=True)


def test_where_every_mention_is_read_its_authors_are_counted_as_they_are() -> None:
    series = table(mentions=[50.0, 0.0], authors=[40.0, 0.0], counts=[0.0, 0.0]).series()["x"]
    assert series.authors is not None
    assert series.authors.tolist() == [40.0, 0.0]
