"""A device that publishes numbers at QoS 1 from a thread of its own, and remembers which ones the broker acknowledged.

Not a client library: MQTT 3.1.1 by hand. What has no PUBACK goes again on the next connection, as a device with a store
does; so does what Mosquitto leaves without one for `STUCK_S` (2.0.11 now and then does, just after its start).
"""

import socket
import threading
import time
from types import TracebackType
from typing import Self

from tests.support.scripted_broker import publish

PERIOD_S = 0.02
END_S = 40.0
STUCK_S = 2.0
_CONNECT = b"\x10\x12\0\x04MQTT\x04\x02\0\0\0\x06device"


class Publisher:
    """Publish from `with` to its end, then wait until all that was sent is acknowledged."""

    def __init__(self, port: int, per_second: int, topic: str = "devices/a/telemetry", first: int = 0) -> None:
        self.acknowledged: set[int] = set()
        self.sent = first
        self._unacknowledged: dict[int, int] = {}  # number by packet id
        self._port = port
        self._per_period = max(1, round(per_second * PERIOD_S))
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        assert kind is not None or not self._unacknowledged, f"{len(self._unacknowledged)} were not acknowledged"

    def _run(self) -> None:
        end: float | None = None
        while end is None or (self._unacknowledged and time.monotonic() < end):
            try:
                with socket.create_connection(("127.0.0.1", self._port), 5) as sock:
                    end = self._converse(sock)
            except OSError:
                time.sleep(PERIOD_S)
            if end is None and self._stop.is_set():
                end = time.monotonic() + END_S

    def _converse(self, sock: socket.socket) -> float:
        """Send on one connection until all is done; raises OSError when it breaks."""
        sock.sendall(_CONNECT)
        buffer = b""
        while len(buffer) < 4:
            buffer += _some(sock)
        buffer = buffer[4:]
        again = [publish(self._topic, b"%d" % n, mid, dup=True) for mid, n in self._unacknowledged.items()]
        sock.sendall(b"".join(again))
        sock.settimeout(PERIOD_S)
        end: float | None = None
        progress = time.monotonic()
        while end is None or (self._unacknowledged and time.monotonic() < end):
            if time.monotonic() - progress > STUCK_S:
                raise ConnectionResetError
            if end is None and self._stop.is_set():
                end = time.monotonic() + END_S
            if end is None:
                sock.sendall(self._more())
            try:
                buffer += _some(sock)
            except TimeoutError:
                continue
            for at in range(0, len(buffer) - 3, 4):
                number = self._unacknowledged.pop(int.from_bytes(buffer[at + 2 : at + 4], "big"), None)
                if number is not None:
                    progress = time.monotonic()
                    self.acknowledged.add(number)
            buffer = buffer[len(buffer) // 4 * 4 :]
            self._stop.wait(PERIOD_S)
        return end

    def _more(self) -> bytes:
        packets = []
        for _ in range(self._per_period):
            mid = self.sent % 65_535 + 1
            packets.append(publish(self._topic, b"%d" % self.sent, mid))
            self._unacknowledged[mid] = self.sent
            self.sent += 1
        return b"".join(packets)


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(65_536)
    if not data:
        raise ConnectionResetError
    return data
