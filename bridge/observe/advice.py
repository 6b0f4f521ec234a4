"""What to do when a connection cannot be made, by the reason that the system, a library or the other side reports.

Two tables of patterns and remedies; the first match counts.
"""

import re
from typing import Final, TypeAlias

Table: TypeAlias = tuple[tuple[str, str], ...]

NOTHING_COMES: Final = (
    "if devices publish now, look into the broker's access rules: Mosquitto grants a subscription whose messages it will "
    "not deliver, silently (its acl_file needs `topic read` for this user)"
)
RIVAL: Final = "another client with our client_id"

BROKER: Table = (
    (
        rf"{RIVAL}|[Ss]ession taken over",
        "find the other client with this client_id (a second bridge?), and set another `client_id` here or there",
    ),
    (r"the port speaks TLS", "use mqtts:// (or wss://), and set mqtt_ca_file unless the system trusts the broker's CA"),
    (
        r"a web server answers",
        "use ws:// if this is the broker's WebSocket port, else the MQTT port (1883, with TLS 8883)",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "set mqtt_ca_file to the CA of the broker's certificate, and in mqtt_url use a host name that stands in it",
    ),
    (
        r"WRONG_VERSION_NUMBER|record layer|UNEXPECTED_EOF|TLS handshake",
        "this port speaks no TLS: use mqtt:// or ws://, or the broker's TLS port (8883)",
    ),
    (
        r"CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|handshake failure",
        "the broker asks for a certificate: set mqtt_cert_file and mqtt_key_file",
    ),
    (
        r"[Rr]efused.*subscription|refuses the subscription",
        "let the user read these topics (Mosquitto's acl_file: `topic read devices/#`), or narrow `filters`",
    ),
    (
        r"[Nn]ot authori[sz]ed|user name or password",
        "put the login in mqtt_url: mqtt://user:password@host, percent-encoded",
    ),
    (r"[Uu]nsupported protocol version", 'set mqtt_version = "auto"'),
    (
        r"WebSocket handshake: (.*reset|the broker closed)",
        "this port speaks no WebSocket: use mqtt://, wss:// if it is one with TLS, or the broker's WebSocket port",
    ),
    (r"WebSocket handshake", "the path in mqtt_url is not the broker's: EMQX, NATS, HiveMQ /mqtt, RabbitMQ /ws"),
    (r"Connection refused", "start the broker, or mend host and port in mqtt_url"),
    (r"Name or service not known|name resolution|nodename nor servname", "mend the host in mqtt_url"),
    (r"no answer|timed out|No route|unreachable", "look for a firewall, a wrong port, or a TLS port without mqtts://"),
    (
        r"without an answer to CONNECT",
        "use mqtts:// if this is a TLS port; else look into the broker's log, which says why it hung up",
    ),
    (r"lost|reset|closed", "look into the broker's log"),
)
HUB: Table = (
    (
        r"is no bridge|Not allowed",
        'set role = "bridge" for this login under [[users]] of the hub, or hub_login to one that has it',
    ),
    (r"login or passcode", "set hub_login and hub_passcode to one of the hub's [[users]]"),
    (r"no users are configured", "the hub serves its own machine only: add [[users]] to its settings"),
    (
        r"Handshake status 40[34]",
        "use the address that `telemetry-hub serve` prints, with /ws; see http.allowed_hosts for names of the hub's host",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "use a host name that stands in the certificate, of a CA that this system trusts (or SSL_CERT_FILE names)",
    ),
    (r"WRONG_VERSION_NUMBER|record layer|UNEXPECTED_EOF", "this port does not speak TLS: use ws://"),
    (r"Connection refused", "start the hub, or mend host and port in hub_url"),
    (r"Name or service not known|name resolution|nodename nor servname", "mend the host in hub_url"),
    (r"no connection|timed out|No route|unreachable", "look for a firewall or a wrong port"),
)
_OTHERWISE = "look into the log of the other side"


def of(reason: str, table: Table) -> str:
    """Return the remedy for a reason."""
    return next((text for pattern, text in table if re.search(pattern, reason)), _OTHERWISE)
