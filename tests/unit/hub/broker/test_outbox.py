"""The outbox: one write a flush, bounded in bytes while the peer does not read, by the policy of each subscription."""

from hypothesis import given
from hypothesis import strategies as st

from hub.broker.counters import Counters
from hub.broker.options import OnSlow
from hub.broker.outbox import CHUNK_BYTES, Joined, Outbox, Owed
from hub.broker.publication import Address, Cohort, Item, Publication, answer_item
from hub.stomp.dialects import V1_2
from hub.stomp.encoder import MessageEncoder
from hub.topics.destinations import parse_destination
from tests.support.core import Hub, ServerFrame, Wire, no_framing, server_frames

LIMIT = 10_000


class Rig:
    """An outbox with a wire and subscriptions by policy."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.wire = Wire()
        self.counters = Counters("e")
        self.subscriptions = {
            policy.value: Owed(
                Cohort(policy.value, MessageEncoder(policy.value, V1_2, no_framing, "e")), policy, self.counters
            )
            for policy in OnSlow
        }
        self.marks = 0
        self.left = 0
        self.outbox = Outbox(self.wire, limit, self.subscriptions, self._mark, self._park)
        self.number = 0

    def message(self, key: str, size: int = 100, topic: str = "/topic/a") -> Item:
        self.number += 1
        address = Address(parse_destination(topic))
        return self.subscriptions[key].cohort.item(Publication(address, self.number, b"x" * size))

    def push(self, *items: Item) -> None:
        self.outbox.pending += items
        self.outbox.flush(Joined())

    def written(self) -> list[ServerFrame]:
        self.wire.busy = False
        self.outbox.flush(Joined())
        assert 0 == self.outbox.backlog_bytes
        return server_frames(self.wire.data, V1_2)

    def _mark(self, outbox: Outbox) -> None:
        self.marks += outbox is self.outbox

    def _park(self, parked: bool) -> None:
        self.left += parked


def number_of(frame: ServerFrame) -> int:
    return int(frame.headers["message-id"].removeprefix("e-"))


def numbers(frames: list[ServerFrame]) -> list[int]:
    return [number_of(frame) for frame in frames]


def test_frames_of_a_tick_are_one_write_in_order() -> None:
    rig = Rig()
    rig.push(*[rig.message("conflate") for _ in range(5)])
    assert (1, [1, 2, 3, 4, 5]) == (rig.wire.writes, numbers(rig.written()))


def test_connections_with_the_same_frames_share_the_joined_octets() -> None:
    first, second = Rig(), Rig()
    items = [first.message("conflate") for _ in range(3)]
    joined = Joined()
    for rig in (first, second):
        rig.outbox.pending += items
        rig.outbox.flush(joined)
    assert first.wire.data is second.wire.data
    third = Rig()
    third.outbox.pending += items[:2]
    third.outbox.flush(joined)
    assert [1, 2] == numbers(third.written())


def test_nothing_is_written_to_a_busy_wire_and_all_of_it_later() -> None:
    rig = Rig()
    rig.wire.busy = True
    rig.push(rig.message("conflate"))
    rig.push(rig.message("conflate", topic="/topic/b"))
    assert (b"", True) == (rig.wire.data, rig.outbox.congested)
    assert [1, 2] == numbers(rig.written())
    assert not rig.outbox.congested


def test_much_is_handed_over_in_chunks() -> None:
    rig = Rig(limit=100 * CHUNK_BYTES)
    rig.push(*[rig.message("disconnect", CHUNK_BYTES // 4) for _ in range(20)])
    assert list(range(1, 21)) == numbers(rig.written())
    assert rig.wire.writes > 4


def test_conflate_keeps_the_newest_of_each_topic_and_tells_what_was_skipped() -> None:
    rig = Rig()
    rig.wire.busy = True
    for turn in range(100):
        rig.push(*[rig.message("conflate", topic=f"/topic/{topic}") for topic in range(3)])
        assert rig.outbox.backlog_bytes <= LIMIT, turn
    assert rig.outbox.shedding
    frames = rig.written()
    # The newest of each topic is there, in order, and each message is accounted for.
    newest = {frame.headers["destination"]: number_of(frame) for frame in frames}
    assert {"/topic/0": 298, "/topic/1": 299, "/topic/2": 300} == newest
    assert sorted(numbers(frames)) == numbers(frames)
    assert 300 == len(frames) + sum(int(frame.headers.get("dropped", 0)) for frame in frames)
    assert {"conflated": 300 - len(frames)} == rig.counters.dropped
    assert not rig.outbox.shedding


def test_drop_oldest_keeps_the_newest_messages_and_tells_how_many_are_gone() -> None:
    rig = Rig()
    rig.wire.busy = True
    for _ in range(300):
        rig.push(rig.message("drop-oldest"))
    frames = rig.written()
    assert numbers(frames) == list(range(301 - len(frames), 301))
    assert str(300 - len(frames)) == frames[0].headers["dropped"]
    assert all("dropped" not in frame.headers for frame in frames[1:])
    assert {"drop-oldest": 300 - len(frames)} == rig.counters.dropped


def test_a_count_that_could_not_be_told_is_told_on_the_next_message() -> None:
    rig = Rig()
    rig.subscriptions["drop-oldest"].drop(3, "x")
    rig.outbox.owing = True
    rig.push(answer_item(b"\n"))
    rig.push(rig.message("drop-oldest"), rig.message("drop-oldest"))
    assert ["\n", "3", None] == [frame.headers.get("dropped", None) or frame.command for frame in rig.written()[:2]] + [
        None
    ]
    assert not rig.outbox.owing


def test_a_count_on_a_message_that_is_dropped_itself_is_not_forgotten() -> None:
    rig = Rig()
    rig.wire.busy = True
    address = Address(parse_destination("/topic/a"))
    rig.push(rig.subscriptions["drop-oldest"].cohort.item_with(Publication(address, 0, b""), (), None, told=5))
    for _ in range(300):
        rig.push(rig.message("drop-oldest"))
    frames = rig.written()
    assert 0 not in numbers(frames)
    assert 301 - len(frames) + 5 == int(frames[0].headers["dropped"])


def test_what_may_not_be_dropped_ends_the_connection_once_it_is_too_much() -> None:
    rig = Rig()
    rig.wire.busy = True
    for _ in range(10):
        rig.push(rig.message("disconnect", 800))
    assert 0 == rig.wire.overflows
    for _ in range(3):
        rig.push(rig.message("disconnect", 800))
    assert rig.wire.overflows
    assert 0 == rig.subscriptions["disconnect"].dropped


def test_receipts_are_never_dropped_and_what_may_be_goes_first() -> None:
    rig = Rig()
    rig.wire.busy = True
    for _ in range(200):
        rig.push(rig.message("drop-oldest"), answer_item(b"RECEIPT\nreceipt-id:1\n\n\0"))
    assert 0 == rig.wire.overflows
    assert 200 == sum(frame.command == "RECEIPT" for frame in rig.written())


def test_unsubscribing_takes_back_what_was_not_written_in_order() -> None:
    rig = Rig()
    rig.wire.busy = True
    rig.push(*[rig.message(key) for key in ("conflate", "disconnect", "conflate")], answer_item(b"\n"))
    taken = rig.outbox.discard("conflate")
    assert [1, 3] == [item.publication.number for item in taken if item.publication]
    assert ["MESSAGE", "\n"] == [frame.command for frame in rig.written()]
    assert [] == rig.outbox.discard("conflate")


def test_leaving_takes_back_all_messages_and_no_answer() -> None:
    rig = Rig()
    rig.wire.busy = True
    rig.push(rig.message("conflate"), answer_item(b"\n"))
    pending = rig.outbox.pending
    pending += [rig.message("disconnect"), answer_item(b"\n")]
    taken = rig.outbox.take_messages()
    assert [1, 2] == [item.publication.number for item in taken if item.publication]
    assert pending is rig.outbox.pending
    assert ["\n", "\n"] == [frame.command for frame in rig.written()]


_steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["conflate", "drop-oldest"]), st.integers(0, 3), st.sampled_from([10, 300, 2_000])),
        st.sampled_from(["receipt", "stall", "read"]),
    ),
    max_size=80,
)


@given(_steps)
def test_every_message_is_written_once_in_order_or_counted_and_told(
    steps: list[tuple[str, int, int] | str],
) -> None:
    rig = Rig(limit=5_000)
    receipts = 0
    for step in steps:
        if step == "stall":
            rig.wire.busy = True
        elif step == "read":
            rig.written()
        elif step == "receipt":
            receipts += 1
            rig.push(answer_item(b"\n"))
        elif not isinstance(step, str):
            rig.push(rig.message(step[0], step[2], f"/topic/{step[1]}"))
        assert rig.outbox.backlog_bytes <= 5_000 or rig.wire.overflows
    frames = rig.written()
    messages = [frame for frame in frames if frame.command == "MESSAGE"]
    assert sorted(set(numbers(messages))) == numbers(messages)
    assert receipts == len(frames) - len(messages)
    told = sum(int(frame.headers.get("dropped", 0)) for frame in messages)
    untold = sum(subscription.dropped for subscription in rig.subscriptions.values())
    skipped = sum(rig.counters.dropped.values())
    assert rig.number == len(messages) + skipped
    assert skipped == told + untold


def test_a_peer_that_reads_again_gets_its_next_frame_at_once_though_nothing_waited() -> None:
    hub = Hub()
    peer = hub.peer()
    peer.send("SUBSCRIBE\nid:s\ndestination:/topic/a\n\n^@")
    peer.wire.busy_after_write = True
    peer.send("SEND\ndestination:/topic/a\n\n1^@")
    assert ["1"] == [frame.body.decode() for frame in peer.messages()]
    peer.read_again()
    peer.send("SEND\ndestination:/topic/a\n\n2^@")
    assert ["2"] == [frame.body.decode() for frame in peer.messages()]


def test_a_message_that_waits_alone_is_never_too_much() -> None:
    for key in ("disconnect", "drop-oldest", "conflate"):
        rig = Rig()
        rig.wire.busy = True
        rig.push(rig.message(key, 2 * LIMIT))
        assert (0, {}) == (rig.wire.overflows, rig.counters.dropped)
        assert [1] == numbers(rig.written())


def test_plain_subscriptions_leave_the_fan_out_once_while_the_peer_does_not_read() -> None:
    rig = Rig()
    rig.wire.busy_after_write = True
    rig.push(rig.message("disconnect"))
    rig.push(rig.message("disconnect"))
    assert (1, True) == (rig.left, rig.outbox.parked)
