"""Simulated fleets and dashboards, and the proof that nothing was lost.

Where to start reading: `cli` (the commands) -> `fleet` or `replay` (what is sent when) -> `publisher` (sends what is
due) -> `links` (MQTT, STOMP) -> `ledger` (what was sent and acknowledged) -> `verify` (ledger against database).

    sensors/    one believable sensor a file, listed in `sensors/registry.py`
    device      a device: its sensors, its clock
    message     one telemetry message and its JSON
    watch       a simulated dashboard

Imports nothing from `bridge`: it sees the system as devices, dashboards and auditors do, from outside.
"""
