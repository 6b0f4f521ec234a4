"""What a SUBSCRIBE asks for beside its destination; all of it optional.

ack             auto | client | client-individual
prefetch-count  unacknowledged messages at most (client modes)
max-rate        messages a second per topic at most: the newest wins
dead-band       readings: skip a change smaller than this since the last one sent
on-slow         conflate | drop-oldest | disconnect, when the client reads too slowly
replay          last: begin with the last message of each matching topic
receipt-after-ack  true: a SEND's receipt waits for this subscriber's ACK (client modes, topics; confirmations.py)
"""

import math
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from hub.stomp.errors import SessionError
from hub.stomp.frames import quoted


class AckMode(Enum):
    """STOMP 1.2, "SUBSCRIBE ack Header"."""

    AUTO = "auto"
    CLIENT = "client"
    INDIVIDUAL = "client-individual"


class OnSlow(Enum):
    """What happens to a subscription whose messages do not fit its connection's outbox."""

    CONFLATE = "conflate"
    DROP_OLDEST = "drop-oldest"
    DISCONNECT = "disconnect"


DEFAULT_PREFETCH = 1_000
MAX_PREFETCH = 100_000
MAX_RATE = 10_000.0
MAX_PERIOD_S = 86_400.0


class Options(NamedTuple):
    """A subscription's wishes, valid."""

    ack: AckMode = AckMode.AUTO
    prefetch: int = DEFAULT_PREFETCH
    period_s: float = 0.0  # 1 / max-rate; 0: unlimited
    dead_band: float = 0.0
    on_slow: OnSlow = OnSlow.DROP_OLDEST
    replay_last: bool = False
    confirms: bool = False  # receipts wait for its ACK

    @property
    def paced(self) -> bool:
        return self.period_s > 0 or self.dead_band > 0


def parse_options(headers: Mapping[str, str]) -> Options:
    """Read them from a SUBSCRIBE's headers.

    Raises:
        SessionError: a value that is not legal; the text names the header.
    """
    ack = AckMode(headers.get("ack", "auto"))
    on_slow = headers.get("on-slow")
    if on_slow is None:
        # Who acknowledges wants every message: better to lose the connection, and redeliver, than to skip in silence.
        policy = OnSlow.DROP_OLDEST if ack is AckMode.AUTO else OnSlow.DISCONNECT
    elif on_slow in {policy.value for policy in OnSlow}:
        policy = OnSlow(on_slow)
    else:
        raise _bad(headers, "on-slow", "conflate, drop-oldest or disconnect")
    replay = headers.get("replay")
    if replay not in {None, "last"}:
        raise _bad(headers, "replay", "last")
    rate = _number(headers, "max-rate", MAX_RATE)
    confirms = _confirms(headers, ack, policy)
    return Options(
        ack=ack,
        prefetch=_prefetch(headers),
        period_s=0.0 if rate is None else min(1.0 / rate, MAX_PERIOD_S),
        dead_band=_number(headers, "dead-band", math.inf) or 0.0,
        on_slow=policy,
        replay_last=replay == "last",
        confirms=confirms,
    )


def _confirms(headers: Mapping[str, str], ack: AckMode, on_slow: OnSlow) -> bool:
    text = headers.get("receipt-after-ack")
    if text not in {None, "true", "false"}:
        raise _bad(headers, "receipt-after-ack", "true or false")
    if text != "true":
        return False
    if ack is AckMode.AUTO or on_slow is not OnSlow.DISCONNECT:
        # What is skipped is never acknowledged.
        text = "SUBSCRIBE: receipt-after-ack needs ack client or client-individual, and on-slow disconnect or none"
        raise SessionError("Bad header", text, receipt=headers.get("receipt"))
    return True


def _prefetch(headers: Mapping[str, str]) -> int:
    text = headers.get("prefetch-count")
    if text is None:
        return DEFAULT_PREFETCH
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_PREFETCH):
        raise _bad(headers, "prefetch-count", f"a number from 1 to {MAX_PREFETCH}")
    return int(text)


def _number(headers: Mapping[str, str], name: str, highest: float) -> float | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value <= highest) or math.isinf(value):
        raise _bad(headers, name, "a number above 0" + ("" if math.isinf(highest) else f", at most {highest:g}"))
    return value


def _bad(headers: Mapping[str, str], name: str, wanted: str) -> SessionError:
    text = f"SUBSCRIBE: {name} must be {wanted}, not {quoted(headers[name])}"
    return SessionError("Bad header", text, receipt=headers.get("receipt"))
