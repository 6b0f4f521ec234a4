"""Who somebody is: login and passcode of a CONNECT become a `Principal`.

Without users everybody on the hub's own machine is let in and trusted, and nobody else. That a client is a bridge is a
role of its login (`role = "bridge"`); it says so, with its name, by the header `telemetry-bridge`.
"""

import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple

from hub.access.principal import Principal
from hub.refusal import Reason, Refusal, quoted

BRIDGE_HEADER: Final = "telemetry-bridge"
MAX_BRIDGE_NAME_CHARS: Final = 200


class Login(NamedTuple):
    """What is known of a login."""

    password: str
    bridge: bool = False


class Logins:
    """All logins."""

    def __init__(self, logins: Mapping[str, Login]) -> None:
        self._logins = logins

    def admit(self, connect: Mapping[str, str], *, loopback: bool) -> Principal:
        """Let a client in by the headers of its CONNECT.

        Raises:
            Refusal: wrong login; none is configured and the peer is not on this machine; it is no bridge.
        """
        login = connect.get("login") or ""
        bridge = connect.get(BRIDGE_HEADER)
        if bridge is not None and not 0 < len(bridge) <= MAX_BRIDGE_NAME_CHARS:
            text = f"{BRIDGE_HEADER} has 1 to {MAX_BRIDGE_NAME_CHARS} characters"
            raise Refusal(Reason.BAD_HEADER, text, about=BRIDGE_HEADER)
        if not self._logins:
            if not loopback:
                text = (
                    "no users are configured ([[users]]), so only clients on the hub's own machine may connect; whoever "
                    "comes through a proxy counts by the address it forwards, if http.trusted_proxies names the proxy"
                )
                raise Refusal(Reason.BAD_CONNECT, text)
            return Principal("", bridge)
        known = self._logins.get(login)
        given = (connect.get("passcode") or "").encode()
        # Compared for unknown logins too: the time does not tell which logins exist.
        same = hmac.compare_digest(given, (known.password if known else "").encode())
        if known is None or not same:
            raise Refusal(Reason.BAD_CONNECT, "login or passcode is wrong")
        if bridge is not None and not known.bridge:
            text = f'{quoted(login)} is no bridge: set role = "bridge" for this login under [[users]]'
            raise Refusal(Reason.NOT_ALLOWED, text, about=BRIDGE_HEADER)
        return Principal(login, bridge)
