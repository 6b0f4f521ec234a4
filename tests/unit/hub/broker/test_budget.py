"""The memory budget: its steps, who is shed first, and what work queues may have of it."""

import pytest

from hub.broker.broker import BrokerLimits
from hub.broker.budget import Budget, Holding, largest
from hub.broker.subscriber import SubscriberLimits
from hub.refusal import Reason, Refusal
from tests.support.core import Hub


def nothing() -> None:
    pass


def test_publishers_wait_from_80_percent_until_less_than_75() -> None:
    budget = Budget(100)
    steps = []
    for used in (79, 80, 76, 74, 79):
        budget.note(used, 0)
        steps.append((budget.tight, budget.excess))
    assert [(False, 0), (True, 5), (True, 1), (False, 0), (False, 0)] == steps


def test_new_work_is_refused_from_100_percent() -> None:
    budget = Budget(100)
    budget.note(99, 0)
    budget.admit("a subscription")
    budget.note(100, 0)
    with pytest.raises(Refusal) as refused:
        budget.admit("a subscription", "/topic/a")
    assert Reason.MEMORY_FULL is refused.value.reason
    assert refused.value.answer.retry


@pytest.mark.parametrize(
    ("queued", "unacknowledged", "size", "fits"), [(40, 0, 10, True), (40, 0, 11, False), (20, 25, 6, False)]
)
def test_work_queues_have_half_with_what_is_not_acknowledged(
    queued: int, unacknowledged: int, size: int, fits: bool
) -> None:
    budget = Budget(100)
    budget.note(queued + unacknowledged, unacknowledged)
    if fits:
        budget.admit_work(queued, size, "/queue/q")
    else:
        with pytest.raises(Refusal, match="work queues hold"):
            budget.admit_work(queued, size, "/queue/q")


def test_the_largest_are_shed_first_and_no_more_than_it_takes() -> None:
    holdings = [Holding("connection", str(size), size, nothing) for size in (10, 40, 20)]
    holdings.append(Holding("queue", "q", 90, None))
    assert ["40", "20"] == [holding.owner for holding in largest(holdings, 45)]
    assert [] == largest(holdings, 0)


def test_many_queues_together_are_bounded_and_take_work_again_once_it_is_consumed() -> None:
    hub = Hub(BrokerLimits(memory_bytes=20_000))
    publisher = hub.peer()
    for number in range(7):
        publisher.send(f"SEND\ndestination:/queue/q{number}\n\n{'x' * 1_000}^@")
    publisher.send("SEND\ndestination:/queue/q7\nreceipt:r\n\n" + "x" * 2_000 + "^@")
    assert ("Memory full", "r") == publisher.refusal()
    assert 7 * 1_256 == hub.broker.counters.queued_bytes, "what was taken stays, though its sender has gone"

    for number in range(7):
        hub.peer().send(f"SUBSCRIBE\nid:s\ndestination:/queue/q{number}\n\n^@")
    assert 0 == hub.broker.counters.queued_bytes
    another = hub.peer()
    another.send("SEND\ndestination:/queue/q7\nreceipt:r\n\n" + "x" * 2_000 + "^@")
    assert ["RECEIPT"] == [frame.command for frame in another.frames()]


def test_a_window_of_large_messages_closes_by_bytes_and_opens_by_acks() -> None:
    hub = Hub(client=SubscriberLimits(outbox_bytes=10_000))
    consumer, publisher = hub.peer(), hub.peer()
    consumer.send("SUBSCRIBE\nid:s\ndestination:/queue/q\nack:client-individual\nprefetch-count:1000\n\n^@")
    for _ in range(8):
        publisher.send(f"SEND\ndestination:/queue/q\n\n{'x' * 9_744}^@")
    messages = consumer.messages()
    assert 4 == len(messages)
    consumer.send(f"ACK\nid:{messages[0].headers['ack']}\n\n^@")
    assert 1 == len(consumer.messages())


def test_the_names_of_topics_are_bounded_and_the_oldest_forgotten() -> None:
    hub = Hub(BrokerLimits(memory_bytes=400_000))
    publisher = hub.peer()
    for number in range(50):
        publisher.send(f"SEND\ndestination:/topic/{number:03}{'n' * 2_000}\n\n{number}^@")
    assert hub.broker.topics.name_bytes <= 100_000
    assert "49" in hub.last_messages("#")
    assert "0" not in hub.last_messages("#")


def test_who_keeps_large_transactions_is_told_and_ended() -> None:
    hub = Hub()
    peer = hub.peer()
    peer.send(f"BEGIN\ntransaction:t\n\n^@SEND\ndestination:/topic/a\ntransaction:t\n\n{'x' * 10_000}^@")
    assert peer.talk.kept().received > 10_000
    peer.talk.shed()
    assert ("Memory full", None) == peer.refusal()
    assert 0 == peer.talk.kept().received


def test_a_log_for_blocked_readers_gives_half_back_and_tells_what_was_lost() -> None:
    hub = Hub()
    reader, publisher = hub.peer(), hub.peer()
    reader.send("SUBSCRIBE\nid:s\ndestination:/topic/a\n\n^@")
    reader.wire.busy_after_write = True
    for number in range(9):
        publisher.send(f"SEND\ndestination:/topic/a\n\n{number}{'x' * 1_000}^@")
        hub.broker.flush()
    [(topic_filter, channel)] = hub.broker.routing.logs()
    before = channel.kept_bytes
    channel.shed()
    assert "a" == topic_filter
    assert channel.kept_bytes <= 0.6 * before
    reader.read_again()
    told = [(frame.body[:1], frame.headers.get("dropped")) for frame in reader.messages()]
    assert [b"0", b"8"] == [told[0][0], told[-1][0]]
    assert 9 == len(told) + int(told[1][1] or 0)
