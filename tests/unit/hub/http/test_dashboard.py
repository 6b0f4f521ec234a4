"""The page's files as a browser gets them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import tornado.httpserver
import tornado.testing
import tornado.web

from hub.http.dashboard import dashboard_routes
from hub.http.gate import Gate
from tests.unit.hub.http.serving import Client


@contextmanager
def page_server(dist: Path) -> Iterator[Client]:
    listener, port = tornado.testing.bind_unused_port()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([*dashboard_routes(Gate(), dist)]))
    server.add_socket(listener)
    client = Client(port)
    try:
        yield client
    finally:
        client.close()
        server.stop()


@asynccontextmanager
async def built(tmp_path: Path) -> AsyncIterator[Client]:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>page</title>")
    (dist / "favicon.svg").write_text("<svg/>")
    (dist / "assets" / "index-AbC_1-2.js").write_text("'use strict'")
    (dist / ".built-from").write_text("hash")
    with page_server(dist) as client:
        yield client


async def test_the_page_comes_with_its_security_policy_and_is_asked_for_again_each_time(tmp_path: Path) -> None:
    async with built(tmp_path) as client:
        response = await client.get("/")

        assert 200 == response.code
        assert response.headers["Content-Type"].startswith("text/html")
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert "nosniff" == response.headers["X-Content-Type-Options"]
        assert "no-cache" == response.headers["Cache-Control"]

        again = await client.get("/", **{"If-None-Match": response.headers["Etag"]})

        assert 304 == again.code


async def test_a_page_built_anew_is_served_at_once(tmp_path: Path) -> None:
    async with built(tmp_path) as client:
        before = await client.get("/")
        (tmp_path / "dist" / "index.html").write_text("<!doctype html><title>a new page</title>")
        after = await client.get("/", **{"If-None-Match": before.headers["Etag"]})

    assert (200, b"<!doctype html><title>a new page</title>") == (after.code, after.body)


async def test_hashed_files_are_kept_for_ever(tmp_path: Path) -> None:
    async with built(tmp_path) as client:
        response = await client.get("/assets/index-AbC_1-2.js")

    assert (200, "public, max-age=31536000, immutable") == (response.code, response.headers["Cache-Control"])
    assert "javascript" in response.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/assets/", "/assets/none.js", "/assets/..%2findex.html", "/.built-from", "/x"])
async def test_nothing_but_the_pages_files_is_served(tmp_path: Path, path: str) -> None:
    async with built(tmp_path) as client:
        response = await client.get(path)

    assert response.code in {403, 404}
    assert "immutable" not in response.headers.get("Cache-Control", "")


async def test_another_hosts_name_is_refused(tmp_path: Path) -> None:
    async with built(tmp_path) as client:
        response = await client.get("/", Host="evil.example")

    assert 421 == response.code


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_page_that_was_not_built_says_how_to_build_it(tmp_path: Path, method: str) -> None:
    with page_server(tmp_path / "nowhere") as client:
        response = await client.get("/", method)

    assert (503, "no-store") == (response.code, response.headers["Cache-Control"])
    assert (b"make dashboard" in response.body) == (method == "GET")
