"""Probes."""

import json

import pytest

from hub.http.gate import Gate
from hub.http.health import LivezHandler, ReadyzHandler
from tests.unit.hub.http.serving import serving


@pytest.mark.parametrize("host", ["localhost", "10.1.2.3:8080"])
async def test_livez_answers_every_probe(host: str) -> None:
    async with serving("/livez", LivezHandler, gate=Gate()) as client:
        response = await client.get("/livez", Host=host)

        assert (response.code, json.loads(response.body)) == (200, {"ok": True})


async def test_readyz_is_503_with_the_reason_until_every_check_is_ok() -> None:
    database: dict[str, object] = {"ok": False, "detail": "connection refused"}
    checks = {"database": lambda: database, "bridge": lambda: {"ok": True}}
    async with serving("/readyz", ReadyzHandler, gate=Gate(), checks=checks) as client:
        response = await client.get("/readyz")

        assert response.code == 503
        assert json.loads(response.body) == {"ok": False, "checks": {"database": database, "bridge": {"ok": True}}}
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"

        database.update(ok=True, detail="")

        assert (await client.get("/readyz")).code == 200
        assert (await client.get("/readyz", method="HEAD")).code == 200


async def test_readyz_tells_a_foreign_host_nothing_but_the_status() -> None:
    checks = {"database": lambda: {"ok": False, "detail": "db.internal refused"}}
    async with serving("/readyz", ReadyzHandler, gate=Gate(), checks=checks) as client:
        response = await client.get("/readyz", Host="evil.example")

        assert (response.code, json.loads(response.body)) == (503, {"ok": False})
