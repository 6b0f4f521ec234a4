"""A connection that speaks STOMP, whoever uses it: from the greeting on it has a stream, which ends with its socket."""

import socket

from device_sim.links.connection import Connection
from device_sim.links.stomp_client import Received
from device_sim.links.stomp_identity import StompIdentity
from device_sim.links.stomp_stream import StompStream


class StompConnection(Connection):
    """Implements `stomp_stream.StreamOwner`; subclasses say what is done with what was received, and have the slots."""

    __slots__ = ()

    _identity: StompIdentity
    _stream: StompStream | None

    def received(self, what: Received) -> None:
        raise NotImplementedError

    def _greet(self, sock: socket.socket) -> None:
        stream = StompStream(sock, self._identity, self)
        self._stream = stream  # type: ignore[misc]  # subclasses have the slot
        self._watch_with(stream.read, stream.write_more)
        stream.begin()

    def _say_goodbye(self) -> None:
        if self._stream is not None:
            self._stream.say_goodbye()

    def _drop(self, *, reset: bool) -> None:
        if self._stream is not None:
            self._stream.close(reset=reset)
            self._stream = None  # type: ignore[misc]
