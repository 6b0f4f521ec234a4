"""What the bridge reports about itself, once a second on the hub's `/topic/$SYS/bridge/<name>`, and its last errors.

One JSON object:

    {"bridge":"line-1","t":"2026-11-20T16:00:00.123Z",
     "mqtt":{"state":"connected","paused":false,"version":"5","last_error":null},
     "hub":{"state":"connected","last_error":{"text":"the connection was lost","t":"2026-11-20T15:58:01.002Z"}},
     "lag_s":0.012,"held":{"messages":310,"bytes":62310,"qos0":0},"transactions_on_their_way":2,
     "received":1200,"relayed":890,"acknowledged":890,"dropped":{"poison":0},
     "commands":{"waiting":0,"acknowledged":12,"refused":1,"discarded":0}}

`lag_s` is the age of the oldest message without a PUBACK; `dropped` has the reasons that occurred. No I/O here.
"""

from typing import Any, Final, NamedTuple

import orjson

from bridge.down.commands import Commands
from bridge.relay.relay import Relay
from hub.telemetry.clock import iso_utc

PERIOD_S: Final = 1.0
# Errors carry texts of brokers and libraries.
MAX_ERROR_CHARS: Final = 200


class LastError(NamedTuple):
    """Why a side was not connected the last time, and when that was noticed."""

    text: str
    time_us: int


def side(*, connected: bool, last_error: LastError | None, **more: object) -> dict[str, object]:
    """Return what is said of one side."""
    error = None
    if last_error is not None:
        error = {"text": last_error.text[:MAX_ERROR_CHARS], "t": iso_utc(last_error.time_us)}
    return {"state": "connected" if connected else "connecting", **more, "last_error": error}


def lag_s(relay: Relay, now: float) -> float:
    """Return the age of the oldest message without a PUBACK, 0 when none is held."""
    oldest = relay.oldest_at()
    return 0.0 if oldest is None else max(0.0, now - oldest)


def report(
    name: str,
    relay: Relay,
    commands: Commands,
    now: float,
    time_us: int,
    *,
    mqtt: dict[str, object],
    hub: dict[str, object],
) -> bytes:
    """Return the JSON object; `now` is monotonic, `time_us` the time of day."""
    counts = relay.counts
    body: dict[str, Any] = {
        "bridge": name,
        "t": iso_utc(time_us),
        "mqtt": mqtt,
        "hub": hub,
        "lag_s": round(lag_s(relay, now), 3),
        "held": {"messages": relay.messages, "bytes": relay.size, "qos0": relay.qos0_messages},
        "transactions_on_their_way": relay.outstanding,
        "received": counts.received,
        "relayed": counts.relayed,
        "acknowledged": counts.acknowledged,
        "dropped": {reason: count for reason, count in counts.dropped.items() if count},
        "commands": {
            "waiting": len(commands),
            "acknowledged": commands.counts.acknowledged,
            "refused": commands.counts.refused,
            "discarded": commands.counts.discarded,
        },
    }
    return orjson.dumps(body)
