"""The writing thread: order, what goes aside, and its end."""

import queue
import threading

import pytest

from bridge.hub.threads import HubSender


class Writer:
    """Keeps what is written; waits before each until it may."""

    def __init__(self, *, last: bytes = b"") -> None:
        self.written: list[bytes] = []
        self.begun = threading.Event()
        self.may = threading.Event()
        self._last = last

    def write(self, buffer: bytes) -> bool:
        self.begun.set()
        self.may.wait(10)
        self.written.append(buffer)
        return buffer != self._last


def test_buffers_are_written_in_order_until_the_end_and_no_status_goes_behind_others() -> None:
    writer = Writer()
    sender = HubSender(writer.write, 4)
    sender.start()
    sender.send_aside(b"status")
    writer.begun.wait(10)
    sender.send(b"1")
    sender.send_aside(b"a later status")
    sender.send(b"2")
    sender.finish()
    writer.may.set()
    sender.thread.join(10)

    assert not sender.thread.is_alive()
    assert writer.written == [b"status", b"1", b"2"]


def test_it_ends_with_the_connection() -> None:
    writer = Writer(last=b"1")
    writer.may.set()
    sender = HubSender(writer.write, 4)
    sender.send(b"1")
    sender.send(b"2")
    sender.start()
    sender.thread.join(10)

    assert writer.written == [b"1"]


def test_more_than_can_be_on_its_way_is_a_mistake_and_told() -> None:
    sender = HubSender(lambda _: True, 1)
    sender.send(b"1")

    with pytest.raises(queue.Full):
        sender.send(b"2")
    sender.finish()  # which never raises
