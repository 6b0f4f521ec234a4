"""What can go wrong in the bridge.

BridgeError
├── LinkError          one side is away: retried with back-off, shown in /readyz
│   ├── BrokerUnreachableError
│   │   ├── ProtocolVersionError
│   │   └── NoAnswerError
│   └── HubUnreachableError
└── UnsendableTopicError  an MQTT topic that the hub cannot take: the message is dropped, counted, acknowledged
    └── CommandTopicError  one that goes down only

Wrong settings and a taken port are hub.errors.SettingsError and PortInUseError: one loader serves all programs.
"""


class BridgeError(Exception):
    """The root; its message is the sentence that an operator reads."""


class LinkError(BridgeError):
    """A connection could not be made or kept."""


class BrokerUnreachableError(LinkError):
    """The MQTT broker does not answer, or refuses the connection or the subscription."""


class ProtocolVersionError(BrokerUnreachableError):
    """The broker does not speak the version of MQTT that was asked for."""


class NoAnswerError(BrokerUnreachableError):
    """The broker took the connection, and closed it without an answer to CONNECT."""


class HubUnreachableError(LinkError):
    """The hub does not answer, or refuses the connection."""


class UnsendableTopicError(BridgeError):
    """A topic that cannot be a STOMP destination."""

    def __init__(self, topic: bytes, reason: str) -> None:
        super().__init__(f"topic {topic[:200]!r}: {reason}")
        self.topic = topic
        self.reason = reason


class CommandTopicError(UnsendableTopicError):
    """A topic of a command: these go from the hub to the broker and never back."""
