"""/livez, /readyz and /metrics of the bridge, on an HTTP port of its own.

/livez answers while the event loop turns. /readyz is 200 when both sides are connected, else 503; its JSON says what each
side is doing, so that an unreachable broker or hub can be seen from outside.
"""

import errno
from collections.abc import Callable

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from hub.errors import PortInUseError

State = dict[str, dict[str, object]]


class _Live(RequestHandler):
    def get(self) -> None:
        self.finish("ok\n")


class _Ready(RequestHandler):
    def initialize(self, state: Callable[[], State]) -> None:
        self._state = state

    def get(self) -> None:
        state = self._state()
        self.set_status(200 if all(side["ok"] for side in state.values()) else 503)
        self.set_header("Content-Type", "application/json")
        self.finish(orjson.dumps(state))


class _Metrics(RequestHandler):
    def initialize(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(generate_latest(self._registry))


class HealthServer:
    """Listen from `start` to `stop`."""

    def __init__(self, host: str, port: int, state: Callable[[], State], registry: CollectorRegistry) -> None:
        self._host = host
        self._port = port
        application = Application(
            [
                ("/livez", _Live),
                ("/readyz", _Ready, {"state": state}),
                ("/metrics", _Metrics, {"registry": registry}),
            ],
            log_function=lambda _handler: None,  # a line per probe is noise
        )
        self._server = HTTPServer(application, idle_connection_timeout=15, max_body_size=1024)

    def start(self) -> str:
        """Listen; return the URL. Raises PortInUseError."""
        try:
            sockets = bind_sockets(self._port, self._host)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError("health_port", self._host, self._port) from None
            raise
        self._server.add_sockets(sockets)
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and end open connections."""
        self._server.stop()
        await self._server.close_all_connections()
