"""Messages that the bridge gives up, each with its reason: counted, and logged where somebody can mend it."""

from typing import Final

import structlog

from bridge.errors import CommandTopicError, UnsendableTopicError
from bridge.relay.intake import RelayCounts
from hub.clients.mqtt_parser import Publish

_SHOWN_PAYLOAD_BYTES: Final = 64
_SHOWN_TOPIC_BYTES: Final = 200

log = structlog.get_logger("bridge")


class Drops:
    """Adds to a relay's counts."""

    def __init__(self, counts: RelayCounts, message_bytes: int) -> None:
        self._counts = counts
        self._message_bytes = message_bytes

    def too_large(self, topic: bytes, size: int) -> None:
        """Give up a message above the limit."""
        self._counts.dropped["too_large"] += 1
        log.warning("message.too_large", topic=_shown(topic), bytes=size, limit=self._message_bytes)

    def unsendable(self, error: UnsendableTopicError) -> None:
        """Give up a message that cannot go up; an empty topic was counted as too large."""
        if isinstance(error, CommandTopicError):
            self._counts.dropped["command"] += 1
        elif error.topic:
            self._counts.dropped["unsendable"] += 1
            log.warning("message.unsendable", topic=_shown(error.topic), reason=error.reason)

    def poison(self, message: Publish, reason: str) -> None:
        """Report a message that is proven to be poison; the relay has counted it."""
        _, topic, payload, _, _ = message
        log.error(
            "message.poison",
            topic=_shown(topic),
            bytes=len(payload),
            payload_hex=payload[:_SHOWN_PAYLOAD_BYTES].hex(),
            reason=reason,
            consequence="dropped and acknowledged: the hub took others, and ended the connection each time at this one",
        )


def counted_before(_error: UnsendableTopicError) -> None:
    """Do nothing: a message that goes again is left out again, and was counted the first time."""


def _shown(topic: bytes) -> str:
    return topic[:_SHOWN_TOPIC_BYTES].decode(errors="backslashreplace")
