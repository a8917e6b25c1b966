"""Every source by name: what a brand may configure, what the source can do, and how its collector is made."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from collectors import (
    appstore,
    bluesky,
    discourse,
    facebook,
    feeds,
    files,
    gdelt,
    hackernews,
    mastodon,
    mastodon_search,
    reddit,
    stackexchange,
    x_settings,
    youtube,
    zendesk,
)
from collectors.appstore import AppStoreCollector, AppStoreSettings
from collectors.bluesky import BlueskyCollector, BlueskySettings
from collectors.collector import Collector, CollectorError, Declaration
from collectors.discourse import DiscourseSettings
from collectors.facebook import FacebookCollector, FacebookSettings
from collectors.feeds import FeedCollector, FeedSettings
from collectors.files import FileCollector, FileSettings
from collectors.gdelt import GdeltCollector, GdeltSettings
from collectors.hackernews import HackerNewsSettings
from collectors.hook_facebook import FacebookHook
from collectors.hook_generic import GenericHook
from collectors.hook_linkedin import LinkedInHook
from collectors.hook_zendesk import ZendeskHook
from collectors.mastodon import MastodonCollector, MastodonSettings
from collectors.mastodon_search import MastodonSearchCollector, MastodonSearchSettings
from collectors.outbound import Outbound
from collectors.reddit import RedditCollector, RedditSettings
from collectors.stackexchange import StackExchangeSettings
from collectors.stretch import Stretch
from collectors.x import XCollector
from collectors.x_settings import XSettings, XStreamSettings
from collectors.x_stream import XStream
from collectors.youtube import YouTubeCollector
from collectors.youtube_settings import YouTubeSettings
from collectors.zendesk import Desk, ZendeskCollector, ZendeskSettings

#: A source in a brand's file, told apart by `type`.
SourceConfig = Annotated[
    XSettings
    | FeedSettings
    | BlueskySettings
    | HackerNewsSettings
    | StackExchangeSettings
    | DiscourseSettings
    | AppStoreSettings
    | FileSettings
    | GdeltSettings
    | MastodonSettings
    | MastodonSearchSettings
    | RedditSettings
    | YouTubeSettings
    | FacebookSettings
    | ZendeskSettings,
    Field(discriminator="type"),
]


@dataclass(frozen=True)
class Source:
    """A row of the registry; `build` takes settings, brand, query, outbound and secrets.

    Of a `shared` one there is one collector for all brands that configure it alike; its brand and query are "".
    A `website` has no terms for programs but its robots.txt, which is heeded.
    """

    settings: type[BaseModel]
    declaration: Declaration
    build: Callable[[Any, str, str, Outbound, Mapping[str, str]], Collector]
    shared: bool = False
    website: bool = False


def _x_token(secrets: Mapping[str, str]) -> str:
    token = secrets.get("x_bearer_token")
    if not token:
        raise CollectorError("X needs a bearer token; set FORESHOCK_X_BEARER_TOKEN")
    return token


def _build_x(settings: XSettings, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]) -> XCollector:
    return XCollector(
        settings, brand, query, outbound, _x_token(secrets), secrets.get("x_base_url", x_settings.BASE_URL)
    )


def _build_x_stream(
    _settings: XStreamSettings, _brand: str, _query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> XStream:
    return XStream(outbound, _x_token(secrets), secrets.get("x_base_url", x_settings.BASE_URL))


def _build_feed(
    settings: FeedSettings, _brand: str, _query: str, outbound: Outbound, _secrets: Mapping[str, str]
) -> FeedCollector:
    return FeedCollector(settings, outbound)


def _build_bluesky(
    settings: BlueskySettings, _brand: str, _query: str, outbound: Outbound, _secrets: Mapping[str, str]
) -> BlueskyCollector:
    return BlueskyCollector(settings, outbound)


def _build_discourse(
    settings: DiscourseSettings, _brand: str, _query: str, outbound: Outbound, _secrets: Mapping[str, str]
) -> Stretch:
    return discourse.collector(settings, outbound)


def _build_hackernews(
    settings: HackerNewsSettings, _brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> Stretch:
    return hackernews.collector(settings, query, outbound, secrets.get("hackernews_base_url"))


def _build_stackexchange(
    settings: StackExchangeSettings, _brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> Stretch:
    base_url = secrets.get("stackexchange_base_url", stackexchange.BASE_URL)
    return stackexchange.collector(settings, query, outbound, secrets.get("stackexchange_key"), base_url)


def _build_appstore(
    settings: AppStoreSettings, brand: str, _query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> AppStoreCollector:
    return AppStoreCollector(settings, brand, outbound, secrets.get("appstore_base_url", appstore.BASE_URL))


def _build_file(
    settings: FileSettings, brand: str, _query: str, _outbound: Outbound, secrets: Mapping[str, str]
) -> FileCollector:
    folder = secrets.get("files_dir")
    if not folder:
        raise CollectorError("files are read below one directory only; set FORESHOCK_FILES_DIR")
    return FileCollector(settings, brand, Path(folder))


def _build_gdelt(
    settings: GdeltSettings, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> GdeltCollector:
    return GdeltCollector(settings, brand, query, outbound, secrets.get("gdelt_base_url", gdelt.BASE_URL))


def _mastodon_token(server: str, secrets: Mapping[str, str]) -> str | None:
    """The operator's token for one server, which goes to no other: `host=token`, with commas between."""
    told = (part.strip().partition("=") for part in secrets.get("mastodon_tokens", "").split(","))
    return {host.strip().lower(): token.strip() for host, _, token in told}.get(urlsplit(server).netloc.lower())


def _build_mastodon(
    settings: MastodonSettings, _brand: str, _query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> MastodonCollector:
    return MastodonCollector(settings, outbound, _mastodon_token(settings.server, secrets))


def _build_mastodon_search(
    settings: MastodonSearchSettings, _brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> MastodonSearchCollector:
    token = _mastodon_token(settings.server, secrets)
    if not token:
        host = urlsplit(settings.server).netloc
        raise CollectorError(f"Mastodon's search needs a token; set FORESHOCK_MASTODON_TOKENS to {host}=TOKEN")
    return MastodonSearchCollector(settings, query, outbound, token)


def _build_reddit(
    settings: RedditSettings, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> RedditCollector:
    client = secrets.get("reddit_client_id"), secrets.get("reddit_client_secret")
    if not (client[0] and client[1]):
        raise CollectorError(
            "Reddit needs an approved app; set FORESHOCK_REDDIT_CLIENT_ID and FORESHOCK_REDDIT_CLIENT_SECRET"
        )
    return RedditCollector(settings, brand, query, outbound, (client[0], client[1]), secrets.get("reddit_base_url"))


def _build_youtube(
    settings: YouTubeSettings, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> YouTubeCollector:
    key = secrets.get("youtube_api_key")
    if not key:
        raise CollectorError("YouTube needs a key of its Data API; set FORESHOCK_YOUTUBE_API_KEY")
    base_url = secrets.get("youtube_base_url", youtube.BASE_URL)
    return YouTubeCollector(settings, brand, query, outbound, key, base_url)


def _build_facebook(
    settings: FacebookSettings, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> FacebookCollector:
    told = secrets.get("facebook_token", "").strip()
    if "=" in told:  # of several pages: page=token, with commas between
        pages = (part.strip().partition("=") for part in told.split(","))
        told = {page.strip(): token.strip() for page, _, token in pages}.get(settings.page, "")
    if not told:
        raise CollectorError(
            f"Facebook needs a token of the page; set FORESHOCK_FACEBOOK_TOKEN to it, or to {settings.page}=TOKEN"
        )
    base_url = secrets.get("facebook_base_url", facebook.BASE_URL)
    return FacebookCollector(settings, brand, query, outbound, told, base_url)


def _build_zendesk(
    settings: ZendeskSettings, brand: str, _query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> ZendeskCollector:
    subdomain, email, token = (secrets.get(f"zendesk_{what}", "") for what in ("subdomain", "email", "token"))
    url = secrets.get("zendesk_base_url") or (f"https://{subdomain}.zendesk.com" if subdomain else "")
    if not (url and email and token):
        raise CollectorError(
            "Zendesk needs a token; set FORESHOCK_ZENDESK_SUBDOMAIN, FORESHOCK_ZENDESK_EMAIL, FORESHOCK_ZENDESK_TOKEN"
        )
    if subdomain and not re.fullmatch(r"[A-Za-z0-9-]+", subdomain):
        raise CollectorError("FORESHOCK_ZENDESK_SUBDOMAIN is what stands before .zendesk.com, as acme")
    return ZendeskCollector(settings, brand, outbound, Desk(url.rstrip("/"), email, token))


SOURCES: dict[str, Source] = {
    "reddit": Source(RedditSettings, reddit.DECLARATION, _build_reddit),
    "youtube": Source(YouTubeSettings, youtube.DECLARATION, _build_youtube),
    "appstore": Source(AppStoreSettings, appstore.DECLARATION, _build_appstore),
    "bluesky": Source(BlueskySettings, bluesky.DECLARATION, _build_bluesky, shared=True),
    "facebook": Source(FacebookSettings, facebook.DECLARATION, _build_facebook),
    "feed": Source(FeedSettings, feeds.DECLARATION, _build_feed, website=True),
    "file": Source(FileSettings, files.DECLARATION, _build_file),
    "gdelt": Source(GdeltSettings, gdelt.DECLARATION, _build_gdelt),
    "mastodon": Source(MastodonSettings, mastodon.DECLARATION, _build_mastodon, shared=True),
    "mastodon_search": Source(MastodonSearchSettings, mastodon_search.DECLARATION, _build_mastodon_search),
    "x": Source(XSettings, x_settings.DECLARATION, _build_x),
    "x_stream": Source(XStreamSettings, x_settings.STREAM, _build_x_stream, shared=True),
    "discourse": Source(DiscourseSettings, discourse.DECLARATION, _build_discourse, shared=True, website=True),
    "hackernews": Source(HackerNewsSettings, hackernews.DECLARATION, _build_hackernews),
    "stackexchange": Source(StackExchangeSettings, stackexchange.DECLARATION, _build_stackexchange),
    "zendesk": Source(ZendeskSettings, zendesk.DECLARATION, _build_zendesk),
}


#: A hook in `foreshock.yaml`, told apart by `type`.
HookConfig = Annotated[FacebookHook | LinkedInHook | ZendeskHook | GenericHook, Field(discriminator="type")]

PUSHED: dict[str, Declaration] = {
    hook.declaration.name: hook.declaration for hook in (FacebookHook, LinkedInHook, ZendeskHook, GenericHook)
}
"""What networks push to `/v1/hooks/{source}`; no brand's source, since one hook serves all brands."""


def parts(config: SourceConfig) -> list[SourceConfig | XStreamSettings]:
    """What reads a brand's source: X has its stream beside the counts."""
    return [config, XStreamSettings()] if isinstance(config, XSettings) and config.stream else [config]


def build(
    config: SourceConfig | XStreamSettings, brand: str, query: str, outbound: Outbound, secrets: Mapping[str, str]
) -> Collector:
    """Make the collector of one source of one brand.

    `secrets` are the operator's, never a brand's: `x_bearer_token`, and `x_base_url` (where the token is sent, and so
    no setting of a brand either).

    Raises:
        CollectorError: a secret that the source needs is missing.
    """
    return SOURCES[config.type].build(config, brand, query, outbound, secrets)
