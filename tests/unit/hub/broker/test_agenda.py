"""When held messages are due, and what is remembered of subscriptions that have ended."""

from hub.broker.agenda import Agenda
from hub.broker.subscription import Subscription
from tests.support.core import Hub, Peer


def paced(hub: Hub, key: str) -> tuple[Peer, Subscription]:
    """Give a connection with a paced subscription, whose wakes the test makes itself."""
    peer = hub.peer()
    peer.send(f"SUBSCRIBE\nid:{key}\ndestination:/topic/{key}\nmax-rate:1\n\n^@")
    assert peer.client is not None
    return peer, peer.client.subscriptions[key]


def test_the_next_due_is_told_and_nothing_is_released_before_its_time() -> None:
    hub = Hub()
    _, subscription = paced(hub, "a")
    agenda = Agenda({subscription})
    assert agenda.release(1.0) is None
    agenda.wake(3.0, subscription, "/topic/a")
    agenda.wake(2.0, subscription, "/topic/a")
    assert [2.0, 3.0, None] == [agenda.release(now) for now in (1.0, 2.0, 3.0)]


def test_entries_of_the_ended_are_dropped_once_they_are_the_most() -> None:
    hub = Hub()
    subscriptions = [paced(hub, key)[1] for key in "abcd"]
    alive = set(subscriptions)
    agenda = Agenda(alive)
    for when, subscription in enumerate(subscriptions):
        agenda.wake(float(when), subscription, subscription.destination)
    left = []
    for subscription in subscriptions[:3]:
        alive.remove(subscription)
        agenda.forget(1)
        left.append(len(agenda))
    assert [4, 4, 1] == left


def test_what_goes_out_before_its_time_and_is_held_again_does_not_keep_the_ended_for_long() -> None:
    hub = Hub()
    publisher = hub.peer()
    for _ in range(5):
        peer, _ = paced(hub, "a")
        for seconds in (0.0, 0.0, 2.0, 0.0):  # sent; held; the newer one is sent in its stead; held
            hub.now += seconds
            publisher.send("SEND\ndestination:/topic/a\n\n^@")
        peer.lose()
        hub.pass_time(10.0)
    peers = [paced(hub, "a")[0] for _ in range(3)]
    publisher.send("SEND\ndestination:/topic/a\n\n^@SEND\ndestination:/topic/a\n\n^@")
    left = []
    for peer in peers:
        peer.lose()
        left.append(len(hub.broker.agenda))
    assert [3, 1, 0] == left
