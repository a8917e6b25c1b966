"""An episode's picture shows what was counted, by day and by night, also where much is not known."""

from io import BytesIO

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from detectors.series import Floats
from service.notify.chart import DARK, LIGHT, Colours, png
from tests.service.notify.samples import curve, opened, resolved


def drawn(picture: bytes) -> Floats:
    """A PNG's dots, shape (height, width, 3)."""
    return np.asarray(Image.open(BytesIO(picture)).convert("RGB"), dtype=np.float64)


def amount(picture: bytes, colour: str) -> int:
    """How many dots are of a colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(drawn(picture) - wanted).max(axis=2) < 12).sum())


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_in_both_themes_counts_and_what_is_normal_are_seen_on_its_paper(colours: Colours) -> None:
    found = png(opened(), curve(), "Europe/Berlin", colours)
    assert drawn(found).shape == (675, 1080, 3)
    assert drawn(found)[0, 0].tolist() == [int(colours.paper[i : i + 2], 16) for i in (1, 3, 5)]
    assert all(amount(found, colour) > 300 for colour in (colours.bars, colours.negative, colours.usual, colours.ink))


def test_the_storm_is_drawn_where_it_was_and_as_high_as_it_was() -> None:
    quiet = replace(curve(), mentions=[3.0] * 290, negative=[0.0] * 290)
    storm, calm = (amount(png(opened(), one), LIGHT.negative) for one in (curve(), quiet))
    assert storm > calm + 3000


def test_where_it_goes_is_drawn_while_it_goes_on_and_not_when_it_is_over() -> None:
    assert png(opened(), curve()) != png(opened(growth=None), curve())
    assert png(resolved(), curve()) == png(resolved().model_copy(update={"growth": None}), curve())


@pytest.mark.parametrize("unknown", [range(240, 280), range(290), range(286, 290)])
def test_what_is_unknown_is_hatched_and_breaks_nothing(unknown: range) -> None:
    assert png(opened(), curve(unknown)) != png(opened(), curve())


def test_a_brand_of_which_nothing_is_normal_yet_has_a_picture_too() -> None:
    nothing: list[float | None] = [None] * 290
    names = ("negative", "expected", "expected_negative", "low", "high")
    young = replace(curve(), **dict.fromkeys(names, nothing))
    assert amount(png(opened(), young), LIGHT.bars) > 300
