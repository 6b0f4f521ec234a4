"""What the bare system calls of a message cost on this machine: one send and one receive on each of many connections.

python -m tests.bench.simulator_floor CONNECTIONS ROUNDS SERVER_CORE LOAD_CORE     prints CPU µs a message

No protocol, no objects: a process answers each 110 bytes with 4, as a broker does. Below this no client in Python can be.
"""

import os
import select
import socket
import sys
import time

REQUEST, ANSWER = b"x" * 110, b"\x40\x02\0\1"


def answer(listener: socket.socket, connections: int) -> None:
    """Be the broker, until a connection ends."""
    poll = select.epoll()
    peers: dict[int, socket.socket] = {}
    for _ in range(connections):
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peers[peer.fileno()] = peer
        poll.register(peer.fileno(), select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if not peers[descriptor].recv(4_096):
                return
            peers[descriptor].send(ANSWER)


def ask(port: int, connections: int, rounds: int) -> float:
    """Send on each connection in turn and take the answers; return CPU µs a message."""
    poll = select.epoll()
    peers: dict[int, socket.socket] = {}
    for _ in range(connections):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peers[peer.fileno()] = peer
        poll.register(peer.fileno(), select.EPOLLIN)
    begin = time.process_time()
    for _ in range(rounds):
        for peer in peers.values():
            peer.send(REQUEST)
        missing = connections
        while missing:
            for descriptor, _ in poll.poll():
                peers[descriptor].recv(16_384)
                missing -= 1
    return (time.process_time() - begin) / (rounds * connections) * 1e6


if __name__ == "__main__":
    count, turns, server_core, load_core = map(int, sys.argv[1:])
    with socket.create_server(("127.0.0.1", 0), backlog=count) as server:
        if os.fork() == 0:
            os.sched_setaffinity(0, {server_core})
            answer(server, count)
            os._exit(0)
        os.sched_setaffinity(0, {load_core})
        print(ask(server.getsockname()[1], count, turns), flush=True)
