"""The base of the handlers."""

import json

import pytest
from tornado.web import HTTPError

from hub.http.gate import Gate
from hub.http.guarded import GuardedHandler
from tests.unit.hub.http.serving import serving


class Handler(GuardedHandler):
    def get(self) -> None:
        if self.get_query_argument("fail", ""):
            raise HTTPError(404, "no such thing")
        self.finish_json({"answer": 42})


async def test_a_request_for_another_host_is_misdirected(caplog: pytest.LogCaptureFixture) -> None:
    async with serving("/x", Handler, gate=Gate()) as client:
        response = await client.get("/x", Host="evil.example", Origin="http://evil.example")

        assert response.code == 421
        assert "http.allowed_hosts" in json.loads(response.body)["error"]
        assert b"42" not in response.body


async def test_our_own_host_is_answered_without_telling_the_software() -> None:
    async with serving("/x", Handler, gate=Gate()) as client:
        response = await client.get("/x")

        assert (response.code, json.loads(response.body)) == (200, {"answer": 42})
        assert "Server" not in response.headers
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_errors_are_json_with_the_reason() -> None:
    async with serving("/x", Handler, gate=Gate()) as client:
        response = await client.get("/x?fail=1")

        assert (response.code, json.loads(response.body)) == (404, {"error": "no such thing"})
