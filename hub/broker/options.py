"""What a subscription asks for beside its destination: all optional, read from STOMP headers and URL queries alike.

ack             auto | client | client-individual
prefetch-count  unacknowledged messages at most (client modes)
max-rate        messages a second per topic at most: the newest wins
dead-band       readings: skip a change smaller than this since the last one sent
on-slow         conflate | drop-oldest | disconnect, when the client reads too slowly
replay          last: begin with the last message of each matching topic
receipt-after-ack  true: a SEND's receipt waits for this subscriber's ACK (client modes, topics; confirmations.py)

`FOREIGN` names options of other brokers that would silently lose messages if they were ignored.
"""

import math
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple, TypeVar

from hub.refusal import Reason, Refusal, quoted


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


T = TypeVar("T", bound=Enum)
DEFAULT_PREFETCH = 1_000
MAX_PREFETCH = 100_000
MAX_RATE = 10_000.0
MAX_PERIOD_S = 86_400.0
_QUEUE = "use /queue/<name>, which keeps messages while nobody consumes"
FOREIGN = {
    "durable": _QUEUE,
    "persistent": _QUEUE,
    "auto-delete": _QUEUE,
    "x-queue-name": _QUEUE,
    "activemq.subscriptionName": _QUEUE,
    "durable-subscription-name": _QUEUE,
    "durable-subscriber-name": _QUEUE,
    "activemq.exclusive": "it is not known here; let one consumer subscribe",
    "exclusive": "it is not known here; let one consumer subscribe",
    "selector": "selectors are not evaluated; subscribe to a narrower topic filter",
}
"""Options of RabbitMQ, ActiveMQ and Artemis that change what a subscriber gets, and what to use here."""


class Options(NamedTuple):
    """The options of one subscription, validated."""

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

    @property
    def plain(self) -> bool:
        """Whether it takes the bytes of its cohort unchanged."""
        return self.ack is AckMode.AUTO and not self.paced


def parse_options(given: Mapping[str, str]) -> Options:
    """Read them from names and values; other names are not looked at.

    Raises:
        Refusal: a value that is not legal, or another broker's option; the text names it.
    """
    for name, remedy in FOREIGN.items():
        if name in given and (name == "selector" or given[name].lower() not in {"false", ""}):
            raise Refusal(Reason.NOT_SUPPORTED, f"{name} is an option of another broker: {remedy}", about=name)
    ack = _choice(given, "ack", AckMode, AckMode.AUTO)
    # A client that acknowledges wants every message: better to lose the connection and redeliver than to skip silently.
    policy = _choice(given, "on-slow", OnSlow, OnSlow.DROP_OLDEST if ack is AckMode.AUTO else OnSlow.DISCONNECT)
    replay = given.get("replay")
    if replay not in {None, "last"}:
        raise bad_option(given, "replay", "last")
    rate = _number(given, "max-rate", MAX_RATE)
    return Options(
        ack=ack,
        prefetch=_prefetch(given),
        period_s=0.0 if rate is None else min(1.0 / rate, MAX_PERIOD_S),
        dead_band=_number(given, "dead-band", math.inf) or 0.0,
        on_slow=policy,
        replay_last=replay == "last",
        confirms=_confirms(given, ack, policy),
    )


def truth(given: Mapping[str, str], name: str, default: bool = False) -> bool:
    """Read a truth value; Python's clients write `True`.

    Raises:
        Refusal: it is neither true nor false.
    """
    text = given.get(name)
    if text is None:
        return default
    if text in {"true", "True"}:
        return True
    if text in {"false", "False"}:
        return False
    raise bad_option(given, name, "true or false")


def bad_option(given: Mapping[str, str], name: str, wanted: str) -> Refusal:
    """Return the refusal of an option's value."""
    return Refusal(Reason.BAD_HEADER, f"{name} must be {wanted}, not {quoted(given[name])}", about=name)


def _choice(given: Mapping[str, str], name: str, kind: type[T], default: T) -> T:
    text = given.get(name)
    if text is None:
        return default
    for choice in kind:
        if choice.value == text:
            return choice
    *some, last = (choice.value for choice in kind)
    raise bad_option(given, name, f"{', '.join(some)} or {last}")


def _confirms(given: Mapping[str, str], ack: AckMode, on_slow: OnSlow) -> bool:
    if not truth(given, "receipt-after-ack"):
        return False
    if ack is AckMode.AUTO or on_slow is not OnSlow.DISCONNECT:
        # What is skipped is never acknowledged.
        text = "receipt-after-ack needs ack client or client-individual, and on-slow disconnect or none"
        raise Refusal(Reason.BAD_HEADER, text, about="receipt-after-ack")
    return True


def _prefetch(given: Mapping[str, str]) -> int:
    text = given.get("prefetch-count")
    if text is None:
        return DEFAULT_PREFETCH
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_PREFETCH):
        raise bad_option(given, "prefetch-count", f"a number from 1 to {MAX_PREFETCH}")
    return int(text)


def _number(given: Mapping[str, str], name: str, highest: float) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value <= highest) or math.isinf(value):
        raise bad_option(given, name, "a number above 0" + ("" if math.isinf(highest) else f", at most {highest:g}"))
    return value
