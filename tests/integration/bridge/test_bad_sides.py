"""Sides that are there and do not behave: silent, half open, of another protocol, with other secrets.

The bridge says why on its health page, and relays once the side is well again.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from bridge.bridge import Bridge
from bridge.observe import advice
from hub.settings.model import UserSettings
from tests.support import running_bridge
from tests.support.certificates import Certificates
from tests.support.hub import RunningHub
from tests.support.proxy import fault_proxy
from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

TOPIC = "devices/a/telemetry"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def a_web_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65_536)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    writer.close()


async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65_536)
    writer.write(bytes(range(256)) * 40)
    writer.close()


class _NoConnected(WebSocketHandler):
    def check_origin(self, origin: str) -> bool:  # noqa: ARG002
        return True

    def on_message(self, message: str | bytes) -> None:
        """Do not answer CONNECT."""


class Side:
    """A port that answers as the test says, and keeps it: a port that is given back may be taken by others."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.port = 0
        self._answering: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._answering.add(task)
        try:
            await self.answer(reader, writer)
        finally:
            self._answering.discard(task)
            await close(writer)

    async def finish(self) -> None:
        """End the connections that are still answered: who is gone is noticed later than a test ends."""
        tasks = [task for task in self._answering if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Side]:
    side = Side(answer)
    server = await asyncio.start_server(side.serve, "127.0.0.1", 0)
    side.port = server.sockets[0].getsockname()[1]
    try:
        yield side
    finally:
        server.close()
        await side.finish()


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def through(port: int) -> Answer:
    """Answer as the server on that port does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, onward = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(pump(reader, onward), pump(back, writer))
        finally:
            await close(onward)

    return answer


@pytest.fixture
async def no_connected() -> AsyncIterator[Answer]:
    """A hub that takes the WebSocket, and says nothing to CONNECT."""
    server = HTTPServer(Application([("/ws", _NoConnected)]))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    yield through(sockets[0].getsockname()[1])
    server.stop()
    await server.close_all_connections()


trying = partial(running_bridge.trying, reconnect_max_s=0.1, connect_timeout_s=0.5, drain_timeout_s=0.1)


def detail(bridge: Bridge, side: str) -> str:
    return str(bridge.state()[side]["detail"])


def says(bridge: Bridge, side: str, text: str) -> bool:
    return text in detail(bridge, side)


def ok(bridge: Bridge) -> bool:
    return all(side["ok"] for side in bridge.state().values())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (silence, "no connection within 0.5 s"),
        (a_web_page, "Handshake status 400"),
        (noise, ""),
        (None, "no connection within 0.5 s"),
    ],
    ids=["silence", "a web page", "noise", "no CONNECTED"],
)
async def test_a_hub_that_does_not_behave_is_left_until_it_does(
    broker: ScriptedBroker, sink: StompSink, no_connected: Answer, bad: Answer | None, reason: str
) -> None:
    async with serving(bad or no_connected) as hub, trying(broker.url, f"ws://127.0.0.1:{hub.port}/ws") as bridge:
        await wait_until(lambda: bridge.state()["mqtt"]["ok"])
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: bridge.relay.messages == 1)
        await wait_until(lambda: detail(bridge, "hub") != "not connected yet")
        assert reason in detail(bridge, "hub")
        hub.answer = through(sink.port)
        await wait_until(lambda: broker.acknowledged == [1], 20)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (silence, "no answer within 0.5 s"),
        (a_web_page, "not MQTT: a web server answers"),
        (noise, "not MQTT: "),
    ],
)
async def test_a_broker_that_does_not_behave_is_left_until_it_does(
    broker: ScriptedBroker, sink: StompSink, bad: Answer, reason: str
) -> None:
    async with serving(bad) as side, trying(f"mqtt://127.0.0.1:{side.port}", sink.url) as bridge:
        await wait_until(partial(says, bridge, "mqtt", reason), 20)
        side.answer = through(broker.port)
        await wait_until(partial(ok, bridge), 20)
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1], 20)


async def test_a_hub_that_reads_no_more_is_left_and_nothing_is_lost(broker: ScriptedBroker, sink: StompSink) -> None:
    async with fault_proxy(sink.port) as proxy:
        hub_url = f"ws://127.0.0.1:{proxy.port}/ws"
        async with running(broker.url, hub_url, receipt_timeout_s=0.5, connect_timeout_s=0.5) as bridge:
            proxy.black_hole()
            # More than the sockets hold: the thread that writes is stuck as well.
            broker.send(b"".join(publish(TOPIC, b"%d" % mid + b" " * 100_000, mid) for mid in range(1, 101)))
            await wait_until(lambda: bridge.relay.outstanding > 0)
            await wait_until(lambda: "no receipt within 0.5 s" in detail(bridge, "hub"))
            proxy.forward()
            await wait_until(lambda: broker.acknowledged == list(range(1, 101)), 20)

    assert {int(body) for body in sink.bodies} == set(range(1, 101))


async def test_a_wrong_login_is_said_and_the_right_one_tried_no_sooner(broker: ScriptedBroker, tmp_path: Path) -> None:
    users = (UserSettings(name="ann", password=SecretStr("correct horse"), role="bridge"),)
    with RunningHub(tmp_path, users=users) as hub:
        async with trying(broker.url, hub.ws_url, hub_login="ann", hub_passcode="wrong") as bridge:
            await wait_until(lambda: "login or passcode" in detail(bridge, "hub"))
            said = detail(bridge, "hub")
            assert bridge.relay.counts.refused == 0
        async with trying(broker.url, hub.ws_url, hub_login="ann", hub_passcode="correct horse") as bridge:
            await wait_until(partial(ok, bridge))

    assert "hub_passcode" in advice.of(said, advice.HUB)


async def test_a_certificate_of_a_stranger_is_said_on_both_sides(certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates["server.pem"], certificates["server.key"])
    tls_broker = await asyncio.start_server(silence, "127.0.0.1", 0, ssl=context)
    broker_url = f"mqtts://127.0.0.1:{tls_broker.sockets[0].getsockname()[1]}"
    async with tls_broker, StompSink(ssl_context=context) as tls_sink, trying(broker_url, tls_sink.url) as bridge:
        for side, table in (("mqtt", advice.BROKER), ("hub", advice.HUB)):
            await wait_until(partial(says, bridge, side, "certificate verify failed"))
            assert "certificate" in advice.of(detail(bridge, side), table)


async def test_tls_to_a_port_that_speaks_none_is_said_on_both_sides() -> None:
    async with serving(a_web_page) as plain:
        urls = (f"mqtts://127.0.0.1:{plain.port}", f"wss://127.0.0.1:{plain.port}/ws")
        async with trying(*urls, connect_timeout_s=5.0) as bridge:
            for side, table in (("mqtt", advice.BROKER), ("hub", advice.HUB)):
                await wait_until(partial(says, bridge, side, "SSL"), 20)
                assert "TLS" in advice.of(detail(bridge, side), table), detail(bridge, side)


async def test_both_sides_may_have_addresses_of_ipv6() -> None:
    async with ScriptedBroker(host="::1") as broker, StompSink("::1") as sink, running(broker.url, sink.url):
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1])


async def test_host_names_that_are_none_are_said_on_both_sides() -> None:
    async with trying("mqtt://a..b:1883", "ws://a..b:8080/ws") as bridge:
        for side in ("mqtt", "hub"):
            await wait_until(partial(says, bridge, side, "no connection can be made"))
