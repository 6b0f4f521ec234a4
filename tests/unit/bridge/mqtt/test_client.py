"""What a PUBACK says; the client itself is held by test_paho_contract.py and, on the wire, by tests/integration/bridge."""

import pytest
from bridge.mqtt.client import puback


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\0\5", (5, None)),  # MQTT 3.1.1
        (b"\1\5\x10", (261, None)),  # no subscriber: the broker has it all the same
        (b"\0\5\x87\0", (5, "the broker refuses it: Not authorized")),
        (b"\0\5\x8c", (5, "the broker refuses it: reason code 0x8c")),  # not one of a PUBACK
        (b"\0\5\xfe", (5, "the broker refuses it: reason code 0xfe")),  # no reason code at all
    ],
)
def test_a_puback_has_the_packet_id_and_perhaps_a_refusal(body: bytes, expected: tuple[int, str | None]) -> None:
    assert expected == puback(body)
