"""An HTTP exporter with the contract's metrics, whose values the test sets: stands where the service will stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from tests.deploy.contract import METRICS

LABELS = {
    "brand": "acme-air",
    "source": "x",
    "sentiment": "negative",
    "detector": "revolt",
    "channel": "webhook",
    "outcome": "failed",
}
"""One value for each label of the contract."""


@dataclass(frozen=True)
class Exporter:
    """`target` is HOST:PORT; metrics by their names in the exposition."""

    target: str
    gauges: dict[str, Gauge]
    counters: dict[str, Counter]

    def set(self, name: str, value: float) -> None:
        """Set the gauge `name` of the one brand, source and detector there is."""
        gauge, labels = self.gauges[name], self._values(name)
        (gauge.labels(*labels) if labels else gauge).set(value)

    def inc(self, name: str, value: float = 1) -> None:
        """Raise the counter `name`."""
        counter, labels = self.counters[name], self._values(name)
        (counter.labels(*labels) if labels else counter).inc(value)

    def _values(self, name: str) -> list[str]:
        return [LABELS[label] for label in METRICS[name]]


@contextmanager
def exporter() -> Iterator[Exporter]:
    """Export every metric of the contract at 0 on a free port of loopback."""
    registry = CollectorRegistry()
    counters = {n: Counter(n, n, labels, registry=registry) for n, labels in METRICS.items() if n.endswith("_total")}
    gauges = {n: Gauge(n, n, labels, registry=registry) for n, labels in METRICS.items() if n not in counters}
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    exported = Exporter(f"127.0.0.1:{server.server_port}", gauges, counters)
    for name in gauges:
        exported.set(name, 0)
    for name in counters:
        exported.inc(name, 0)
    try:
        yield exported
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
