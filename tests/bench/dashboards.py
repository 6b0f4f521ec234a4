"""Ten dashboards on every reading, in a process of their own: they read and throw away.

python -m tests.bench.dashboards PORT COUNT DESTINATION     until it is killed
"""

import selectors
import sys

from tests.bench.stomp_socket import RECEIVE_BYTES, StompSocket


def main() -> None:
    port, count, destination = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    selector = selectors.DefaultSelector()
    buffer = bytearray(RECEIVE_BYTES)
    for _ in range(count):
        one = StompSocket(port)
        one.subscribe([("sub-0", destination)])
        selector.register(one.socket, selectors.EVENT_READ, one)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.data.socket.recv_into(buffer) == 0:
                sys.exit("the hub closed a dashboard")


if __name__ == "__main__":
    main()
