"""The Helm chart, rendered without a cluster and parsed."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

CHART = Path(__file__).resolve().parents[2] / "helm" / "foreshock"
Object = dict[str, Any]

EVERYTHING: Object = {
    "metrics": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "podDisruptionBudget": {"enabled": True},
    "xBearerToken": {"value": "a-bearer-token"},
    "sourceKeys": {"values": {"FORESHOCK_YOUTUBE_API_KEY": "a-youtube-key"}},
    "hookSecrets": {"values": {"FORESHOCK_HOOK_FACEBOOK_SECRET": "a-hook-secret"}},
    "channelSecrets": {"values": {"FORESHOCK_CHANNEL_SLACK": "a-channel-secret"}},
    "proxy": {"value": "http://me:a-proxy-password@proxy.example:3128"},
    "publicUrl": "https://foreshock.example",
    "sentiment": "/models/sentiment",
    "allowHosts": ["intranet.example", "10.1.2.3"],
    "config": {"brands": [{"name": "acme-air", "query": '"acme air" OR acmeair'}]},
}
"""Values that switch on all that is optional."""


@dataclass(frozen=True)
class Rendered:
    """Every object of a release, and the notes its user reads."""

    objects: list[Object]
    notes: str

    def all(self, kind: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        (found,) = [found for found in self.all(kind) if found["metadata"]["name"] == name]
        return found

    def pods(self) -> dict[str, Object]:
        """Pod templates by their component."""
        owners = self.all("Deployment") + self.all("StatefulSet")
        templates = [owner["spec"]["template"] for owner in owners]
        return {t["metadata"]["labels"]["app.kubernetes.io/component"]: t for t in templates}

    def container(self, component: str) -> Object:
        (container,) = self.pods()[component]["spec"]["containers"]
        found: Object = container
        return found

    def secret(self) -> dict[str, str]:
        (secret,) = self.all("Secret")
        return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def render(values: Object | None = None, release: str = "foreshock") -> Rendered:
    """Render the chart as `helm install` would.

    Raises:
        helm.HelmError: the values break the schema, or a template refuses them.
    """
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name=release, namespace="watch")
    notes = next(text for path, text in files.items() if path.endswith("NOTES.txt"))
    texts = [text for path, text in files.items() if path.endswith(".yaml")]
    return Rendered([found for text in texts for found in yaml.safe_load_all(text) if found], notes)
