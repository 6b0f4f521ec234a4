"""Readings without a time of their own, through the real hub and Postgres."""

import asyncio
from pathlib import Path

import asyncpg

from tests.support.hub import RunningHub
from tests.support.raw_stomp import tcp

TRANSACTION = "BEGIN\ntransaction:t\n\n^@"
SEND = "SEND\ndestination:/topic/devices/d/telemetry\ntransaction:t\n\n"
COMMIT = "COMMIT\ntransaction:t\nreceipt:r\n\n^@"
COUNT = 200


async def _stored(database_url: str) -> list[float]:
    connection = await asyncpg.connect(database_url)
    try:
        return [row["value"] for row in await connection.fetch("SELECT value FROM readings ORDER BY ts")]
    finally:
        await connection.close()


def test_all_values_of_one_transaction_are_stored_in_their_order_once_it_is_receipted(
    tmp_path: Path, database_url: str
) -> None:
    sends = "".join(f'{SEND}{{"a":{number}}}^@' for number in range(COUNT))
    with RunningHub(tmp_path, database_url=database_url) as hub, tcp(hub.stomp_port) as device:
        device.connect()
        for _ in range(2):
            device.send(TRANSACTION + sends + COMMIT)
            device.expect("RECEIPT")

    assert list(range(COUNT)) * 2 == asyncio.run(_stored(database_url))
