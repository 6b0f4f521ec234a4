"""When subscriptions have something to do, and what is remembered of those that have ended."""

from hub.broker.agenda import MOST_AT_ONCE, Agenda
from hub.broker.subscription import Subscription
from tests.support.core import Hub, Peer


def paced(hub: Hub, key: str) -> tuple[Peer, Subscription]:
    """Return a connection with a paced subscription."""
    peer = hub.peer()
    peer.send(f"SUBSCRIBE\nid:{key}\ndestination:/topic/{key}\nmax-rate:1\n\n^@")
    return peer, peer.client.subscriptions[key]


def test_nothing_is_taken_before_its_time_and_an_earlier_time_counts() -> None:
    subscription = paced(Hub(), "a")[1]
    agenda = Agenda({subscription})
    assert [True, True, False] == [agenda.wake(when, subscription) for when in (3.0, 2.0, 2.5)]
    assert [[], [subscription], []] == [agenda.take(now) for now in (1.0, 2.0, 3.0)]
    assert agenda.next_s is None


def test_a_look_serves_a_bounded_number_and_the_rest_is_due_at_once() -> None:
    hub = Hub()
    subscriptions = [paced(hub, str(number))[1] for number in range(MOST_AT_ONCE + 3)]
    agenda = Agenda(set(subscriptions))
    for subscription in subscriptions:
        agenda.wake(1.0, subscription)
    assert subscriptions[:MOST_AT_ONCE] == agenda.take(1.0)
    assert 1.0 == agenda.next_s
    assert subscriptions[MOST_AT_ONCE:] == agenda.take(1.0)


def test_entries_of_the_ended_are_dropped_once_they_are_the_most() -> None:
    hub = Hub()
    subscriptions = [paced(hub, key)[1] for key in "abcd"]
    agenda = Agenda(set(subscriptions))
    for when, subscription in enumerate(subscriptions):
        agenda.wake(float(when), subscription)
    left = []
    for subscription in subscriptions[:3]:
        agenda.forget(subscription)
        left.append(len(agenda))
    assert [4, 4, 1] == left
