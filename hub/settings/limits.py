"""The hub's limits: one table, each a setting of the section `limits`.

A limit that is hit answers ERROR and closes, or drops by a named policy, and is counted; none of them is silent.
"""

from pydantic import BaseModel, ConfigDict, Field

from hub.broker.broker import BrokerLimits
from hub.broker.client import ClientLimits
from hub.broker.queues import QueueLimits
from hub.stomp.header_block import CodecLimits
from hub.stomp.session import SessionLimits
from hub.stomp.transactions import TransactionLimits
from hub.topics.names import FilterLimits

KIB = 1024
MIB = 1024 * KIB


class Limits(BaseModel):
    """Bounds on what clients can make the hub do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int = Field(10_000, ge=1, description="open connections, WebSocket and TCP together")
    handshake_s: float = Field(10.0, gt=0, description="time for the HTTP request line and headers")
    connect_s: float = Field(10.0, gt=0, description="time from the upgrade to a complete CONNECT")
    frame_s: float = Field(30.0, gt=0, description="time for a frame once it has begun")
    stall_s: float = Field(
        10.0, gt=0, description="time that a peer may read nothing while its messages are dropped, before it is closed"
    )
    close_s: float = Field(5.0, gt=0, description="time for the peer to answer our Close")
    drain_s: float = Field(8.0, gt=0, le=60, description="time to finish what is in flight at SIGTERM")
    opening_bytes: int = Field(8 * KIB, ge=1 * KIB, description="octets before the connection is open")
    confirm_s: float = Field(
        30.0, gt=0, description="time for the ACK of a consumer that a receipt waits for (receipt-after-ack)"
    )
    body_bytes: int = Field(1 * MIB, ge=1 * KIB, le=999_999_999, description="octets of a frame's body")
    headers: int = Field(100, ge=8, description="header lines of a frame")
    header_line_bytes: int = Field(8 * KIB, ge=256, description="octets of a header line")
    header_block_bytes: int = Field(64 * KIB, ge=1 * KIB, description="octets of all headers of a frame")
    subscriptions: int = Field(128, ge=1, description="subscriptions of a connection")
    subscription_id_chars: int = Field(1 * KIB, ge=16, description="characters of a subscription id")
    filter_levels: int = Field(16, ge=1, description="levels of a topic filter")
    filter_wildcards: int = Field(4, ge=1, description="wildcards of a topic filter")
    outbox_bytes: int = Field(4 * MIB, ge=64 * KIB, description="octets that wait for a connection whose peer is slow")
    send_buffer_bytes: int = Field(
        256 * KIB, ge=16 * KIB, description="octets that the kernel may hold for a connection, beside the outbox"
    )
    transactions: int = Field(4, ge=1, description="open transactions of a connection")
    transaction_frames: int = Field(1_000, ge=1, description="frames in a transaction")
    transaction_bytes: int = Field(16 * MIB, ge=64 * KIB, description="octets in a transaction")
    queues: int = Field(10_000, ge=1, description="work queues that hold messages or have consumers")
    queue_messages: int = Field(100_000, ge=1, description="messages in a work queue")
    queue_bytes: int = Field(64 * MIB, ge=64 * KIB, description="octets in a work queue")
    topics: int = Field(
        100_000, ge=1, description="topics whose subscribers and last message are remembered between messages"
    )
    retained_bytes: int = Field(32 * MIB, ge=0, description="octets of the last messages, for replay:last")
    heart_beat_s: float = Field(10.0, ge=0, description="period of heart-beats that the hub offers and wants; 0: none")

    def for_session(self) -> SessionLimits:
        """Give what the protocol needs."""
        period_ms = round(self.heart_beat_s * 1000)
        return SessionLimits(
            CodecLimits(self.body_bytes, self.headers, self.header_line_bytes, self.header_block_bytes),
            TransactionLimits(self.transactions, self.transaction_frames, self.transaction_bytes),
            self.opening_bytes,
            (period_ms, period_ms),
        )

    def for_broker(self) -> BrokerLimits:
        """Give what the broker needs."""
        return BrokerLimits(
            FilterLimits(self.filter_levels, self.filter_wildcards),
            QueueLimits(self.queues, self.queue_messages, self.queue_bytes),
            self.topics,
            self.retained_bytes,
        )

    def for_client(self) -> ClientLimits:
        """Give what one connection needs."""
        return ClientLimits(self.subscriptions, self.subscription_id_chars, self.outbox_bytes)

    @property
    def message_bytes(self) -> int:
        """Octets of a WebSocket message: above a frame's, so that the ERROR of the frame limit is seen."""
        return self.body_bytes + self.header_block_bytes + 1 * MIB
