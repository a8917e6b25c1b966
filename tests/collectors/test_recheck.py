from datetime import UTC, datetime, timedelta

from collectors.mention import Mention
from collectors.query import parse
from collectors.recheck import KEPT, MAX_TOLD, Recheck, due

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
RECHECK = Recheck("acme", parse("acme NOT bus"))


def mention(identity: str, text: str = "acme", age: float = 60, **fields: object) -> Mention:
    at = NOW - timedelta(seconds=age)
    return Mention.model_validate({"id": identity, "source": "reddit", "text": text, "published_at": at, **fields})


def test_only_what_is_the_brands_is_remembered() -> None:
    said = [mention("a"), mention("b", "the acme bus"), mention("c", "something else", brands=["acme"])]
    assert list(RECHECK.remember({}, said)) == ["a", "c"]


def test_an_edit_moves_the_time_and_a_deletion_ends_it() -> None:
    told = RECHECK.remember({}, [mention("a"), mention("b")])
    told = RECHECK.remember(told, [mention("a", updated_at=NOW), mention("b", "", deleted=True)])
    assert told == {"a": [NOW.timestamp() - 60, NOW.timestamp()]}


def test_the_newest_are_kept() -> None:
    told = RECHECK.remember({}, [mention(str(n), age=n) for n in range(MAX_TOLD + 5)])
    assert len(told) == MAX_TOLD
    assert str(MAX_TOLD) not in told


def test_all_are_asked_for_in_turn_until_they_are_old() -> None:
    told = RECHECK.remember({}, [mention(str(n)) for n in range(5)])
    asked: list[str] = []
    for _ in range(3):
        names, told = due(told, NOW, 2)
        asked += names
    assert asked == ["0", "1", "2", "3", "4", "0"]
    assert due(told, NOW + timedelta(seconds=KEPT), 2) == ([], {})
