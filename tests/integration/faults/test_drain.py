"""SIGTERM under load (fault matrix F22), with the embedded Postgres: exit 0 in time, and no receipted reading is lost."""

import asyncio
import signal
import threading
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import asyncpg

from hub.processes.supervisor import Supervisor
from storage.embedded import EmbeddedPostgres
from tests.support.hub import hub_command
from tests.support.ports import free_port
from tests.support.raw_stomp import RawStomp, WebSocketOctets, tcp
from tests.support.waiting import wait_for

PUBLISHERS = 4
NOW_MS = 1_795_190_400_000


class Publisher(threading.Thread):
    """A device that sends readings, each burst with receipts, until the hub is gone."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(name=name)
        self._client = tcp(port)
        self._client.connect()
        self.receipts: set[int] = set()
        self.start()

    def run(self) -> None:
        number = 0
        send = f"SEND\ndestination:/topic/devices/{self.name}/telemetry\nreceipt:{{0}}\n\n{{{{" + '"ts":{1},"t":{0}}}^@'
        try:
            while True:
                self._client.send("".join(send.format(n, NOW_MS + n) for n in range(number, number + 50)))
                number += 50
                while len(self.receipts) < number - 200:
                    frame = self._client.maybe_frame()
                    if frame is None:
                        return
                    self.receipts.add(int(frame.headers["receipt-id"]))
        except OSError:
            self._rest()
        finally:
            self._client.octets.close()

    def _rest(self) -> None:
        """Read what the hub said before it closed."""
        try:
            while (frame := self._client.maybe_frame()) is not None:
                self.receipts.add(int(frame.headers["receipt-id"]))
        except (OSError, AssertionError):
            return


def test_a_hub_that_is_told_to_stop_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    stomp_port = free_port()
    command = hub_command(tmp_path, "--stomp-port", str(stomp_port))
    with Supervisor(tmp_path / "logs") as supervisor:
        hub = supervisor.start("hub", command)
        http_url, *_ = hub.wait_ready(30)
        # From here on a RECEIPT means that Postgres has it; before, the spool would.
        wait_for(lambda: _is_ready(http_url), 40)
        web_socket = WebSocketOctets(int(http_url.rpartition(":")[2]))
        dashboard = RawStomp(web_socket)
        dashboard.connect()
        dashboard.send("SUBSCRIBE\nid:s\ndestination:/topic/readings/#\n\n^@")
        dashboard.round_trip()
        publishers = [Publisher(stomp_port, f"press-{number}") for number in range(PUBLISHERS)]
        wait_for(lambda: min(len(publisher.receipts) for publisher in publishers) > 500, 40)

        hub.process.send_signal(signal.SIGTERM)
        while dashboard.maybe_frame() is not None:
            pass
        dashboard.octets.close()
        status = hub.process.wait(20)
        supervisor.forget(hub)
        for publisher in publishers:
            publisher.join(10)

        assert 0 == status
        assert 1001 == web_socket.close_code
        stored = asyncio.run(_stored(tmp_path))
        for publisher in publishers:
            assert not {n for n in publisher.receipts if (publisher.name, n) not in stored}


def _is_ready(http_url: str) -> bool:
    try:
        with urlopen(f"{http_url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except HTTPError:
        return False


async def _stored(data_dir: Path) -> set[tuple[str, int]]:
    """Read the hub's own database, started again without the hub."""
    postgres = EmbeddedPostgres(data_dir / "postgres")
    url = await asyncio.to_thread(postgres.start)
    try:
        connection = await asyncpg.connect(url)
        rows = await connection.fetch(
            "SELECT d.name, r.value FROM readings r JOIN series s ON s.id = r.series_id JOIN devices d ON d.id = s.device_id"
        )
        await connection.close()
    finally:
        await asyncio.to_thread(postgres.stop)
    return {(row[0], int(row[1])) for row in rows}
