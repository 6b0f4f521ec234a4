"""Errors carry the answer: summary, explanation, close code, receipt."""

from hub.stomp.errors import PROTOCOL_ERROR, TOO_BIG, FrameError, SessionError, StompError, missing_header


def test_an_error_says_what_and_why_and_how_the_connection_closes() -> None:
    error = FrameError("Body too large", "the body is larger than 10 octets", TOO_BIG, receipt="r")
    assert ("Body too large", "the body is larger than 10 octets", 1009, "r") == (
        error.summary,
        error.detail,
        error.code,
        error.receipt,
    )
    assert "Body too large: the body is larger than 10 octets" == str(error)
    assert isinstance(error, StompError)


def test_a_missing_header_is_named() -> None:
    error = missing_header("SUBSCRIBE", "id", "r-1")
    assert isinstance(error, SessionError)
    assert ("Missing header", 'SUBSCRIBE needs the header "id"', PROTOCOL_ERROR, "r-1") == (
        error.summary,
        error.detail,
        error.code,
        error.receipt,
    )
