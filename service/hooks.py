"""The hooks that are configured, with what proves their senders."""

import re

from collectors.hook import Hook, Secrets
from collectors.hook_facebook import FacebookHook
from collectors.hook_linkedin import LinkedInHook
from collectors.hook_zendesk import ZendeskHook
from service.registry import Registry
from service.settings import HOOK, Settings

WITHOUT_SETTINGS: dict[str, Hook] = {"facebook": FacebookHook(), "linkedin": LinkedInHook(), "zendesk": ZendeskHook()}
"""Hooks that need no more than a secret in the environment."""


def variable(source: str, what: str) -> str:
    """Return the name of the environment variable that holds a hook's `secret` or `verify_token`."""
    return f"{HOOK}{re.sub(r'[^A-Z0-9]', '_', source.upper())}_{what.upper()}"


def find_hook(registry: Registry, settings: Settings, source: str) -> tuple[Hook, Secrets] | None:
    """Return the hook of a source with its secrets, the environment's before the file's; None where one is missing."""
    hook = registry.hooks.get(source) or WITHOUT_SETTINGS.get(source)
    if hook is None:
        return None

    def told(what: str) -> str:
        named = settings.hook_secrets.get(variable(source, what).removeprefix(HOOK))
        return named or getattr(hook, what, None) or ""

    secret = told("secret")
    return (hook, Secrets(secret, told("verify_token"))) if secret else None
