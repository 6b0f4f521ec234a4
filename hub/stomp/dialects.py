"""The three versions of STOMP as rows of data.

What differs between 1.0, 1.1 and 1.2 for a server, as the specifications say (stomp.github.io), with our choices where
they are silent. Before the version is known, and for CONNECT and CONNECTED in any version, OPENING holds: no escapes.
"""

from typing import NamedTuple


class Dialect(NamedTuple):
    """One version's rules."""

    version: str
    escapes: dict[str, str]  # the character after a backslash -> what it stands for; empty: a backslash is plain
    unsayable: str  # characters that a header cannot carry; replaced by a space in what we send
    trims_values: bool  # 1.0's own samples pad values with spaces
    heart_beats: bool
    subscription_id_required: bool
    ack_key: str  # the header of ACK and NACK that names the message
    ack_header: bool  # MESSAGE carries `ack` for the client modes
    lone_cr_is_error: bool

    @property
    def escaped(self) -> tuple[tuple[str, str], ...]:
        """Return each character that must be escaped with its escape, the backslash first."""
        pairs = ((char, "\\" + code) for code, char in self.escapes.items())
        return tuple(sorted(pairs, key=lambda pair: pair[0] != "\\"))


_ESCAPES_1_1 = {"n": "\n", "c": ":", "\\": "\\"}
_ESCAPES_1_2 = {**_ESCAPES_1_1, "r": "\r"}

OPENING = Dialect("opening", {}, "\r\n", False, False, False, "id", False, True)
V1_0 = Dialect("1.0", {}, "\r\n", True, False, False, "message-id", False, False)
V1_1 = Dialect("1.1", _ESCAPES_1_1, "\r", False, True, True, "message-id", False, False)
V1_2 = Dialect("1.2", _ESCAPES_1_2, "", False, True, True, "id", True, True)

BY_VERSION = {row.version: row for row in (V1_0, V1_1, V1_2)}
VERSIONS = ",".join(BY_VERSION)
SUBPROTOCOLS = ("v12.stomp", "v11.stomp", "v10.stomp")  # registered names, best first


def negotiate(accept_version: str | None) -> Dialect | None:
    """Pick the highest common version; None when there is none. A client that names none speaks 1.0."""
    if accept_version is None:
        return V1_0
    asked = {version.strip() for version in accept_version.split(",")}
    return next((row for version, row in reversed(BY_VERSION.items()) if version in asked), None)


def pick_subprotocol(offered: list[str]) -> str | None:
    """Pick the WebSocket subprotocol to answer with; None if no known one was offered."""
    return next((name for name in SUBPROTOCOLS if name in offered), None)
