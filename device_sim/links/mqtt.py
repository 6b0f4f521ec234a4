"""The MQTT link: QoS 1, a few connections shared by the whole fleet, every PUBACK counted.

Paho would queue without limit and ignores the broker's Receive Maximum (reliability reference, M14), so the window is
kept here: `window` messages are unacknowledged on a connection at most and none wait. What is unacknowledged when a
connection is lost is sent again on the next one, oldest first, with DUP, before anything new.
"""

import asyncio
import contextlib
import random
import socket
import time
import uuid
from collections.abc import Sequence
from typing import Any

import structlog

from device_sim.links.address import Address
from device_sim.links.backoff import delays
from device_sim.links.link import LinkEvents
from device_sim.links.mqtt_client import BurstClient, publish_packet
from device_sim.message import Message

CONNECTIONS = 4
WINDOW = 2_000
CONNECT_DEADLINE_S = 10.0
# A broker that takes messages and never acknowledges (its disk full, its store stuck) is left and tried again: MQTT
# resends only on a new connection (MQTT-4.4.0-1).
ACK_DEADLINE_S = 30.0
TICK_S = 1.0
GOODBYE_S = 1.0
LAST_MID = 65_535

log = structlog.get_logger("device_sim.mqtt")


class MqttLink:
    """Implements `link.Link`; a source's messages always take the same connection."""

    def __init__(
        self,
        address: Address,
        events: LinkEvents,
        *,
        sources: int,
        connections: int = CONNECTIONS,
        window: int = WINDOW,
    ) -> None:
        # Random, not seeded: two simulators with one seed must not throw each other off the broker.
        name = f"device-sim-{uuid.uuid4().hex[:8]}"
        count = min(connections, sources)
        self._connections = [MqttConnection(address, f"{name}-{number}", events, window) for number in range(count)]
        self._events = events
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def room(self) -> int:
        for task in self._tasks:
            if task.done():
                task.result()  # it ends only by a bug: raise it here rather than wait for ever
        return min(connection.room for connection in self._connections)

    @property
    def outstanding(self) -> int:
        return sum(connection.outstanding for connection in self._connections)

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(connection.run()) for connection in self._connections]
        for task, connection in zip(self._tasks, self._connections, strict=True):
            task.add_done_callback(lambda _: self._events.room())
            up = asyncio.create_task(connection.up.wait())
            try:
                await asyncio.wait({up, task}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
            if task.done():
                task.result()

    def send(self, messages: Sequence[Message]) -> None:
        if len(self._connections) == 1:
            self._connections[0].send(messages)
            return
        shares: list[list[Message]] = [[] for _ in self._connections]
        for message in messages:
            shares[message.source % len(shares)].append(message)
        for connection, share in zip(self._connections, shares, strict=True):
            if share:
                connection.send(share)

    async def close(self) -> None:
        for connection in self._connections:
            await connection.say_goodbye()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class MqttConnection:
    """One connection and what is unacknowledged on it. `run` is its only task; everything is on one event loop."""

    def __init__(self, address: Address, client_id: str, events: LinkEvents, window: int) -> None:
        self._address = address
        self._events = events
        self._window = window
        self._unacknowledged: dict[int, Message] = {}  # by message id, in the order of sending
        self._mid = 0
        self._acked_at = 0.0
        self._refusal = ""
        self._closing = False
        self._accepted = asyncio.Event()
        self._lost = asyncio.Event()
        self.up = asyncio.Event()
        self._client = BurstClient(client_id, self._take_pubacks)
        self._wire()

    @property
    def room(self) -> int:
        return self._window - len(self._unacknowledged) if self.up.is_set() else 0

    @property
    def outstanding(self) -> int:
        return len(self._unacknowledged)

    def send(self, messages: Sequence[Message]) -> None:
        if not self._unacknowledged:
            self._acked_at = time.monotonic()
        packets = []
        for message in messages:
            mid = self._free_mid()
            self._unacknowledged[mid] = message
            packets.append(publish_packet(mid, message.topic, message.payload, again=False))
        self._client.publish_burst(packets)

    async def run(self) -> None:
        """Connect, tend, and connect again when lost, until cancelled."""
        try:
            while not self._closing:
                waits = delays(random.Random())
                while problem := await self._connect():
                    delay_s = next(waits)
                    log.warning(
                        "mqtt_unreachable", broker=str(self._address), problem=problem, retry_in_s=round(delay_s, 1)
                    )
                    await asyncio.sleep(delay_s)
                self._resend()
                self.up.set()  # only now: what is sent again comes before anything new
                self._events.room()
                await self._tend()
                self.up.clear()
                if not self._closing:
                    log.warning("mqtt_lost", broker=str(self._address), unacknowledged=len(self._unacknowledged))
        finally:
            self._client.drop()

    async def say_goodbye(self) -> None:
        """Send DISCONNECT if connected, and see it off."""
        self._closing = True
        if self.up.is_set():
            self._client.disconnect()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), GOODBYE_S)

    def _wire(self) -> None:
        """Let the event loop drive paho; these run on the loop, inside paho, and only note what happened."""
        loop, client = asyncio.get_running_loop(), self._client

        def on_socket_open(_client: Any, _userdata: Any, sock: Any) -> None:
            loop.add_reader(sock, client.loop_read)

        def on_socket_close(_client: Any, _userdata: Any, sock: Any) -> None:
            loop.remove_reader(sock)

        def on_socket_register_write(_client: Any, _userdata: Any, sock: Any) -> None:
            loop.add_writer(sock, client.loop_write)

        def on_socket_unregister_write(_client: Any, _userdata: Any, sock: Any) -> None:
            loop.remove_writer(sock)

        def on_connect(_client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                self._refusal = str(reason)
            else:
                self._accepted.set()

        def on_disconnect(*_: Any) -> None:
            self._lost.set()

        client.on_socket_open = on_socket_open
        client.on_socket_close = on_socket_close
        client.on_socket_register_write = on_socket_register_write
        client.on_socket_unregister_write = on_socket_unregister_write
        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)

    async def _connect(self) -> str:
        """Try once; return "" when the broker said yes, else what is wrong."""
        host, port = self._address.host, self._address.port
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                sock = await _open_socket(host, port)
                self._lost.clear()
                self._accepted.clear()
                self._refusal = ""
                self._client.connect_over(sock, host, port)
                answers = [asyncio.create_task(event.wait()) for event in (self._accepted, self._lost)]
                try:
                    await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for answer in answers:
                        answer.cancel()
        except TimeoutError:
            self._client.drop()
            return f"no answer within {CONNECT_DEADLINE_S:.0f} s"
        except OSError as error:
            return error.strerror or str(error)
        if self._lost.is_set():
            return f"refused: {self._refusal}" if self._refusal else "closed the connection"
        return ""

    def _resend(self) -> None:
        self._acked_at = time.monotonic()
        if self._unacknowledged:
            again = [publish_packet(mid, m.topic, m.payload, again=True) for mid, m in self._unacknowledged.items()]
            self._client.publish_burst(again)

    async def _tend(self) -> None:
        """Keep the connection alive until it is lost, or given up because its acknowledgements stay away."""
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), TICK_S)
            self._client.loop_misc()
            if self._unacknowledged and time.monotonic() - self._acked_at > ACK_DEADLINE_S:
                log.warning("mqtt_acknowledgements_stay_away", broker=str(self._address), after_s=ACK_DEADLINE_S)
                self._client.drop()
                return

    def _take_pubacks(self, mids: list[int]) -> None:
        self._acked_at = time.monotonic()
        taken = (self._unacknowledged.pop(mid, None) for mid in mids)
        if messages := [message for message in taken if message is not None]:
            self._events.acknowledged(messages)
            self._events.room()

    def _free_mid(self) -> int:
        while True:
            self._mid = self._mid % LAST_MID + 1
            if self._mid not in self._unacknowledged:
                return self._mid


async def _open_socket(host: str, port: int) -> socket.socket:
    """Connect without blocking the loop, trying every address of the name."""
    loop = asyncio.get_running_loop()
    problem: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:  # cancelled or out of time: not ours to handle, but the socket is ours to close
            sock.close()
            raise
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise problem
