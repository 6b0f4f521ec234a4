"""The hub's limits: one table, each a setting of the section `limits`.

A limit that is hit answers ERROR and closes, or drops by a named policy, and is counted; none of them is silent. Limits
that contradict each other would be silent (a message that fits one bound and never the next), so they stop the start.
"""

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hub.broker.broker import BrokerLimits
from hub.broker.budget import UNBOUNDED
from hub.broker.queues import QueueLimits
from hub.broker.subscriber import SubscriberLimits
from hub.stomp.deadlines import DeadlineLimits
from hub.stomp.header_block import CodecLimits
from hub.stomp.session import SessionLimits
from hub.stomp.transactions import TransactionLimits
from hub.topics.names import FilterLimits

KIB = 1024
MIB = 1024 * KIB

NOT_ABOVE: Final = (
    ("body_bytes", "outbox_bytes", "such a message could not wait for any subscriber"),
    ("body_bytes", "transaction_bytes", "such a message could not be sent in a transaction, as bridges do"),
    ("body_bytes", "queue_bytes", "such a message would fit in no work queue"),
    ("body_bytes", "retained_bytes", "such a message would never be there for replay:last"),
    ("outbox_bytes", "memory_bytes", "one slow peer would use all of it up"),
    ("transaction_bytes", "memory_bytes", "one transaction would use all of it up"),
    ("header_line_bytes", "header_block_bytes", "a line counts towards its block"),
    ("opening_bytes", "header_block_bytes", "a CONNECT would be refused for its headers before it reaches the bound"),
    ("subscription_id_chars", "header_line_bytes", "the id of a subscription is the value of a header line"),
    ("filter_wildcards", "filter_levels", "a wildcard is a level"),
    ("transaction_frames", "queue_messages", "one transaction could never go to one work queue"),
    ("heart_beat_min_s", "heart_beat_max_s", "no period lies between them"),
)
"""(smaller, larger, what goes wrong otherwise)."""
OFF_AT_0: Final = frozenset({"retained_bytes", "memory_bytes"})


class Limits(BaseModel):
    """Bounds on what clients can make the hub do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int = Field(10_000, ge=1, description="open connections, WebSocket and TCP together")
    strangers_per_address: int = Field(
        500,
        ge=1,
        description="connections from one address that are not logged in; no limit for this machine and trusted proxies",
    )
    handshake_s: float = Field(10.0, gt=0, description="time for the HTTP request line and headers")
    connect_s: float = Field(10.0, gt=0, description="time from the upgrade to a complete CONNECT")
    frame_s: float = Field(30.0, gt=0, description="time for a frame once it has begun")
    stall_s: float = Field(
        10.0, gt=0, description="time that a peer may read nothing while its messages are dropped, before it is closed"
    )
    close_s: float = Field(5.0, gt=0, description="time for the peer to answer our Close")
    ping_s: float = Field(
        20.0,
        ge=0,
        description="period of pings (WebSocket) or keep-alive probes (TCP) to clients that send no heart-beats; 0: none",
    )
    drain_s: float = Field(8.0, gt=0, le=60, description="time to finish what is in flight at SIGTERM")
    opening_bytes: int = Field(8 * KIB, ge=1 * KIB, description="bytes before the connection is open")
    confirm_s: float = Field(
        30.0, gt=0, description="time for the ACK of a consumer that a receipt waits for (receipt-after-ack)"
    )
    body_bytes: int = Field(1 * MIB, ge=1 * KIB, le=999_999_999, description="bytes of a frame's body")
    headers: int = Field(100, ge=8, description="header lines of a frame")
    header_line_bytes: int = Field(8 * KIB, ge=256, description="bytes of a header line")
    header_block_bytes: int = Field(64 * KIB, ge=1 * KIB, description="bytes of all headers of a frame")
    subscriptions: int = Field(128, ge=1, description="subscriptions of a connection")
    subscription_id_chars: int = Field(1 * KIB, ge=16, description="characters of a subscription id")
    filter_levels: int = Field(16, ge=1, description="levels of a topic filter")
    filter_wildcards: int = Field(4, ge=1, description="wildcards of a topic filter")
    outbox_bytes: int = Field(4 * MIB, ge=64 * KIB, description="bytes that wait for a connection whose peer is slow")
    send_buffer_bytes: int = Field(
        256 * KIB, ge=16 * KIB, description="bytes that the kernel may hold for a connection, beside the outbox"
    )
    transactions: int = Field(4, ge=1, description="open transactions of a connection")
    transaction_frames: int = Field(1_000, ge=1, description="frames in a transaction")
    transaction_bytes: int = Field(16 * MIB, ge=64 * KIB, description="bytes in a transaction")
    queues: int = Field(10_000, ge=1, description="work queues that hold messages or have consumers")
    queue_messages: int = Field(100_000, ge=1, description="messages in a work queue")
    queue_bytes: int = Field(64 * MIB, ge=64 * KIB, description="bytes in a work queue")
    topics: int = Field(
        100_000, ge=1, description="topics whose subscribers and last message are remembered between messages"
    )
    retained_bytes: int = Field(32 * MIB, ge=0, description="bytes of the last messages, for replay:last")
    memory_bytes: int = Field(
        0,
        ge=0,
        description="bytes that all clients together make the hub keep; 0: a quarter of the machine's or cgroup's memory",
    )
    heart_beat_min_s: float = Field(
        1.0, ge=0.1, le=3_600, description="shortest period of heart-beats that a client may ask for, either way"
    )
    heart_beat_max_s: float = Field(
        60.0, ge=0.1, le=3_600, description="longest; a client that asks for none in a direction gets none"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        conflicts = [
            f"limits.{smaller} ({getattr(self, smaller)}) is above limits.{larger} ({getattr(self, larger)}): {harm}"
            for smaller, larger, harm in NOT_ABOVE
            if getattr(self, smaller) > getattr(self, larger) and not (larger in OFF_AT_0 and not getattr(self, larger))
        ]
        if conflicts:
            raise PydanticCustomError("conflict", "{conflicts}", {"conflicts": "; ".join(conflicts)})
        return self

    def for_session(self) -> SessionLimits:
        """Return what the protocol needs."""
        return SessionLimits(
            CodecLimits(self.body_bytes, self.headers, self.header_line_bytes, self.header_block_bytes),
            TransactionLimits(self.transactions, self.transaction_frames, self.transaction_bytes),
            self.opening_bytes,
            round(self.heart_beat_min_s * 1000),
            round(self.heart_beat_max_s * 1000),
        )

    def for_broker(self) -> BrokerLimits:
        """Return what the broker needs."""
        return BrokerLimits(
            FilterLimits(self.filter_levels, self.filter_wildcards),
            QueueLimits(self.queues, self.queue_messages, self.queue_bytes),
            self.topics,
            self.retained_bytes,
            self.memory_bytes or UNBOUNDED,
        )

    def for_deadlines(self) -> DeadlineLimits:
        """Return how long a client may take."""
        return DeadlineLimits(self.connect_s, self.frame_s, self.stall_s, self.close_s, self.confirm_s)

    def for_subscriber(self) -> SubscriberLimits:
        """Return what one connection needs."""
        return SubscriberLimits(self.subscriptions, self.subscription_id_chars, self.outbox_bytes)

    @property
    def message_bytes(self) -> int:
        """Bytes of a WebSocket message: above a frame's, so that the ERROR of the frame limit is seen."""
        return self.body_bytes + self.header_block_bytes + 1 * MIB
