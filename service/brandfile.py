"""`foreshock.yaml`: brands and who is told of them; every error names file, line and what would be right."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from collectors.registry import HookConfig
from service.brand import Brand, Webhook
from service.ledger import Caps, Ledger
from service.notify.channel import Channel
from service.notify.mute import Mute
from service.notify.on_call import Duty
from service.notify.references import Place, unknown
from service.notify.route import Route
from service.registry import Registry


class BrandFileError(Exception):
    """The file can't be used; one line an error."""


class BrandFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    brands: list[Brand] = Field(default_factory=list, max_length=100_000)
    webhooks: list[Webhook] = Field(default_factory=list, max_length=100)
    hooks: list[HookConfig] = Field(default_factory=list, max_length=100)
    channels: list[Channel] = Field(default_factory=list, max_length=1000)
    duties: list[Duty] = Field(default_factory=list, max_length=1000)
    routes: list[Route] = Field(default_factory=list, max_length=1000)
    mutes: list[Mute] = Field(default_factory=list, max_length=1000)
    costs: Caps | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> "BrandFile":
        named = {
            "brand": [b.name for b in self.brands],
            "hook": [h.source for h in self.hooks],
            "webhook, channel or duty": [x.name for x in (*self.webhooks, *self.channels, *self.duties)],
            "route": [r.name for r in self.routes],
            "mute": [m.name for m in self.mutes],
        }
        for what, names in named.items():
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
        file = BrandFile.model_validate(data)
    except ValidationError as error:
        raise BrandFileError("\n".join(_lines(path, root, error))) from None
    wrong = [_told(path, root, place, what) for place, what in _references(file)]
    if wrong:
        raise BrandFileError("\n".join(wrong))
    return file


def _references(file: BrandFile) -> Iterator[tuple[Place, str]]:
    """Give each name that a route or a duty uses and that stands nowhere in the file."""
    channels = {x.name for x in (*file.webhooks, *file.channels)}
    return unknown(channels, file.duties, file.routes)


async def apply(file: BrandFile, registry: Registry) -> None:
    """Put all that the file says into the store; brands that others made are left alone.

    Raises:
        BrandFileError: a name is taken by something of another kind that came by REST.
    """
    await registry.refresh()
    _names_are_free(file, registry)
    for brand in file.brands:
        if registry.brands.get(brand.name) != brand:
            await registry.put_brand(brand)
    for webhook in file.webhooks:
        if registry.webhooks.get(webhook.name) != webhook:
            await registry.put_webhook(webhook)
    for hook in file.hooks:
        if registry.hooks.get(hook.source) != hook:
            await registry.put_hook(hook)
    await _put_notify(file, registry)
    if file.costs is not None:
        await Ledger(registry.store).set_caps(file.costs)


def _names_are_free(file: BrandFile, registry: Registry) -> None:
    for what, names, others in (
        ("channel", [c.name for c in file.channels], {"webhook": registry.webhooks, "duty": registry.duties}),
        ("duty", [d.name for d in file.duties], {"webhook": registry.webhooks, "channel": registry.channels}),
        ("webhook", [w.name for w in file.webhooks], {"channel": registry.channels, "duty": registry.duties}),
    ):
        for other, taken in others.items():
            if twice := sorted(set(names) & taken.keys()):
                raise BrandFileError(
                    f"{what} {twice[0]!r}: a {other} of that name came by REST; they need different names"
                )


async def _put_notify(file: BrandFile, registry: Registry) -> None:
    """Store channels before what names them."""
    for channel in file.channels:
        if registry.channels.get(channel.name) != channel:
            await registry.put_channel(channel)
    for duty in file.duties:
        if registry.duties.get(duty.name) != duty:
            await registry.put_duty(duty)
    for route in file.routes:
        if route not in registry.routes:
            await registry.put_route(route)
    for mute in file.mutes:
        if mute not in registry.mutes:
            await registry.put_mute(mute)


def _lines(path: Path, root: yaml.Node, error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False, include_input=False):
        yield _told(path, root, item["loc"], item["msg"].removeprefix("Value error, "))


def _told(path: Path, root: yaml.Node, place: Place, what: str) -> str:
    return f"{path}:{_line(root, place)}: {'.'.join(map(str, place))}: {what}"


def _line(node: yaml.Node, location: Place) -> int:
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
