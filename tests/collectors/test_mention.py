from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from collectors.mention import Mention, fields_of

GOOD: dict[str, Any] = {"id": "1", "source": "x", "text": "hello", "published_at": "2026-03-01T10:00:00+01:00"}
FIELDS: TypeAdapter[dict[str, Any]] = TypeAdapter(fields_of(Mention))


def _faults(check: Any, value: object) -> list[tuple[object, object, object]]:
    with pytest.raises(ValidationError) as caught:
        check(value)
    return [(e["type"], e["loc"], e["msg"]) for e in caught.value.errors(include_url=False)]


@pytest.mark.parametrize(
    "bad",
    [
        {"id": ""},
        {"id": "x" * 513},
        {"source": "Not A Name"},
        {"text": 7},
        {"text": "x" * 100_001},
        {"published_at": "2026-03-01T10:00:00"},
        {"updated_at": "soon"},
        {"kind": "song"},
        {"engagement": -1},
        {"brands": ["b"] * 101},
        {"author": {"name": "nobody"}},
        {"author": {"id": "a", "followers": -1}},
        {"author": {"id": "a", "age": 3}},
        {"reply_to": ""},
        {"colour": "red"},
        {"url": "u" * 4097},
    ],
)
def test_fields_are_refused_as_the_model_refuses_them(bad: dict[str, Any]) -> None:
    value = {**GOOD, **bad}
    assert _faults(FIELDS.validate_python, value) == _faults(Mention.model_validate, value)


def test_what_is_missing_is_named_as_the_model_names_it() -> None:
    assert _faults(FIELDS.validate_python, {}) == _faults(Mention.model_validate, {})


def test_fields_are_those_that_were_said_and_read_as_the_model_reads_them() -> None:
    said = {**GOOD, "author": {"id": "a", "name": None, "followers": 12_000}, "engagement": 3, "updated_at": None}
    assert FIELDS.validate_python(said) == Mention.model_validate(said).model_dump(include=said.keys())
