"""Heads: which headers travel to the MESSAGE."""

import pytest

from hub.broker.publication import NO_HEADERS
from hub.stomp.frames import Head, missing_header


def test_user_headers_travel_and_what_the_server_owns_does_not() -> None:
    owned = [
        "destination", "content-length", "receipt", "transaction", "receipt-id", "message-id", "subscription", "ack",
        "redelivered", "dropped", "login", "passcode", "Authorization", "authorization",
    ]  # fmt: skip
    passing = ["version", "server", "session", "content-type", "id", "X-Mine", "Ack", "priority", "persistent"]
    head = Head("SEND", dict.fromkeys(owned + passing, "v"), None, 0)
    assert passing == [name for name, _ in head.user_headers.items]


def test_a_send_without_headers_of_its_own_shares_the_empty_ones() -> None:
    assert NO_HEADERS is Head("SEND", {"destination": "/topic/a"}, None, 0).user_headers


@pytest.mark.parametrize(
    ("command", "headers", "plain"),
    [
        ("SEND", {"destination": "/topic/a"}, True),
        ("SEND", {"destination": "/topic/a", "receipt": "1"}, True),
        ("SEND", {"destination": ""}, False),
        ("SEND", {}, False),
        ("SEND", {"destination": "/topic/a", "transaction": "t"}, False),
        ("SEND", {"destination": "/topic/a", "message-id": "1"}, False),
        ("SEND", {"destination": "/topic/a", "reply-to": "/temp-queue/a"}, False),
        ("SUBSCRIBE", {"destination": "/topic/a"}, False),
    ],
)
def test_a_send_that_only_wants_to_be_routed_is_plain(command: str, headers: dict[str, str], plain: bool) -> None:
    assert plain == Head(command, headers, None, 0).plain_send


def test_user_headers_know_how_large_they_are() -> None:
    assert 7 == Head("SEND", {"destination": "/topic/a", "abc": "defg"}, None, 0).user_headers.size


def test_a_missing_header_is_named() -> None:
    refusal = missing_header("SUBSCRIBE", "id", "r-1")
    assert ("Missing header (id)", 'SUBSCRIBE needs the header "id"', "r-1") == (
        refusal.summary,
        refusal.detail,
        refusal.receipt,
    )
