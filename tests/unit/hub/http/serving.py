"""A Tornado server on a free loopback port, for the tests of the handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import tornado.httpserver
import tornado.testing
import tornado.web
from tornado.httpclient import AsyncHTTPClient, HTTPResponse


class Client:
    def __init__(self, port: int) -> None:
        self._port = port
        self._http = AsyncHTTPClient(force_instance=True)

    async def get(self, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
        """Send one request; any status is an answer."""
        url = f"http://127.0.0.1:{self._port}{path}"
        return await self._http.fetch(url, method=method, headers=headers, raise_error=False)

    def close(self) -> None:
        self._http.close()


@asynccontextmanager
async def serving(path: str, handler: type[tornado.web.RequestHandler], **arguments: Any) -> AsyncIterator[Client]:
    listener, port = tornado.testing.bind_unused_port()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([(path, handler, arguments)]))
    server.add_socket(listener)
    client = Client(port)
    try:
        yield client
    finally:
        client.close()
        server.stop()
        await server.close_all_connections()
