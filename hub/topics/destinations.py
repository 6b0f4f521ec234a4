"""Destinations of STOMP frames and URL queries: `/topic/<name>`, `/queue/<name>`, `/temp-queue/<name>`.

This is the one place that knows the prefixes. What a topic's name or filter may contain is decided in `names`.
"""

from enum import Enum
from typing import NamedTuple

from hub.topics.names import TopicError


class Kind(Enum):
    """What a destination is."""

    TOPIC = "topic"
    QUEUE = "queue"
    TEMP_QUEUE = "temp-queue"


class Destination(NamedTuple):
    """A kind and a name. For a topic the name is an MQTT topic, or in a SUBSCRIBE a topic filter."""

    kind: Kind
    name: str

    @property
    def text(self) -> str:
        """Return it in the form that frames use."""
        return f"/{self.kind.value}/{self.name}"


_KINDS = {kind.value: kind for kind in Kind}


def parse_destination(text: str) -> Destination:
    """Split a destination.

    Raises:
        TopicError: it does not begin with one of the three prefixes, or has no name.
    """
    start, kind, name = text[:1], *text[1:].partition("/")[::2]
    if start != "/" or kind not in _KINDS or not name:
        raise TopicError("destinations begin with /topic/, /queue/ or /temp-queue/ and have a name")
    return Destination(_KINDS[kind], name)


def topic(name: str) -> str:
    """Return the destination of a topic."""
    return f"/{Kind.TOPIC.value}/{name}"


def topic_name(destination: str) -> str:
    """Return the name of a destination that is known to be a topic."""
    return destination[len(Kind.TOPIC.value) + 2 :]


def queue(name: str) -> Destination:
    """Return the destination of a work queue."""
    return Destination(Kind.QUEUE, name)
