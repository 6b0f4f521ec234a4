"""Reasons as they really come, and the word that helps."""

import pytest

from bridge.observe import advice


@pytest.mark.parametrize(
    ("reason", "helps"),
    [
        ("[Errno 111] Connection refused", "start the broker"),
        ("[Errno -2] Name or service not known", "host in mqtt_url"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", "mqtt_ca_file"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "no TLS"),
        ("the broker refuses the connection: Not authorized", "user:password@"),
        ("the broker refuses the subscription to '#': Unspecified error", "acl_file"),
        ("WebSocket handshake error, connection not upgraded", "/mqtt"),
        ("no answer within 5 s", "firewall"),
        ("something new", "log"),
    ],
)
def test_a_brokers_reason_gets_its_advice(reason: str, helps: str) -> None:
    assert helps in advice.of(reason, advice.BROKER)


@pytest.mark.parametrize(
    ("reason", "helps"),
    [
        ("ERROR: Bad CONNECT: login or passcode is wrong", "hub_passcode"),
        ("Handshake status 404 Not Found", "/ws"),
        ("[Errno 111] Connection refused", "start the hub"),
    ],
)
def test_a_hubs_reason_gets_its_advice(reason: str, helps: str) -> None:
    assert helps in advice.of(reason, advice.HUB)
