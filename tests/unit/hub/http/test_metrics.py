"""The scrape, and who may have it."""

import base64
from contextlib import AbstractAsyncContextManager

import pytest

from hub.http.gate import Gate
from hub.http.metrics import MetricsHandler
from hub.http.peers import TrustedProxies
from hub.observe.metrics import Row, build_registry
from tests.unit.hub.http.serving import Client, serving

FORWARDED = {"X-Forwarded-For": "203.0.113.7"}


def scraped(*rows: Row, gate: Gate | None = None, users: bool = True) -> AbstractAsyncContextManager[Client]:
    return serving(
        "/metrics",
        MetricsHandler,
        gate=gate or Gate(),
        registry=build_registry(rows),
        known=lambda login, passcode: (login, passcode) == ("ann", "s3:cr€t"),
        users=users,
    )


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


async def test_a_scrape_shows_the_numbers_of_this_moment() -> None:
    counted = {"n": 1}
    async with scraped(Row("hub_things_total", "counter", "Things.", lambda: counted["n"])) as client:
        assert b"\nhub_things_total 1.0\n" in (await client.get("/metrics")).body
        counted["n"] = 2

        response = await client.get("/metrics")

        assert b"\nhub_things_total 2.0\n" in response.body
        assert response.headers["Content-Type"].startswith("text/plain; version=")


async def test_openmetrics_is_returned_to_who_asks() -> None:
    async with scraped() as client:
        response = await client.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")

        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert response.body.endswith(b"# EOF\n")


async def test_a_foreign_host_gets_nothing() -> None:
    async with scraped() as client:
        assert (await client.get("/metrics", Host="evil.example")).code == 421


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        basic("ann:wrong"),
        basic("bob:s3:cr€t"),
        basic("ann"),
        "Basic",
        "Basic ===",
        "Basic /w==",
        "Bearer s3:cret",
        base64.b64encode("ann:s3:cr€t".encode()).decode(),
    ],
)
async def test_whoever_is_not_on_this_machine_has_to_log_in(authorization: str | None) -> None:
    headers = FORWARDED if authorization is None else {**FORWARDED, "Authorization": authorization}
    async with scraped() as client:
        response = await client.get("/metrics", **headers)

        assert response.code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert b"[[users]]" in response.body


async def test_a_user_gets_them_from_anywhere() -> None:
    async with scraped() as client:
        response = await client.get("/metrics", **FORWARDED, Authorization=basic("ann:s3:cr€t"))

        assert response.code == 200


async def test_without_users_there_is_no_login_to_ask_for() -> None:
    async with scraped(users=False) as client:
        response = await client.get("/metrics", **FORWARDED)

        assert response.code == 403
        assert b"[[users]]" in response.body


async def test_a_trusted_proxy_may_say_that_its_client_is_local() -> None:
    async with scraped(gate=Gate(proxies=TrustedProxies(["127.0.0.1"]))) as client:
        assert 200 == (await client.get("/metrics", **{"X-Forwarded-For": "127.0.0.1"})).code
        assert 401 == (await client.get("/metrics", **FORWARDED)).code
