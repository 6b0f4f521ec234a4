"""The URLs of the command line that say where a broker or hub is."""

from typing import Final

from device_sim.errors import BadArgumentError
from hub.clients.endpoint import Endpoint, parse_endpoint

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443, "stomp": 61613, "stomps": 61614}
FAMILIES: Final = {
    "mqtt": ("mqtt", "mqtts"),
    "ws": ("ws", "wss"),
    "stomp": ("stomp", "stomps"),
    "hub": ("ws", "wss", "stomp", "stomps"),
}
"""What may stand where one of these is asked for; `hub` is a hub by WebSocket or plain TCP."""


def parse_address(url: str, family: str, argument: str) -> Endpoint:
    """Take `url` apart; its scheme is one of the family's.

    Raises:
        BadArgumentError: naming `argument`, and repeating no password.
    """
    try:
        return parse_endpoint(url, {scheme: _PORTS[scheme] for scheme in FAMILIES[family]})
    except ValueError as error:
        raise BadArgumentError(argument, str(error)) from error
