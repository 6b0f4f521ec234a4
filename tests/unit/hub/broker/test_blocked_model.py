"""Subscribers that stop reading and come back, against a model that knows only the promise.

Whatever the order of what happens, a subscription gets messages in the order in which they were published, each once at
most and none from before it began or after it ended; once all is read, `dropped` accounts for exactly those that it did not
get, and a connection whose subscriptions may not lose anything is given up instead.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub.broker.subscriber import SubscriberLimits
from tests.support.core import Hub, Peer

LIMIT = 20_000
PEERS = st.integers(0, 2)
KEYS = st.sampled_from("xyz")
POLICIES = st.sampled_from(["drop-oldest", "conflate", "disconnect"])
FILTERS = st.sampled_from(["t/0", "t/1", "t/+", "#"])
SIZES = st.sampled_from([1, 100, 3_000, 30_000])  # the last one is larger than the bound


class Expected:
    """What one subscription was owed since it began."""

    def __init__(self, topic_filter: str, policy: str) -> None:
        self.filter = topic_filter
        self.policy = policy
        self.owed: list[int] = []
        self.left: list[int] = []  # those that may still come
        self.got = 0
        self.told = 0  # as dropped


class Blocked(RuleBasedStateMachine):
    """The model: a list of numbers for each subscription."""

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub(client=SubscriberLimits(outbox_bytes=LIMIT))
        self.peers = [self.hub.peer() for _ in range(3)]
        self.expected: list[dict[str, Expected]] = [{} for _ in self.peers]
        self.ended: list[dict[str, Expected]] = [{} for _ in self.peers]  # may still get what was routed before
        self.topics: list[int] = []
        self.receipts: list[list[str]] = [[] for _ in self.peers]  # that are due
        self.asked = 0

    @rule(who=PEERS, key=KEYS, topic_filter=FILTERS, policy=POLICIES)
    def subscribe(self, who: int, key: str, topic_filter: str, policy: str) -> None:
        if key in self.expected[who] or key in self.ended[who]:
            return
        self.expected[who][key] = Expected(topic_filter, policy)
        self.command(who, f"SUBSCRIBE\nid:{key}\ndestination:/topic/{topic_filter}\non-slow:{policy}\n")

    @rule(who=PEERS, key=KEYS)
    def unsubscribe(self, who: int, key: str) -> None:
        if key not in self.expected[who]:
            return
        self.ended[who][key] = self.expected[who].pop(key)
        self.command(who, f"UNSUBSCRIBE\nid:{key}\n")

    @rule(topic=st.integers(0, 1), size=SIZES, count=st.integers(1, 12))
    def publish(self, topic: int, size: int, count: int) -> None:
        for _ in range(count):
            number = len(self.topics)
            self.topics.append(topic)
            for subscriptions in self.expected:
                for one in subscriptions.values():
                    if one.filter in {f"t/{topic}", "t/+", "#"}:
                        one.owed.append(number)
                        one.left.append(number)
            self.hub.publish(f"/topic/t/{topic}", b"%d " % number + b"x" * size)

    @rule()
    def flush(self) -> None:
        self.hub.settle()
        self.hub.broker.flush()

    @rule(who=PEERS)
    def stall(self, who: int) -> None:
        self.peers[who].wire.busy = True

    @rule(who=PEERS)
    def stall_after_the_next_write(self, who: int) -> None:
        self.peers[who].wire.busy_after_write = True

    @precondition(lambda self: any(peer.wire.busy for peer in self.peers))
    @rule(who=PEERS, whole=st.booleans())
    def read(self, who: int, whole: bool) -> None:
        peer = self.peers[who]
        if peer.wire.busy:
            peer.wire.busy_after_write = not whole
            peer.read_again()

    @rule(who=PEERS)
    def leave(self, who: int) -> None:
        self.peers[who].lose()
        self.replace(who)

    @invariant()
    def what_came_is_what_was_owed(self) -> None:
        for who, peer in enumerate(self.peers):
            if peer.closed:
                assert any(one.policy == "disconnect" for one in self.expected[who].values())
                self.replace(who)
            else:
                self.look(who, peer)

    def teardown(self) -> None:
        """Let everybody read all that waits: then nothing is missing."""
        for peer in self.peers:
            if not peer.closed:
                peer.wire.busy_after_write = False
                peer.read_again()
        self.hub.broker.flush()
        for topic in (0, 1):  # what was dropped last is told by the next message
            self.publish(topic, 1, 1)
        self.hub.broker.flush()
        self.what_came_is_what_was_owed()
        for who, subscriptions in enumerate(self.expected):
            assert not self.receipts[who]
            for one in subscriptions.values():
                assert one.got + one.told == len(one.owed), (who, one.filter, one.policy)
            assert 0 == self.peers[who].talk.waiting_bytes

    def command(self, who: int, lines: str) -> None:
        self.asked += 1
        self.receipts[who].append(f"r{self.asked}")
        self.peers[who].send(f"{lines}receipt:r{self.asked}\n\n^@")

    def replace(self, who: int) -> None:
        self.peers[who] = self.hub.peer()
        self.expected[who], self.ended[who], self.receipts[who] = {}, {}, []

    def look(self, who: int, peer: Peer) -> None:
        for frame in peer.written():
            headers = frame.headers
            if frame.command == "RECEIPT":
                assert self.receipts[who].pop(0) == headers["receipt-id"]
                continue
            assert frame.command == "MESSAGE", frame
            key = headers["subscription"]
            one = self.expected[who].get(key) or self.ended[who][key]
            one.told += int(headers.get("dropped", "0"))
            number = int(frame.body.split()[0])
            assert number in one.left, (who, key, number)
            del one.left[: one.left.index(number) + 1]
            assert f"/topic/t/{self.topics[number]}" == headers["destination"]
            one.got += 1
        if not self.receipts[who]:
            self.ended[who].clear()


Blocked.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestBlocked = Blocked.TestCase
