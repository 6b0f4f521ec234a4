"""The names of stomp.py 9.0 and websocket-client that bridge/hub/connection.py uses: this fails when they move.

What they do is held by tests/integration/bridge, on the wire.
"""

import inspect

import stomp
from hypothesis import given
from hypothesis import strategies as st
from stomp.adapter.ws import WSStompConnection, WSTransport
from stomp.transport import BaseTransport
from websocket import ABNF, WebSocket
from websocket._abnf import frame_buffer

from bridge.hub.connection import _BinaryMessage
from bridge.hub.threads import HubListener


@given(st.binary(max_size=300))
def test_a_binary_message_is_what_the_library_reads(data: bytes) -> None:
    stream = iter([_BinaryMessage(data).format()])
    read = frame_buffer(lambda _: next(stream), skip_utf8_validation=True).recv_frame()

    assert (read.fin, read.opcode, read.mask_value, read.data) == (1, ABNF.OPCODE_BINARY, 1, data)


def test_a_frame_is_sent_under_the_web_sockets_lock_as_stomp_py_s_own_are() -> None:
    assert "with self.lock:" in inspect.getsource(WebSocket.send_frame)
    assert "self.socket.send(encoded_frame, opcode)" in inspect.getsource(WSTransport.send)


def test_reading_goes_through_a_method_that_can_be_replaced() -> None:
    assert "c = self.receive()" in inspect.getsource(BaseTransport)


def test_the_constructor_takes_what_is_given() -> None:
    parameters = set(inspect.signature(WSStompConnection).parameters)

    assert {
        "host_and_ports",
        "prefer_localhost",
        "try_loopback_connect",
        "reconnect_attempts_max",
        "reconnect_sleep_initial",
        "reconnect_sleep_max",
        "timeout",
        "heartbeats",
        "vhost",
        "auto_decode",
        "ws_path",
        "binary_mode",
    } <= parameters


def test_a_listener_is_called_by_these_names_whatever_its_class() -> None:
    for name in ("on_connected", "on_message", "on_receipt", "on_error", "on_disconnected", "on_heartbeat_timeout"):
        assert hasattr(stomp.ConnectionListener, name)
        assert hasattr(HubListener, name)
    assert 'getattr(listener, "on_%s" % frame_type, None)' in inspect.getsource(BaseTransport.notify)
    assert "except AttributeError" in inspect.getsource(BaseTransport.transmit)  # on_send


def test_the_transport_has_its_socket_and_thread() -> None:
    transport = WSStompConnection([("127.0.0.1", 1)]).transport

    assert transport.socket is None
    assert transport.io_thread is None


def test_the_web_socket_can_be_cut_and_gives_close_frames_as_data() -> None:
    assert hasattr(WebSocket, "abort")
    assert hasattr(WebSocket, "settimeout")
    assert hasattr(WebSocket, "shutdown")
    assert "return frame.opcode, frame" in inspect.getsource(WebSocket.recv_data_frame)


def test_the_reason_of_a_failed_connection_is_the_last_argument_of_its_log_line() -> None:
    source = inspect.getsource(WSTransport.attempt_connection)

    assert 'log.warning("Could not connect to host %s, port %s: %s", host_and_port[0]' in source
    assert "str(exc)" in source
