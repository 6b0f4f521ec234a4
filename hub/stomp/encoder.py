"""Frames into octets. MESSAGEs, which are many, are put together in `hub.broker.publication`."""

from hub.stomp.dialects import OPENING, Dialect
from hub.stomp.escapes import escape
from hub.stomp.frames import UserHeaders


def encode_user_headers(headers: UserHeaders, dialect: Dialect) -> bytes:
    """Give the header lines of a MESSAGE that came with the SEND, kept for the next time."""
    encoded = headers.encoded.get(dialect.version)
    if encoded is None:
        lines = []
        for name, value in headers.items:
            shown = escape(name, dialect)
            # 1.0 has no way to write a colon within a name.
            shown = shown if dialect.escapes else shown.replace(":", " ")
            lines.append(f"{shown}:{escape(value, dialect)}\n")
        encoded = headers.encoded[dialect.version] = "".join(lines).encode()
    return encoded


def encode_receipt(receipt: str, dialect: Dialect) -> bytes:
    """Encode a RECEIPT."""
    return f"RECEIPT\nreceipt-id:{escape(receipt, dialect)}\n\n\0".encode()


def encode_frame(command: str, headers: list[tuple[str, str]], body: bytes, dialect: Dialect) -> bytes:
    """Encode a server frame; values are escaped but for CONNECTED, which is never escaped."""
    rules = OPENING if command == "CONNECTED" else dialect
    lines = [command, *(f"{name}:{escape(value, rules)}" for name, value in headers), "", ""]
    return b"".join(("\n".join(lines).encode(), body, b"\0"))
