"""Ports for servers that are about to start."""

import socket

import pytest

from hub.errors import HubError
from hub.processes.ports import SERVER_PORTS, free_port, is_free


def test_each_port_is_given_once_and_is_not_one_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(20)]

    assert len(set(ports)) == len(ports)
    assert all(port in SERVER_PORTS for port in ports)
    assert all(port < 32_768 for port in ports)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        with pytest.raises(HubError, match="none of the 1 ports"):
            free_port([port])
    assert is_free(port)
