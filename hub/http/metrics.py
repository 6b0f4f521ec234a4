"""`/metrics`: what the hub counts, in the Prometheus text format or OpenMetrics, as the scraper asks.

The names of topics and devices are in it, so who is not on this machine has to log in, as one of `[[users]]` by HTTP's
Basic scheme (RFC 7617).
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from tornado.web import HTTPError

from hub.http.gate import Gate
from hub.http.guarded import GuardedHandler


class MetricsHandler(GuardedHandler):
    def initialize(  # type: ignore[override]
        self, gate: Gate, registry: CollectorRegistry, known: Callable[[str, str], bool], users: bool
    ) -> None:
        """Set the check of login and passcode, and whether there are users at all."""
        super().initialize(gate)
        self.registry = registry
        self.known = known
        self.users = users

    def prepare(self) -> None:
        super().prepare()
        if self.gate.client(self.request).loopback:
            return
        if not self.users:
            text = "Metrics are for this machine alone while no users are set: see [[users]]."
            raise HTTPError(403, text)
        credentials = _basic(self.request.headers.get("Authorization", ""))
        if credentials is None or not self.known(*credentials):
            raise HTTPError(401, "Metrics need a login of [[users]], by the scheme Basic.")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 401:  # here: Tornado clears what was set before
            self.set_header("WWW-Authenticate", 'Basic realm="telemetry-hub", charset="UTF-8"')
        super().write_error(status_code, **kwargs)

    def get(self) -> None:
        encode, content_type = choose_encoder(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", content_type)
        self.finish(encode(self.registry))


def _basic(header: str) -> tuple[str, str] | None:
    """Read login and passcode; None where there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    login, colon, passcode = text.partition(":")
    return (login, passcode) if colon else None
