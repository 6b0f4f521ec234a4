"""The rows of `/metrics` about connections, messages and queues; how rows work: `hub.observe.metrics`."""

from collections.abc import Sequence

from hub.broker.broker import Broker
from hub.observe.loop_lag import LoopLag
from hub.observe.metrics import Row
from hub.transports.services import Services


def broker_rows(broker: Broker) -> Sequence[Row]:
    """The rows of the broker."""
    counters = broker.counters
    return (
        Row("hub_subscriptions", "gauge", "Subscriptions on topics and queues.", lambda: broker.subscriptions),
        Row("hub_messages_in_total", "counter", "Messages published or enqueued.", lambda: counters.messages_in),
        Row("hub_messages_out_total", "counter", "MESSAGE frames for subscribers.", lambda: counters.messages_out),
        Row("hub_messages_redelivered_total", "counter", "Deliveries of work again.", lambda: counters.redelivered),
        Row(
            "hub_messages_dropped_total", "counter", "Messages skipped, by reason.", lambda: counters.dropped, "reason"
        ),
        Row("hub_slow_consumers_total", "counter", "Connections closed as slow.", lambda: counters.slow_consumers),
        Row(
            "hub_receipts_unconfirmed",
            "gauge",
            "Receipts that wait for the ACK of a consumer, such as a bridge.",
            lambda: len(broker.confirmations),
        ),
        Row("hub_queues", "gauge", "Work queues.", lambda: len(broker.queues)),
        Row(
            "hub_queue_messages",
            "gauge",
            "Messages that wait in work queues.",
            lambda: sum(len(queue) for queue in broker.queues.values()),
        ),
        Row("hub_topics", "gauge", "Topics that are remembered.", lambda: len(broker.topics)),
        Row(
            "hub_backlog_bytes",
            "gauge",
            "Bytes that are kept for blocked subscribers, once for all that share them.",
            broker.routing.logged_bytes,
        ),
        Row("hub_retained_bytes", "gauge", "Bytes of the last messages.", lambda: broker.topics.bytes),
    )


def transport_rows(services: Services, lag: LoopLag) -> Sequence[Row]:
    """The rows of the transports and of the event loop."""
    counters = services.counters
    return (
        Row("hub_connections", "gauge", "Open STOMP connections.", lambda: len(services.connections)),
        Row("hub_connections_accepted_total", "counter", "STOMP connections taken.", lambda: counters.accepted),
        Row("hub_connections_refused_total", "counter", "Not let in, by reason.", lambda: counters.refused, "reason"),
        Row("hub_received_bytes_total", "counter", "Bytes of STOMP from clients.", lambda: counters.bytes_in),
        Row("hub_sent_bytes_total", "counter", "Bytes handed to sockets.", lambda: counters.bytes_out),
        Row("hub_errors_total", "counter", "ERROR frames, by their message.", lambda: counters.errors, "message"),
        Row("hub_publishers_paused", "gauge", "Held back as storage is full.", lambda: counters.publishers_paused),
        Row(
            "hub_outbox_bytes",
            "gauge",
            "Bytes that wait for slow peers.",
            lambda: sum(connection.waiting_bytes for connection in services.connections),
        ),
        Row("hub_event_loop_lag_seconds", "gauge", "How late the event loop was.", lambda: lag.last_s),
        Row(
            "hub_event_loop_stalls_total",
            "counter",
            "Held for longer than 0.1 s; the log says by what.",
            lambda: lag.stalls,
        ),
        Row("hub_event_loop_alarm", "gauge", "1 while the loop is late again and again.", lambda: lag.alarm),
    )
