"""The scrape."""

from hub.http.hosts import AllowedHosts
from hub.http.metrics import MetricsHandler
from hub.observe.metrics import Row, build_registry
from tests.unit.hub.http.serving import serving


async def test_a_scrape_shows_the_numbers_of_this_moment() -> None:
    counted = {"n": 1}
    registry = build_registry([Row("hub_things_total", "counter", "Things.", lambda: counted["n"])])
    async with serving("/metrics", MetricsHandler, hosts=AllowedHosts(), registry=registry) as client:
        assert b"\nhub_things_total 1.0\n" in (await client.get("/metrics")).body
        counted["n"] = 2

        response = await client.get("/metrics")

        assert b"\nhub_things_total 2.0\n" in response.body
        assert response.headers["Content-Type"].startswith("text/plain; version=")


async def test_openmetrics_is_given_to_who_asks() -> None:
    async with serving("/metrics", MetricsHandler, hosts=AllowedHosts(), registry=build_registry([])) as client:
        response = await client.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")

        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert response.body.endswith(b"# EOF\n")


async def test_a_foreign_host_gets_nothing() -> None:
    async with serving("/metrics", MetricsHandler, hosts=AllowedHosts(), registry=build_registry([])) as client:
        assert (await client.get("/metrics", Host="evil.example")).code == 421
