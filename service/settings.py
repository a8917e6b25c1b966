"""All that an operator may set, from the command line or the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import platformdirs

from collectors.sentiment import DEFAULT_ENGINE

WORK = ("count", "judge", "tell")
"""What a worker does: count mentions, judge brands, send what is to be told."""

HOOK = "FORESHOCK_HOOK_"
"""Begins the names of what hooks keep secret: FORESHOCK_HOOK_FACEBOOK_SECRET, ..._VERIFY_TOKEN."""


CHANNEL = "FORESHOCK_CHANNEL_"
"""Begins the names of the variables that channels may read, as `env:FORESHOCK_CHANNEL_...`."""


def default_data_dir() -> Path:
    """Return where the embedded store keeps its data."""
    return Path(platformdirs.user_data_dir("foreshock"))


@dataclass(frozen=True)
class Settings:
    """Settings of one process; secrets are left out of its text."""

    redis_url: str | None = field(default=None, repr=False)
    data_dir: Path = field(default_factory=default_data_dir)
    fsync: Literal["always", "everysec"] = "everysec"
    store_memory: str | None = None
    accept: str = "memory"
    config: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8470
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 8471
    replay_clock: str | None = None
    public_url: str = "http://127.0.0.1:8470"
    tick_seconds: float = 5.0
    name: str = ""
    only: frozenset[str] = frozenset(WORK)
    sentiment: str = DEFAULT_ENGINE
    workers: int = 1
    apis: int = 1
    shared_port: bool = False
    admin_key: str | None = field(default=None, repr=False)
    x_bearer_token: str | None = field(default=None, repr=False)
    x_base_url: str | None = None
    mastodon_tokens: str | None = field(default=None, repr=False)
    reddit_client_id: str | None = field(default=None, repr=False)
    reddit_client_secret: str | None = field(default=None, repr=False)
    reddit_base_url: str | None = None
    youtube_api_key: str | None = field(default=None, repr=False)
    youtube_base_url: str | None = None
    facebook_token: str | None = field(default=None, repr=False)
    facebook_base_url: str | None = None
    stackexchange_key: str | None = field(default=None, repr=False)
    stackexchange_base_url: str | None = None
    zendesk_subdomain: str | None = None
    zendesk_email: str | None = None
    zendesk_token: str | None = field(default=None, repr=False)
    zendesk_base_url: str | None = None
    hackernews_base_url: str | None = None
    gdelt_base_url: str | None = None
    appstore_base_url: str | None = None
    hook_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    channel_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    files_dir: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    allow_hosts: frozenset[str] = frozenset()

    @property
    def loopback(self) -> bool:
        """Whether REST listens on this machine only."""
        return self.host in {"127.0.0.1", "::1", "localhost"}


def from_environment(environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """Return the settings that the environment names (FORESHOCK_...), for the command line's defaults."""
    found: dict[str, object] = {}
    for name in (
        "redis_url", "store_memory", "accept", "admin_key", "x_bearer_token", "x_base_url", "public_url", "sentiment",
        "mastodon_tokens", "stackexchange_key", "stackexchange_base_url", "hackernews_base_url", "gdelt_base_url",
        "appstore_base_url", "proxy",
        "zendesk_subdomain", "zendesk_email", "zendesk_token", "zendesk_base_url",
        "reddit_client_id", "reddit_client_secret", "reddit_base_url", "youtube_api_key", "youtube_base_url",
        "facebook_token", "facebook_base_url",
    ):  # fmt: skip
        if value := environ.get(f"FORESHOCK_{name.upper()}"):
            found[name] = value
    if folder := environ.get("FORESHOCK_FILES_DIR"):
        found["files_dir"] = Path(folder)
    hooks = {name.removeprefix(HOOK): value for name, value in environ.items() if name.startswith(HOOK) and value}
    if hooks:
        found["hook_secrets"] = hooks
    channels = {name: value for name, value in environ.items() if name.startswith(CHANNEL) and value}
    if channels:
        found["channel_secrets"] = channels
    if hosts := environ.get("FORESHOCK_ALLOW_HOSTS"):
        found["allow_hosts"] = frozenset(h.strip() for h in hosts.split(",") if h.strip())
    return found
