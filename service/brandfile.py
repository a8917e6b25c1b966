"""`foreshock.yaml`: brands and webhooks in one file; every error names file, line and what would be right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from collectors.registry import HookConfig
from service.brand import Brand, Webhook
from service.ledger import Caps, Ledger
from service.registry import Registry


class BrandFileError(Exception):
    """The file can't be used; one line an error."""


class BrandFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    brands: list[Brand] = Field(default_factory=list, max_length=100_000)
    webhooks: list[Webhook] = Field(default_factory=list, max_length=100)
    hooks: list[HookConfig] = Field(default_factory=list, max_length=100)
    costs: Caps | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> "BrandFile":
        named = {"brand": [b.name for b in self.brands], "webhook": [w.name for w in self.webhooks]}
        for what, names in (named | {"hook": [h.source for h in self.hooks]}).items():
            twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
            if twice:
                raise ValueError(f"{what} {twice[0]!r} stands here twice")
        return self


def load(path: Path) -> BrandFile:
    """Read and check the file.

    Raises:
        BrandFileError: it can't be read, is no YAML, or says something that is not understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except OSError as error:
        raise BrandFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BrandFileError(f"{path}: byte {error.start} is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark or error.problem_mark
        raise BrandFileError(f"{path}:{mark.line + 1 if mark else 1}: {error.problem or 'no YAML'}") from None
    except yaml.YAMLError as error:
        raise BrandFileError(f"{path}: {error}") from None
    if root is None or not isinstance(data, dict):
        raise BrandFileError(f"{path}:1: expected `brands:` and a list below it")
    try:
        return BrandFile.model_validate(data)
    except ValidationError as error:
        raise BrandFileError("\n".join(_lines(path, root, error))) from None


async def apply(file: BrandFile, registry: Registry) -> None:
    """Put all that the file says into the store; brands that others made are left alone."""
    await registry.refresh()
    for brand in file.brands:
        if registry.brands.get(brand.name) != brand:
            await registry.put_brand(brand)
    for webhook in file.webhooks:
        if registry.webhooks.get(webhook.name) != webhook:
            await registry.put_webhook(webhook)
    for hook in file.hooks:
        if registry.hooks.get(hook.source) != hook:
            await registry.put_hook(hook)
    if file.costs is not None:
        await Ledger(registry.store).set_caps(file.costs)


def _lines(path: Path, root: yaml.Node, error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in item["loc"])
        yield f"{path}:{_line(root, item['loc'])}: {where}: {item['msg'].removeprefix('Value error, ')}"


def _line(node: yaml.Node, location: tuple[Any, ...]) -> int:
    """Return the line (from 1) of the deepest part of `location` that stands in the file."""
    line = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == part]
            if not pairs:
                continue
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
            continue
        else:
            continue
        line = node.start_mark.line + 1
    return line
