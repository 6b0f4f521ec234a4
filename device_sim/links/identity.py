"""Who a connection is, and to whom: addresses, TLS files, and all that the first packet or frame says.

NamedTuples, as a fleet has thousands.
"""

import functools
import ssl
from pathlib import Path
from typing import Final, NamedTuple

from device_sim.errors import BadArgumentError
from hub.clients.endpoint import Endpoint, parse_endpoint
from hub.clients.mqtt_client import MqttLogin

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443, "stomp": 61613, "stomps": 61614}
FAMILIES: Final = {
    "mqtt": ("mqtt", "mqtts"),
    "ws": ("ws", "wss"),
    "stomp": ("stomp", "stomps"),
    "hub": ("ws", "wss", "stomp", "stomps"),
}
"""What may stand where one of these is asked for; `hub` is a hub by WebSocket or plain TCP."""
HEART_BEAT_MS = 10_000


def parse_address(url: str, family: str, argument: str) -> Endpoint:
    """Take `url` apart; its scheme is one of the family's.

    Raises:
        BadArgumentError: naming `argument`, and repeating no password.
    """
    try:
        return parse_endpoint(url, {scheme: _PORTS[scheme] for scheme in FAMILIES[family]})
    except ValueError as error:
        raise BadArgumentError(argument, str(error)) from error


class TlsFiles(NamedTuple):
    """Whom to trust and who we are; None means the system's authorities, and no certificate of our own."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@functools.cache
def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context for these files; BadArgumentError names the one that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise BadArgumentError("tls ca", f"cannot use {files.ca}: {error.strerror or error}") from error
    if files.certificate is not None:
        try:
            context.load_cert_chain(files.certificate, files.key)
        except OSError as error:
            raise BadArgumentError("tls certificate", f"cannot use {files.certificate}: {error}") from error
    return context


class MqttIdentity(NamedTuple):
    """A client of a broker."""

    address: Endpoint
    login: MqttLogin
    tls: TlsFiles | None = None


class StompIdentity(NamedTuple):
    """A client of a hub."""

    address: Endpoint
    """WebSocket or plain TCP, by its scheme."""
    login: str | None = None
    passcode: str | None = None
    tls: TlsFiles | None = None
    vhost: str | None = None
    """The virtual host to ask for; None: the name by which the server is called."""
    heart_beat_ms: int = HEART_BEAT_MS
    """What we offer and want; 0: neither side beats."""
