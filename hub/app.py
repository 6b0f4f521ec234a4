"""The hub, built once: storage, broker, telemetry, transports, HTTP.

Start: the store connects in the background, the ports open at once; `/readyz` reports when the database is there. Stop
(`drain`): no new connections, nothing more is read, what is in flight is committed and acknowledged, then all clients are
disconnected (WebSocket 1001), spread over a moment so that they do not all come back at once.
"""

import asyncio
import contextlib
import errno
import random
import secrets
import socket
import time
from collections.abc import Sequence

import structlog
from tornado import httputil, netutil
from tornado.httpserver import HTTPServer

from hub.access.logins import Login, Logins
from hub.broker.broker import Broker
from hub.errors import HubError, PortInUseError
from hub.http.dashboard import dashboard_routes
from hub.http.endpoints import WEBSOCKET, build_application
from hub.http.gate import Gate
from hub.http.health import LivezHandler, ReadyzHandler
from hub.http.hosts import AllowedHosts
from hub.http.metrics import MetricsHandler
from hub.http.origins import AllowedOrigins
from hub.http.peers import TrustedProxies, is_loopback
from hub.observe.loop_lag import LoopLag
from hub.observe.memory import Memory, memory_rows
from hub.observe.metrics import build_registry, pipeline_rows, store_rows
from hub.observe.stats import StatsTopic
from hub.observe.transport_metrics import broker_rows, transport_rows
from hub.processes.memory import memory_budget
from hub.refusal import Refusal
from hub.settings.model import HubSettings, routes_of
from hub.stomp.conversation import Shared
from hub.stomp.decoder import HeaderCache
from hub.stomp.encoder import Encoders
from hub.telemetry.audience import Audience
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.validation import TimeWindow
from hub.transports.broker_clock import BrokerClock
from hub.transports.descriptors import fitting_connections
from hub.transports.door import Sockets
from hub.transports.services import Services
from hub.transports.tcp import StompTcpServer
from hub.transports.websocket import StompWebSocketHandler
from storage.changes import Change
from storage.engine import DATABASE_AWAY
from storage.errors import StorageError
from storage.store import Store

log = structlog.get_logger("hub")
# Clients that are disconnected come back; this spreads them.
GOODBYE_SPREAD_S = 1.0
FILL_RETRY_S = 1.0


class HubApp:
    """One hub in one event loop."""

    def __init__(self, settings: HubSettings) -> None:
        """Build the parts; call within the running loop."""
        # Kept: asking for the running loop is a system call.
        loop = self._loop = asyncio.get_running_loop()
        limits = settings.limits.model_copy(
            update={
                "connections": fitting_connections(settings.limits.connections),
                "memory_bytes": memory_budget(settings.limits.memory_bytes),
            }
        )
        self.addresses: list[str] = []
        self._settings = settings
        self._clock = BrokerClock()
        epoch = secrets.token_hex(4)
        self.broker = Broker(limits.for_broker(), epoch, loop.time, self._flush_soon, self._clock.wake_at)
        self._clock.drive(self.broker.release_due)
        self.store = Store(settings.storage, settings.data_dir)
        window = TimeWindow(round(settings.telemetry.future_s * 1_000_000))
        pipeline = Pipeline(
            routes_of(settings.telemetry),
            self.store,
            Audience(self.broker),
            window,
            self.store.clock,
            last_wins=settings.storage.same_time == "last",
        )
        self.broker.taps.append(
            lambda batch, origin: pipeline.accept_all(batch, time.time_ns() // 1000, origin.bridged)
        )
        logins = {
            user.name: Login(user.password.get_secret_value(), bridge=user.role == "bridge") for user in settings.users
        }
        self.services = Services(
            Shared(
                self.broker,
                loop.time,
                Logins(logins),
                limits.for_session(),
                limits.for_subscriber(),
                limits.for_deadlines(),
                HeaderCache(),
                Encoders(epoch),
            ),
            limits,
            self.store,
        )
        self._memory = Memory(self.broker, self.services)
        self.services.memory = self._memory
        self._gate = Gate(
            AllowedHosts((settings.http.host, *settings.http.allowed_hosts)),
            AllowedOrigins(settings.http.allowed_origins),
            TrustedProxies(settings.http.trusted_proxies),
        )
        self._sockets = Sockets(limits, self._gate, self.services.counters)
        self._lag = LoopLag()
        self._stats = StatsTopic(self.broker, self.services, self._lag)
        self.broker.replay_sources += [pipeline.last.messages, pipeline.states.messages]
        self._pipeline = pipeline
        self.store.names.listen(self._follow)
        self._filling: asyncio.Task[None] | None = None
        rows = (
            *pipeline_rows(pipeline.counters),
            *store_rows(self.store),
            *broker_rows(self.broker),
            *transport_rows(self.services, self._lag),
            *memory_rows(self._memory, lambda: limits.memory_bytes),
        )
        gate, services = self._gate, self.services
        rules = [
            (f"{WEBSOCKET}/?", StompWebSocketHandler, {"services": services, "sockets": self._sockets}),
            (r"/livez", LivezHandler, {"gate": gate}),
            (
                r"/readyz",
                ReadyzHandler,
                {"gate": gate, "checks": {"storage": self.store.health, "loop": self._lag.health}},
            ),
            (
                r"/metrics",
                MetricsHandler,
                {"gate": gate, "registry": build_registry(rows), "known": self._known, "users": bool(settings.users)},
            ),
            *dashboard_routes(gate),
        ]
        application = build_application(rules, gate, settings.http.prefix)
        httputil.set_parse_body_config(httputil.ParseBodyConfig(multipart=httputil.ParseMultipartConfig(enabled=False)))
        self._http = HTTPServer(
            application,
            idle_connection_timeout=limits.handshake_s,
            body_timeout=limits.handshake_s,
            max_header_size=16_384,
            max_body_size=1_048_576,
            max_buffer_size=2_097_152,
        )
        self._tcp = StompTcpServer(self.services, self._sockets)

    async def _follow(self, changes: Sequence[Change]) -> None:
        """Forget what was deleted or renamed in the database."""
        await self._pipeline.last.follow(changes, self.store.queries)
        await self._pipeline.states.follow(changes, self.store.queries)
        log.info("names_changed", changes=len(changes))

    async def _fill_last_readings(self) -> None:
        """Learn the last readings from the database, once, when it is there."""
        while True:
            try:
                await self._pipeline.last.fill(self.store.queries)
                await self._pipeline.states.fill(self.store.queries)
            except (*DATABASE_AWAY, StorageError) as error:
                # Only at debug level: the store reports once that the database is away.
                log.debug("last_readings_later", reason=str(error))
                await asyncio.sleep(FILL_RETRY_S)
            else:
                log.info("last_readings", series=len(self._pipeline.last))
                return

    def _known(self, login: str, passcode: str) -> bool:
        """Whether a login and passcode belong together, whoever asks."""
        try:
            self.services.shared.logins.admit({"login": login, "passcode": passcode}, loopback=False)
        except Refusal:
            return False
        return True

    def _flush_soon(self) -> None:
        """Write what gathered in this tick of the loop at its end."""
        self._loop.call_soon(self.broker.flush)

    async def start(self) -> None:
        """Open the ports and begin to connect to the database.

        Raises:
            PortInUseError: another process has a port.
            HubError: the address is not loopback and nobody would have to log in.
        """
        settings = self._settings
        host = settings.http.host
        if not settings.users and host != "localhost" and not is_loopback(host):
            raise HubError(
                f"http.host is {host}, which others can reach, but no [[users]] are set; "
                "set users, or listen on 127.0.0.1"
            )
        buffer_bytes = settings.limits.send_buffer_bytes
        with contextlib.ExitStack() as opened:
            http_sockets = _bind(opened, "HTTP", host, settings.http.port, buffer_bytes)
            stomp_sockets = (
                _bind(opened, "STOMP", host, settings.stomp.port, buffer_bytes) if settings.stomp.port else []
            )
            await self.store.start()
            opened.pop_all()
        self._sockets.door.listen(http_sockets, self._http.handle_stream)
        self._sockets.door.listen(stomp_sockets, self._tcp.handle_stream)
        if self.services.limits.connections < settings.limits.connections:
            log.warning(
                "connections_capped",
                connections=self.services.limits.connections,
                wanted=settings.limits.connections,
                remedy="raise the limit of open files (ulimit -n, LimitNOFILE=)",
            )
        self._filling = asyncio.create_task(self._fill_last_readings(), name="last readings")
        self._lag.start()
        self._memory.start()
        self._stats.start()
        http_port = http_sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.addresses = [f"http://{shown}:{http_port}", f"ws://{shown}:{http_port}/ws"]
        if stomp_sockets:
            self.addresses.append(f"stomp://{shown}:{stomp_sockets[0].getsockname()[1]}")
        log.info("started", addresses=self.addresses)

    async def drain(self) -> None:
        """Stop without losing what was acknowledged, within `limits.drain_s`."""
        services = self.services
        services.draining = True
        self._sockets.door.close()
        self._stats.stop()
        self._memory.stop()
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + services.limits.drain_s
        # ACKs are no longer read.
        for confirmation in tuple(self.broker.confirmations):
            confirmation.refuse("the hub is shutting down; it is unknown whether the message arrived")
        await self.store.close()
        owed = {future for connection in services.connections for future in connection.owed}
        if owed:
            await asyncio.wait(owed, timeout=max(0.0, deadline - loop.time()))
        spread = min(GOODBYE_SPREAD_S, max(0.0, deadline - loop.time()))
        for connection in tuple(services.connections):
            loop.call_later(random.random() * spread, connection.shut_down)  # noqa: S311 - jitter, not a secret
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await services.wait_empty()
        await self._http.close_all_connections()
        self._clock.stop()
        self._sockets.keep_alive.stop()
        self._lag.stop()
        log.info("stopped")


def _bind(opened: contextlib.ExitStack, what: str, host: str, port: int, send_buffer_bytes: int) -> list[socket.socket]:
    """Listen; the sockets close with `opened`."""
    try:
        sockets = netutil.bind_sockets(port, host, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(what, host, port) from None
        raise HubError(f"{what}: cannot listen on {host} port {port}: {error.strerror}") from error
    for listener in sockets:
        opened.enter_context(listener)
        # Accepted sockets inherit it. Without it the kernel takes 2.5 MiB for each peer that does not read.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    return sockets
