"""`/metrics`: what the hub counts, in the Prometheus text format or OpenMetrics, as the scraper asks."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from hub.http.guarded import GuardedHandler
from hub.http.hosts import AllowedHosts


class MetricsHandler(GuardedHandler):
    def initialize(self, hosts: AllowedHosts, registry: CollectorRegistry) -> None:  # type: ignore[override]
        super().initialize(hosts)
        self.registry = registry

    def get(self) -> None:
        encode, content_type = choose_encoder(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", content_type)
        self.finish(encode(self.registry))
