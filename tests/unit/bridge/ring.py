"""A relay, and messages with numbers, for the tests of the ring's rules."""

from bridge.relay.intake import RelayCounts
from bridge.relay.relay import Relay, RelayLimits
from bridge.relay.transaction import Transaction
from hub.clients.mqtt_parser import PAYLOAD, Publish

LIMITS = RelayLimits(
    max_messages=1000,
    max_bytes=1_000_000,
    transaction_messages=10,
    transaction_bytes=5000,
    in_flight=4,
    linger_s=0.005,
    qos0_messages=5,
)


class Ring:
    """A relay with the poison that it reported."""

    def __init__(self, limits: RelayLimits = LIMITS) -> None:
        self.poison: list[bytes] = []
        self.relay = Relay(limits, RelayCounts(), lambda message, _reason: self.poison.append(message[PAYLOAD]))

    def take(self, *numbers: int, payload: bytes | None = None) -> None:
        self.relay.received([message(number, payload) for number in numbers], 0.0)

    def send_all(self, now: float = 1.0) -> list[Transaction]:
        sent = []
        while (transaction := self.relay.next_transaction(now)) is not None:
            sent.append(transaction)
        return sent


def message(number: int, payload: bytes | None = None, first: int = 0x32) -> Publish:
    return (mid(number), b"t", b"%d" % number if payload is None else payload, first, b"")


def mid(number: int) -> bytes:
    return number.to_bytes(2, "big")


def numbers(transaction: Transaction) -> list[int]:
    return [int(payload) for _, _, payload, *_ in transaction.messages]
