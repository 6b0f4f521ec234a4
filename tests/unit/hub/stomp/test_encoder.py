"""What the hub writes, in the escapes of each version."""

import pytest

from hub.stomp.dialects import OPENING, V1_0, V1_1, V1_2, Dialect
from hub.stomp.encoder import encode_frame, encode_receipt, encode_user_headers
from hub.stomp.escapes import escape
from hub.stomp.frames import UserHeaders


@pytest.mark.parametrize(
    ("dialect", "wire"),
    [(V1_2, r"a\nb\cc\\d\re"), (V1_1, r"a\nb\cc\\d e"), (V1_0, "a b:c\\d e"), (OPENING, "a b:c\\d e")],
)
def test_what_a_version_cannot_say_becomes_a_space(dialect: Dialect, wire: str) -> None:
    assert wire == escape("a\nb:c\\d\re", dialect)


@pytest.mark.parametrize(
    ("dialect", "wire"), [(V1_2, b"k\\cn:a\\cb\\n\n"), (V1_1, b"k\\cn:a\\cb\\n\n"), (V1_0, b"k n:a:b \n")]
)
def test_user_headers_are_escaped_names_too_and_kept(dialect: Dialect, wire: bytes) -> None:
    headers = UserHeaders((("k:n", "a:b\n"),))
    assert wire == encode_user_headers(headers, dialect)
    assert {dialect.version: wire} == headers.encoded


def test_connected_is_never_escaped_and_other_frames_are() -> None:
    assert b"CONNECTED\nsession:a:b\\c\n\n\0" == encode_frame("CONNECTED", [("session", "a:b\\c")], b"", V1_2)
    assert b"ERROR\nmessage:a\\cb\n\nbody\0" == encode_frame("ERROR", [("message", "a:b")], b"body", V1_2)


@pytest.mark.parametrize(
    ("dialect", "wire"), [(V1_2, rb"a\cb\\c\nd\re"), (V1_1, rb"a\cb\\c\nd e"), (V1_0, rb"a:b\c d e")]
)
def test_a_receipt_is_echoed_in_the_escapes_of_its_version(dialect: Dialect, wire: bytes) -> None:
    assert b"RECEIPT\nreceipt-id:%b\n\n\0" % wire == encode_receipt("a:b\\c\nd\re", dialect)
