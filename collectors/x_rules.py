"""The rules of an app's filtered stream, kept in step with what brands ask for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from collectors.x_client import plain
from collectors.x_posts import data_of

TAG = "foreshock"
"""Of our rules; others of the same app are left standing, and used where a brand asks for the same."""
MOST_RULES, MOST_CHARACTERS = 1000, 1024
"""What an app without a contract may have; where X allows less, it says so, and that is kept to."""


class Rules:
    """What stands at X: `values` by the rules' ids, those that were taken back included, since posts may be under way.

    `refused` says why X did not take a value; it is not offered again before the next connection.
    """

    def __init__(self, client: Any, token: str) -> None:
        self.values: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self._standing: dict[str, str] | None = None
        self._others: set[str] = set()
        self._client = client
        self._token = token

    async def keep(self, wanted: Iterable[str]) -> None:
        """Add and remove what differs from `wanted`, as far as X takes it.

        Raises:
            CollectorError, tweepy.HTTPException: X refused; what was not done yet is done by the next call.
        """
        fits = [value for value in dict.fromkeys(wanted) if self.why_not(value) is None]
        for value in fits[MOST_RULES:]:
            self.refused[value] = f"X takes {MOST_RULES} rules"
        fits = fits[:MOST_RULES]
        if self._standing is None:
            found = [rule for rule in data_of(await self._client.get_rules()) if "value" in rule and "id" in rule]
            self._standing = {str(rule["value"]): str(rule["id"]) for rule in found}
            self._others = {str(rule["value"]) for rule in found if rule.get("tag") != TAG}
            self.values |= {identity: value for value, identity in self._standing.items()}
        gone = [value for value in self._standing if value not in {*fits, *self._others}]
        if gone:
            await self._client.delete_rules([self._standing[value] for value in gone])
            for value in gone:
                del self._standing[value]
        await self._add([value for value in fits if value not in self._standing])

    def why_not(self, value: str) -> str | None:
        """Why a value is no rule, None where it is one or may become one."""
        if len(value) > MOST_CHARACTERS:
            return f"the rule has {len(value)} characters, X takes {MOST_CHARACTERS}"
        return self.refused.get(value)

    def stands(self, value: str) -> bool:
        """Whether X has the rule."""
        return self._standing is not None and value in self._standing

    async def _add(self, values: Sequence[str]) -> None:
        """Add rules; where X refuses them as a whole, halves are tried, so that one bad rule stops no other."""
        import tweepy

        if not values:
            return
        try:
            answer = await self._client.add_rules([tweepy.StreamRule(value, TAG) for value in values])
        except tweepy.BadRequest as error:
            if len(values) == 1:
                self.refused[values[0]] = plain(f"X refused the rule: {error}", self._token)
                return
            await self._add(values[: len(values) // 2])
            await self._add(values[len(values) // 2 :])
            return
        assert self._standing is not None
        for rule in data_of(answer):
            if isinstance(rule.get("value"), str) and "id" in rule:
                self._standing[rule["value"]] = str(rule["id"])
                self.values[str(rule["id"])] = rule["value"]
        why = _reasons(answer)
        for value in values:
            if value not in self._standing:
                self.refused[value] = plain(f"X refused the rule: {why.get(value, 'it did not say why')}", self._token)


def _reasons(answer: Mapping[str, Any]) -> dict[str, str]:
    errors = answer.get("errors")
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return {str(error.get("value")): str(error.get("details") or error.get("title") or "") for error in found}
