"""Clients, queues and acknowledgements against a model, whatever the order of what happens.

No message is lost, none is with two consumers at once; a consumer gets new messages in order; what was written before is
marked when it comes again, and after twenty deliveries it is a dead letter.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.broker.queues import MAX_ATTEMPTS
from hub.topics.destinations import queue
from tests.support.core import Hub, Peer

PEERS = st.integers(0, 2)
MODES = ["client", "client-individual", "auto"]
DEAD = queue("$dead/q")


class Queues(RuleBasedStateMachine):
    """The model: which messages each peer holds (by ack id), which were consumed, which are dead."""

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub()
        self.publisher = self.hub.peer()
        self.peers = [self.hub.peer() for _ in range(3)]
        self.modes: list[dict[str, str]] = [{} for _ in self.peers]  # open subscriptions by id
        self.held: list[dict[str, tuple[int, str]]] = [{} for _ in self.peers]  # ack id -> message, subscription epoch
        self.number = 0
        self.done: set[int] = set()
        self.seen: dict[int, int] = {}  # how often each message was written to somebody
        self.epochs = 0
        self.epoch: dict[tuple[int, str], str] = {}
        self.transaction: list[list[tuple[str, str]] | None] = [None] * 3

    @initialize(
        wishes=st.lists(st.tuples(st.sampled_from(MODES), st.integers(1, 3)), min_size=3, max_size=3),
        count=st.integers(0, 12),
    )
    def start(self, wishes: list[tuple[str, int]], count: int) -> None:
        """Begin where something is going on: shrinking takes away what a failure does not need."""
        for who, (ack, prefetch) in enumerate(wishes):
            self.subscribe(who, "x", ack, prefetch)
        self.publish(count)

    @rule(count=st.integers(1, 6))
    def publish(self, count: int) -> None:
        for _ in range(count):
            self.publisher.send(f"SEND\ndestination:/queue/q\n\n{self.number}^@")
            self.number += 1

    @rule(
        who=PEERS,
        key=st.sampled_from("xy"),
        ack=st.sampled_from(MODES),
        prefetch=st.integers(1, 3),
    )
    def subscribe(self, who: int, key: str, ack: str, prefetch: int) -> None:
        if key not in self.modes[who]:
            text = f"SUBSCRIBE\nid:{key}\ndestination:/queue/q\nack:{ack}\nprefetch-count:{prefetch}\n\n^@"
            self.epochs += 1
            self.epoch[who, key] = f"{self.epochs}"
            self.modes[who][key] = ack
            self.peers[who].send(text)

    @rule(who=PEERS, count=st.integers(0, 4))
    def stall(self, who: int, count: int) -> None:
        """Stop reading after messages were given to the outbox, and before they are written."""
        self.publish(count)
        self.peers[who].wire.busy = True

    @rule(who=PEERS)
    def read_again(self, who: int) -> None:
        self.peers[who].read_again()

    @rule(who=PEERS, key=st.sampled_from("xy"))
    def unsubscribe(self, who: int, key: str) -> None:
        self.collect()
        if key in self.modes[who]:
            self.peers[who].send(f"UNSUBSCRIBE\nid:{key}\n\n^@")
            self.collect()
            del self.modes[who][key]

    @rule(who=PEERS, pick=st.integers(0, 10), command=st.sampled_from(["ACK", "NACK"]), inside=st.booleans())
    def acknowledge(self, who: int, pick: int, command: str, inside: bool) -> None:
        self.collect()
        ids = list(self.held[who])
        if not ids:
            return
        ack_id = ids[pick % len(ids)]
        gathered = self.transaction[who]
        if inside and gathered is not None:
            if all(ack_id != other for _, other in gathered):
                self.peers[who].send(f"{command}\nid:{ack_id}\ntransaction:t\n\n^@")
                gathered.append((command, ack_id))
        else:
            self.settle(who, command, ack_id)
            self.peers[who].send(f"{command}\nid:{ack_id}\n\n^@")
            if gathered is not None:
                # What is settled outside would make the COMMIT fail, which other tests see.
                self.transaction[who] = None
                self.peers[who].send("ABORT\ntransaction:t\n\n^@")

    @rule(who=PEERS)
    def begin(self, who: int) -> None:
        if self.transaction[who] is None:
            self.transaction[who] = []
            self.peers[who].send("BEGIN\ntransaction:t\n\n^@")

    @rule(who=PEERS, commit=st.booleans())
    def end(self, who: int, commit: bool) -> None:
        self.collect()
        gathered, self.transaction[who] = self.transaction[who], None
        if gathered is None:
            return
        if commit:
            for command, ack_id in gathered:
                if ack_id in self.held[who]:
                    self.settle(who, command, ack_id)
        self.peers[who].send(f"{'COMMIT' if commit else 'ABORT'}\ntransaction:t\n\n^@")

    @rule(who=PEERS, how=st.sampled_from(["lost", "DISCONNECT\n\n^@", "NOPE\n\n^@"]))
    def leave(self, who: int, how: str) -> None:
        self.collect()
        self.modes[who], self.held[who], self.transaction[who] = {}, {}, None
        gone = self.peers[who]
        if how == "lost":
            gone.lose()
        else:
            gone.send(how)
        self.hub.broker.flush()
        self.peers[who] = self.hub.peer()

    def settle(self, who: int, command: str, ack_id: str) -> None:
        """Let the model do what an ACK or NACK does."""
        mode, epoch = self.held[who][ack_id][1].split()
        ids = list(self.held[who])
        same = [other for other in ids if self.held[who][other][1].split()[1] == epoch]
        covered = same[: same.index(ack_id) + 1] if mode == "client" else [ack_id]
        for other in covered:
            message, _ = self.held[who].pop(other)
            if command == "ACK":
                self.done.add(message)

    def collect(self) -> None:
        """Read what was written to everybody, and check each MESSAGE."""
        for who, peer in enumerate(self.peers):
            for frame in peer.frames():
                if frame.command != "MESSAGE":
                    continue
                message, key = int(frame.body), frame.headers["subscription"]
                assert message not in self.done, "consumed before"
                times = self.seen.get(message, 0)
                assert times == 0 or frame.headers["redelivered"] == "true"
                self.seen[message] = times + 1
                assert times < MAX_ATTEMPTS
                mode = self.modes[who][key]
                if mode == "auto":
                    assert "ack" not in frame.headers
                    self.done.add(message)
                else:
                    self.held[who][frame.headers["ack"]] = (message, f"{mode} {self.epoch[who, key]}")
        assert len(self.holding()) == len(set(self.holding())), "with two consumers at once"

    def holding(self) -> list[int]:
        return [message for held in self.held for message, _ in held.values()]

    def waiting(self) -> list[int]:
        queues = self.hub.broker.queues
        return [
            int(delivery.publication.body)
            for name in (queue("q"), DEAD)
            if name in queues
            for delivery in queues[name]._ready
        ]

    def unwritten(self) -> list[int]:
        return [
            int(item.publication.body)
            for peer in self.peers
            if peer.client is not None
            for item in (*(peer.client.outbox._backlog or ()), *peer.client.outbox.pending)
            if item.publication is not None
        ]

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        self.collect()
        everywhere = [*self.done, *self.holding(), *self.waiting(), *self.unwritten()]
        assert sorted(everywhere) == list(range(self.number))

    @invariant()
    def nobody_was_told_off(self) -> None:
        assert not any(peer.closed for peer in self.peers)
        assert set(self.hub.broker.counters.dropped) <= {"dead-letter"}

    @precondition(lambda self: self.number)
    @invariant()
    def no_message_waits_beside_an_idle_consumer(self) -> None:
        for peer, modes in zip(self.peers, self.modes, strict=True):
            waiting = self.hub.broker.queues.get(queue("q"))
            if modes and waiting is not None and len(waiting):
                assert peer.client is not None
                assert not any(subscription.ready for subscription in peer.client.subscriptions.values())


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_new_messages_come_to_a_consumer_in_order() -> None:
    hub = Hub()
    publisher, consumers = hub.peer(), [hub.peer() for _ in range(2)]
    for peer in consumers:
        peer.send("SUBSCRIBE\nid:s\ndestination:/queue/q\nack:client\nprefetch-count:3\n\n^@")
    got: dict[int, list[int]] = {0: [], 1: []}
    for number in range(100):
        publisher.send(f"SEND\ndestination:/queue/q\n\n{number}^@")
        for who, peer in enumerate(consumers):
            got[who] += _acknowledge_all(peer)
    assert all(sorted(numbers) == numbers for numbers in got.values())
    assert list(range(100)) == sorted(got[0] + got[1])


def _acknowledge_all(peer: Peer) -> list[int]:
    frames = peer.messages()
    if frames:
        peer.send(f"ACK\nid:{frames[-1].headers['ack']}\n\n^@")
    return [int(frame.body) for frame in frames]
