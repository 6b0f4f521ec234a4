"""What a client can do wrong, and what it is told.

    StompError           becomes one ERROR frame, then the connection closes
        FrameError       the octets are not a STOMP frame, or break a limit
        SessionError     a good frame at the wrong time, or without a header that it needs

The ERROR's `message` header is the short, stable text (`summary`); its body is `detail`, for people: what, where, what to
do. Neither ever quotes a passcode or a payload. `code` is the WebSocket close code that follows (RFC 6455, section 7.4.1).
"""

from hub.stomp.frames import quoted

PROTOCOL_ERROR = 1002
POLICY_VIOLATION = 1008
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013


class StompError(Exception):
    """An answer to the client: ERROR, then close."""

    def __init__(self, summary: str, detail: str, code: int = PROTOCOL_ERROR, *, receipt: str | None = None) -> None:
        super().__init__(summary, detail)
        self.summary = summary
        self.detail = detail
        self.code = code
        self.receipt = receipt

    def __str__(self) -> str:
        return f"{self.summary}: {self.detail}"


class FrameError(StompError):
    """The input is not a legal frame of the connection's version, or is larger than a limit."""


class SessionError(StompError):
    """The frame is legal but not here, not now, or not complete."""


def missing_header(command: str, name: str, receipt: str | None) -> SessionError:
    return SessionError("Missing header", f"{command} needs the header {quoted(name)}", receipt=receipt)
