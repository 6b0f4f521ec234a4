"""An MQTT server in miniature that can fill any subscriber: pre-encoded PUBLISHes, as fast as they are acknowledged.

`python -m tests.bench.mqtt_source PORT SECONDS` serves one subscriber after the other; each gets SECONDS of messages from
its SUBSCRIBE on, and a line tells how many it acknowledged. A real broker costs 20 µs a message, so that behind it a quick
subscriber shows the broker's limit and not its own. Payloads are those of `mqtt_flood.py` with a time that stands still.

A thread counts the PUBACKs; at most WINDOW messages are unacknowledged.
"""

import socket
import struct
import sys
import threading
import time

WINDOW = 10_000
BLOB = 200
PACKET_IDS = 60_000
CONNACK_311 = b"\x20\x02\x00\x00"
CONNACK_5 = b"\x20\x03\x00\x00\x00"


def publish(number: int, version: int) -> bytes:
    """Encode message `number` (MQTT 3.1.1 and 5, section 3.3); packet ids go round."""
    topic = b"devices/dev-%05d/telemetry" % (number % 1_000)
    payload = b'{"ts":1763654400123,"temperature":%.2f,"humidity":%.1f,"pressure":1013.2}' % (
        20 + number % 700 / 100,
        40 + number % 30,
    )
    properties = b"\0" if version >= 5 else b""
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", number % PACKET_IDS + 1) + properties + payload
    length = len(body)
    return bytes([0x32, length & 0x7F | 0x80, length >> 7]) + body


class Subscriber:
    """One connection, from CONNECT to its end."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.acknowledged = 0
        self.version = 4

    def greet(self) -> bool:
        """Answer CONNECT and SUBSCRIBE; False for a peer that leaves before."""
        connect = self._packet()
        if connect is None:
            return False
        self.version = connect[1][6]
        self._socket.sendall(CONNACK_5 if self.version >= 5 else CONNACK_311)
        while (packet := self._packet()) is not None:
            first, body = packet
            if first & 0xF0 == 0x80:
                properties = b"\0" if self.version >= 5 else b""
                answer = body[:2] + properties + b"\x01"
                self._socket.sendall(bytes([0x90, len(answer)]) + answer)
                return True
        return False

    def fill(self, seconds: float) -> float:
        """Send until the time is over and all is acknowledged, or nothing more is; gives how long it took."""
        blobs = [
            b"".join(publish(number, self.version) for number in range(first, first + BLOB))
            for first in range(0, PACKET_IDS, BLOB)
        ]
        counting = threading.Thread(target=self._count, daemon=True)
        counting.start()
        begin = time.monotonic()
        sent = seen = 0
        while time.monotonic() - begin < seconds:
            if sent - self.acknowledged > WINDOW:
                time.sleep(0.0002)
                continue
            self._socket.sendall(blobs[sent // BLOB % len(blobs)])
            sent += BLOB
        last = time.monotonic()
        while seen < sent and time.monotonic() - last < 2.0:
            if self.acknowledged > seen:
                seen, last = self.acknowledged, time.monotonic()
            time.sleep(0.001)
        return last - begin

    def _count(self) -> None:
        rest = b""
        try:
            while data := self._socket.recv(65_536):
                data = rest + data
                at = 0
                while len(data) - at >= 4 and data[at] == 0x40:
                    run = (len(data) - at) // 4
                    # Almost always nothing but PUBACKs, four bytes each; anything else is looked at one by one.
                    if data[at::4][:run] == b"\x40" * run:
                        self.acknowledged += run
                        at += 4 * run
                    else:
                        self.acknowledged += 1
                        at += 4
                if at < len(data) and data[at] != 0x40:
                    at += 2 + data[at + 1] if at + 1 < len(data) else 0  # a PINGREQ or DISCONNECT
                rest = data[at:]
        except OSError:
            return

    def _packet(self) -> tuple[int, bytes] | None:
        head = self._exactly(2)
        if head is None:
            return None
        length, shift = head[1] & 0x7F, 7
        digit = head[1]
        while digit & 0x80:
            more = self._exactly(1)
            if more is None:
                return None
            digit = more[0]
            length |= (digit & 0x7F) << shift
            shift += 7
        body = self._exactly(length)
        return None if body is None else (head[0], body)

    def _exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                return None
            data += more
        return data


def main() -> None:
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    server = socket.create_server(("127.0.0.1", port))
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            subscriber = Subscriber(connection)
            if subscriber.greet():
                took = subscriber.fill(seconds)
                print(f"acknowledged {subscriber.acknowledged} in {took:.3f} s", flush=True)


if __name__ == "__main__":
    main()
