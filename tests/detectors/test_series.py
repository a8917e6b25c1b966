import numpy as np
import pytest

from detectors.series import Series


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("column", ["mentions", "negative", "scored", "authors"])
def test_a_count_that_is_none_is_named_by_column_and_row(column: str, wrong: float) -> None:
    columns = {name: np.ones(5) for name in ("mentions", "negative", "scored", "authors")}
    columns[column][3] = wrong
    with pytest.raises(ValueError, match=rf"{column}, row 3"):
        Series(0.0, 60.0, **columns)


def test_columns_have_one_length() -> None:
    with pytest.raises(ValueError, match="negative has shape"):
        Series(0.0, 60.0, np.ones(3), np.ones(4))


def test_a_part_keeps_its_time_and_its_columns() -> None:
    part = Series(600.0, 60.0, np.arange(9.0), authors=np.arange(9.0)).rows(2, 5)
    assert part.start == 720.0
    assert part.times().tolist() == [720.0, 780.0, 840.0]
    assert part.mentions.tolist() == [2.0, 3.0, 4.0]
    assert part.authors is not None
    assert part.authors.tolist() == [2.0, 3.0, 4.0]
    assert part.negative is None
