"""Opening the socket to the broker: TCP, then TLS, then the WebSocket's handshake, as its URL says. It blocks.

It does not speak MQTT: CONNECT is the client's. Which certificates TLS trusts and presents is decided here.
"""

import socket
import ssl
from typing import Final

from bridge.errors import BrokerUnreachableError
from bridge.mqtt.websocket_socket import WebSocketSocket
from bridge.settings import BridgeSettings
from hub.clients.mqtt_client import Socket
from hub.errors import SettingProblem, SettingsError

# A TLS record holds 16 KiB, so several reads may be waiting behind one readable socket.
TLS_READS: Final = 16


def open_socket(settings: BridgeSettings, tls: ssl.SSLContext | None) -> Socket:
    """Resolve, connect and shake hands.

    Raises:
        OSError, BrokerUnreachableError: with the reason.
    """
    endpoint = settings.mqtt
    try:
        sock = socket.create_connection((endpoint.host, endpoint.port), settings.connect_timeout_s)
    except ValueError as error:  # a host name that is none
        raise BrokerUnreachableError(f"no connection can be made: {error}") from error
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = _secured(sock, tls, endpoint.host)
        return WebSocketSocket(sock, endpoint) if endpoint.web_socket else sock
    except BaseException:
        sock.close()
        raise


def _secured(sock: socket.socket, tls: ssl.SSLContext, host: str) -> socket.socket:
    try:
        return tls.wrap_socket(sock, server_hostname=host)
    except ConnectionError as error:  # a port without TLS may hang up at our first words
        raise BrokerUnreachableError(f"the TLS handshake: {error}") from error


def context(settings: BridgeSettings) -> ssl.SSLContext:
    """Return one that checks certificate and host name.

    Raises:
        SettingsError: a file cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if settings.mqtt_cert_file is not None:
            made.load_cert_chain(settings.mqtt_cert_file, settings.mqtt_key_file)
        if settings.mqtt_ca_file is not None:
            made.load_verify_locations(settings.mqtt_ca_file)
        else:
            made.load_default_certs()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        keys = "mqtt_ca_file, mqtt_cert_file, mqtt_key_file"
        raise SettingsError((SettingProblem(keys, "their files", f"cannot be used: {error}"),)) from error
    return made
