"""Any other sender: how it signs and where its JSON holds what is said, both by configuration."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from collectors.collector import Declaration
from collectors.hook import Delivery, Found, Hook, Secrets, Unreadable, as_json, instant, mention, pushed
from collectors.hook_signature import Signature, StandardSignature
from collectors.mention import Author, Kind, Mention

MAX_ITEMS = 5_000
"""Items of one delivery; more than a body within its limit can hold with any words in them."""

#: Where a value stands: names and numbers of list items, a dot between; `data.review.title`, `items.0.id`.
Path = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
Scalar = str | bool | int
Conditions = dict[Path, Scalar | list[Scalar]]


class Places(BaseModel):
    """Where an item holds what. `items` is the path of the list of items; without it the body is one, or a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: Path | None = None
    where: Conditions = Field(default_factory=dict, description="only items of which all of this is true")
    deleted: Conditions = Field(default_factory=dict, description="items of which all of this is true take theirs back")
    id: Path
    text: Path | list[Path] = Field(description="several are joined, an empty line between")
    published_at: Path | None = None
    updated_at: Path | None = None
    url: Path | None = None
    author_id: Path | None = None
    author_name: Path | None = None
    language: Path | None = None
    engagement: Path | None = None
    reply_to: Path | None = None


class GenericHook(Hook):
    """`{type: webhook, source: trustpilot, signature: ..., map: ...}`."""

    declaration: ClassVar[Declaration] = pushed("webhook", "whatever a sender pushes as JSON: reviews, forums, shops")

    type: Literal["webhook"] = "webhook"
    kind: Kind = "post"
    signature: Signature = Field(default_factory=StandardSignature)
    map: Places

    def verify(self, delivery: Delivery, secrets: Secrets) -> None:
        """Check the signature as configured."""
        self.signature.verify(delivery, secrets.secret)

    def read(self, delivery: Delivery) -> Found:
        """Read every item to which `where` applies."""
        told = as_json(delivery.body)
        items = _at(told, self.map.items) if self.map.items else told
        items = items if isinstance(items, list) else [items]
        if len(items) > MAX_ITEMS:
            raise Unreadable(f"{len(items)} items are more than {MAX_ITEMS}; send them in parts")
        if self.map.items and items == [None]:
            raise Unreadable(f"there is nothing at {self.map.items!r}")
        mine = [item for item in items if _holds(item, self.map.where)]
        made = [self._mention(item, delivery) for item in mine]
        found = [one for one in made if one is not None]
        return Found(found, skipped=len(made) - len(found))

    def _mention(self, item: Any, delivery: Delivery) -> Mention | None:
        fields, gone = self.map, bool(self.map.deleted) and _holds(item, self.map.deleted)
        paths = [fields.text] if isinstance(fields.text, str) else fields.text
        text = "\n\n".join(part for part in (_text(item, path) for path in paths) if part)
        published = instant(_at(item, fields.published_at)) if fields.published_at else delivery.now
        if gone:
            published = published or delivery.now
        author = (_text(item, fields.author_id) or _text(item, fields.author_name) or "")[:512]
        count = _at(item, fields.engagement) if fields.engagement else None
        if not (text or gone) or published is None:
            return None
        return mention(
            self.kind,
            self.source,
            self.brands,
            id=_text(item, fields.id),
            text="" if gone else text,
            published_at=published,
            updated_at=(instant(_at(item, fields.updated_at)) if fields.updated_at else None)
            or (delivery.now if gone else None),
            deleted=gone,
            url=_text(item, fields.url),
            author=Author(id=author, name=(_text(item, fields.author_name) or "")[:512] or None) if author else None,
            language=(_text(item, fields.language) or "")[:35] or None,
            engagement=count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None,
            reply_to=_text(item, fields.reply_to),
        )


def _steps(path: str) -> Iterator[str | int]:
    for name in path.split("."):
        yield int(name) if name.isdigit() and len(name) < 6 else name


def _at(value: Any, path: str) -> Any:
    """Return what stands at a path; None where there is nothing."""
    for step in _steps(path):
        if isinstance(value, Mapping):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _text(value: Any, path: str | None) -> str | None:
    found = _at(value, path) if path else None
    if isinstance(found, str):
        return found.strip() or None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


def _holds(item: Any, conditions: Conditions) -> bool:
    """Whether every path has one of its values."""
    for path, wanted in conditions.items():
        found = _at(item, path)
        choices = wanted if isinstance(wanted, list) else [wanted]
        if not any(found == choice and isinstance(found, bool) == isinstance(choice, bool) for choice in choices):
            return False
    return True
