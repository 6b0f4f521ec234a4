"""Which paths there are; everything else is told where the WebSocket is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import tornado.httpserver
import tornado.testing

from hub.http.endpoints import build_application
from hub.http.gate import Gate
from hub.http.health import LivezHandler
from tests.unit.hub.http.serving import Client

SOCKJS = ["/info", "/stomp/info", "/ws/info", "/ws/123/abc_1/websocket", "/ws/1/a/xhr_streaming", "/ws/iframe-1.html"]


@asynccontextmanager
async def served(prefix: str = "") -> AsyncIterator[Client]:
    gate = Gate()
    listener, port = tornado.testing.bind_unused_port()
    server = tornado.httpserver.HTTPServer(build_application([("/livez", LivezHandler, {"gate": gate})], gate, prefix))
    server.add_socket(listener)
    client = Client(port)
    yield client
    client.close()
    server.stop()
    await server.close_all_connections()


@pytest.mark.parametrize(
    "path", ["/stomp", "/websocket", "/mqtt", "/ws/x", "/wss", "/socket.io/?EIO=4", "/api/ws", "/no/such", *SOCKJS]
)
async def test_whoever_asks_at_the_wrong_place_is_told_the_right_one(path: str) -> None:
    async with served() as client:
        for headers in ({}, {"Upgrade": "websocket", "Connection": "Upgrade"}):
            response = await client.get(path, **headers)

            assert 404 == response.code
            assert response.headers["Content-Type"].startswith("text/plain")
            assert b" /ws." in response.body
            assert (path in SOCKJS) == (b"SockJS" in response.body)


async def test_another_method_is_answered_alike_and_another_host_is_refused() -> None:
    async with served() as client:
        assert b" /ws." in (await client.get("/info", method="DELETE")).body
        assert 421 == (await client.get("/stomp", Host="evil.example")).code


async def test_under_a_prefix_everything_is_there_as_at_the_root() -> None:
    async with served("/a/telemetry") as client:
        for path in ("/livez", "/a/telemetry/livez"):
            assert 200 == (await client.get(path)).code
        for path in ("/telemetry/livez", "/a/telemetry/a/telemetry/livez", "/aXtelemetry/livez"):
            assert 404 == (await client.get(path)).code


async def test_the_prefix_without_its_slash_leads_to_the_page() -> None:
    """Relative links of the page would go one level up otherwise."""
    async with served("/a/telemetry") as client:
        response = await client.get("/a/telemetry")

        assert response.effective_url.endswith("/a/telemetry/")
