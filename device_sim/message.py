"""One telemetry message of a simulated device, and its plain JSON.

A message carries readings of one device at one time. Rule: the same message always becomes the same bytes, so a
message that is sent again after a reconnect is a repeat that the hub's primary key drops.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

# A hub tells seconds, ms, us and ns apart by magnitude; 1e11 ms is 1973-03-03, below it a number could be seconds.
UNAMBIGUOUS_MS = 100_000_000_000
US_PER_MS = 1_000


class Message(NamedTuple):
    """What is sent. A NamedTuple, because a fleet makes thousands a second and it is the cheapest frozen record."""

    number: int
    """Counts from 0 in the order of sending, without gaps: the ledger relies on it."""
    source: int
    """The device's number; messages of one source keep their order on one connection."""
    device: str
    metrics: tuple[str, ...]
    time_us: int
    """Device time, microseconds since the epoch: part of each reading's identity."""
    due_s: float
    """When it is to be sent, seconds after the schedule's start (open loop: whether or not the last one is answered)."""
    topic: str
    payload: bytes


def encode(time_us: int, values: Mapping[str, float]) -> bytes:
    """Encode as `{"ts":<ms>,"<metric>":<value>,…}`; a time that ms cannot carry exactly becomes ISO 8601."""
    ms, rest_us = divmod(time_us, US_PER_MS)
    if rest_us == 0 and ms >= UNAMBIGUOUS_MS:
        return orjson.dumps({"ts": ms, **values})
    stamp = datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
    return orjson.dumps({"ts": stamp.isoformat().replace("+00:00", "Z"), **values})
