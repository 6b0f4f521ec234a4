"""One connection at the broker: sections 4 to 9 of the STOMP reference, and the exchanges of its section 16."""

import pytest

from hub.broker.broker import BrokerLimits
from hub.broker.subscriber import SubscriberLimits
from hub.topics.names import FilterLimits
from tests.support.core import Hub, Peer

VERSIONS = ["1.0", "1.1", "1.2"]


def subscribe(peer: Peer, key: str, destination: str, *lines: str) -> None:
    peer.send(f"SUBSCRIBE\nid:{key}\ndestination:{destination}\n{''.join(line + chr(10) for line in lines)}\n^@")


def publish(peer: Peer, destination: str, body: object, *lines: str) -> None:
    peer.send(f"SEND\ndestination:{destination}\n{''.join(line + chr(10) for line in lines)}\n{body}^@")


def refusal(peer: Peer) -> tuple[str, str | None]:
    return peer.refusal()


def bodies(peer: Peer) -> list[str]:
    return [frame.body.decode() for frame in peer.messages()]


# The exchanges.


def test_exchange_a_frames_are_found_in_any_pieces() -> None:
    peer = Hub().peer()
    subscribe(peer, "s", "/topic/a/b")
    peer.send("\nSEND\ndestination:/topic/a/b\n\none^@\nSEND\ndestination:/topic/a/b\n\ntwo^@\n")
    peer.send("SEND\ndestina")
    peer.send("tion:/topic/a/b\ncontent-length:7\n\nx^@y")
    peer.send("^@abc^@")
    assert [b"one", b"two", b"x\0y\0abc"] == [frame.body for frame in peer.messages()]


def test_exchange_b_escapes_of_1_2_pass_through() -> None:
    peer = Hub().peer()
    subscribe(peer, "s", "/topic/e")
    peer.send("SEND\ndestination:/topic/e\nk\\ce\\\\y:a\\nb\\rc\\\\nd\n\n^@")
    assert "a\nb\rc\\nd" == peer.messages()[0].headers["k:e\\y"]
    assert rb"k\ce\\y:a\nb\rc\\nd" in peer.wire.data


def test_exchange_c_the_first_header_wins() -> None:
    peer = Hub().peer()
    subscribe(peer, "x", "/topic/x")
    subscribe(peer, "y", "/topic/y")
    peer.send("SEND\ndestination:/topic/x\ndestination:/topic/y\nv:1\nv:2\n\n^@")
    (frame,) = peer.messages()
    assert ("x", "1") == (frame.headers["subscription"], frame.headers["v"])


def test_exchange_d_a_queue_with_nack_and_redelivery() -> None:
    hub = Hub()
    peer = hub.peer()
    publish(hub.peer(), "/queue/jobs", "a")
    subscribe(peer, "sub-0", "/queue/jobs", "ack:client", "receipt:r1")
    receipt, message = peer.frames()
    assert ("RECEIPT", {"receipt-id": "r1"}) == (receipt.command, receipt.headers)
    assert ["subscription", "ack", "redelivered", "message-id", "destination", "content-length"] == [
        name for name, _ in message.items
    ]
    peer.send(f"NACK\nid:{message.headers['ack']}\n\n^@")
    (again,) = peer.messages()
    assert "true" == again.headers["redelivered"]
    peer.send(f"ACK\nid:{again.headers['ack']}\n\n^@")
    peer.send(f"ACK\nid:{again.headers['ack']}\nreceipt:r2\n\n^@")
    error = peer.error()
    assert ("Unknown ack id", "r2") == (error.headers["message"].partition(" (")[0], error.headers["receipt-id"])
    assert again.headers["ack"].encode() in error.body


def test_exchange_e_receipts_of_a_transaction_come_after_commit() -> None:
    for end, receipts in (("COMMIT", ["s1", "c1"]), ("ABORT", ["c1"])):
        peer = Hub().peer()
        subscribe(peer, "s", "/topic/a")
        peer.send("BEGIN\ntransaction:t1\n\n^@SEND\ndestination:/topic/a\ntransaction:t1\nreceipt:s1\n\n1^@")
        assert [] == peer.frames()
        peer.send(f"{end}\ntransaction:t1\nreceipt:c1\n\n^@")
        frames = peer.frames()
        assert receipts == [frame.headers["receipt-id"] for frame in frames if frame.command == "RECEIPT"]
        assert [frame.command for frame in frames].count("MESSAGE") == (end == "COMMIT")


def test_exchange_f_a_1_0_client_needs_no_id_and_no_escapes() -> None:
    hub = Hub()
    peer = hub.peer("1.0")
    peer.send("SUBSCRIBE\ndestination:/topic/t:1\nack:client\n\n^@")
    publish(hub.peer(), "/topic/t\\c1", "hi")
    (frame,) = peer.messages()
    assert {"message-id", "destination", "content-length"} == set(frame.headers)
    assert b"destination:/topic/t:1\n" in peer.wire.data
    peer.send(f"ACK\nmessage-id:{frame.headers['message-id']}\n\n^@UNSUBSCRIBE\ndestination:/topic/t:1\n\n^@")
    publish(hub.peer(), "/topic/t\\c1", "hi")
    assert [] == peer.frames()


def test_exchange_g_the_receipt_of_disconnect_is_last() -> None:
    peer = Hub().peer()
    subscribe(peer, "s", "/topic/a")
    publish(peer, "/topic/a", "x")
    peer.send("DISCONNECT\nreceipt:close-3\n\n^@SEND\ndestination:/topic/a\n\ny^@")
    assert [("MESSAGE", b"x"), ("RECEIPT", b"")] == [(frame.command, frame.body) for frame in peer.frames()]


# Destinations.


@pytest.mark.parametrize(
    "destination",
    ["", "/topic/", "/topic/+", "/topic/a/#", "/topic/a+b", "/queue/", "/temp-queue/", "/user/queue/errors", "a",
     "/exchange/a", "topic/a", "/TOPIC/a", "/topic", "/topic/" + "/".join(["x"] * 65)],
)  # fmt: skip
def test_a_send_that_cannot_be_routed_is_an_error_at_once_in_a_transaction_too(destination: str) -> None:
    for lines in ("", "transaction:t\n"):
        peer = Hub().peer()
        peer.send("BEGIN\ntransaction:t\n\n^@")
        peer.send(f"SEND\ndestination:{destination}\nreceipt:r\n{lines}\n^@")
        assert "r" == peer.error().headers["receipt-id"]


@pytest.mark.parametrize("destination", ["/topic/$SYS/hub/x", "/topic/readings/d/m"])
def test_what_only_the_hub_publishes_cannot_be_sent(destination: str) -> None:
    for lines in ("", "transaction:t\n"):
        peer = Hub().peer()
        peer.send(f"BEGIN\ntransaction:t\n\n^@SEND\ndestination:{destination}\nreceipt:r\n{lines}\n^@")
        assert ("Not allowed", "r") == refusal(peer)


@pytest.mark.parametrize(
    "destination",
    ["/topic/a+/b", "/topic/#/a", "/topic/#/#/#", "/topic/a#", "/topic/", "/queue/", "/exchange/x", "/topic",
     "/topic/" + "/".join(["+"] * 64), "/topic/" + "/".join(["x"] * 1_000)],
)  # fmt: skip
def test_a_subscribe_that_is_not_legal_is_an_error(destination: str) -> None:
    peer = Hub().peer()
    subscribe(peer, "s", destination, "receipt:r")
    assert ("Bad destination", "r") == refusal(peer)


@pytest.mark.parametrize(
    "topic",
    [
        "/topic//sonoff03/dht22/temperature",
        "/topic/rtl_433//FT-004B/temperature_C",
        "/topic/a b ",
        "/topic/a.b.c",
        "/topic/*",
    ],
)
def test_a_topic_is_carried_unchanged(topic: str) -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "s", "/topic/#")
    publish(peer, topic, "x")
    assert topic == peer.messages()[0].headers["destination"]


# SEND and MESSAGE.


@pytest.mark.parametrize("version", VERSIONS)
def test_user_headers_pass_and_what_the_server_owns_cannot_be_forged(version: str) -> None:
    hub = Hub()
    peer = hub.peer(version)
    subscribe(peer, "mine", "/topic/a")
    forged = ["subscription:other", "ack:a1", "redelivered:true", "dropped:9", "receipt-id:x", "passcode:p", "login:l",
              "Authorization:b", "content-length:2"]  # fmt: skip
    passing = ["version:9", "server:s", "session:t", "content-type:text/plain", "persistent:true", "k:v"]
    publish(hub.peer(), "/topic/a", "hi", *forged, *passing)
    (frame,) = peer.messages()
    expected = {"subscription": "mine", "destination": "/topic/a", "content-length": "2"}
    expected |= dict(line.split(":", 1) for line in passing)
    assert expected == {name: value for name, value in frame.headers.items() if name != "message-id"}


def test_a_message_id_of_a_client_is_refused() -> None:
    peer = Hub().peer()
    publish(peer, "/topic/a", "x", "message-id:7", "receipt:r")
    assert ("Bad header", "r") == refusal(peer)


def test_what_1_0_and_1_1_cannot_say_becomes_a_space() -> None:
    hub = Hub()
    peers = {version: hub.peer(version) for version in VERSIONS}
    for peer in peers.values():
        subscribe(peer, "s", "/topic/#")
    publish(hub.peer(), "/topic/a\\nb", "x", "k:1\\r2\\n3")
    expected = {"1.0": ("/topic/a b", "1 2 3"), "1.1": ("/topic/a\nb", "1 2\n3"), "1.2": ("/topic/a\nb", "1\r2\n3")}
    for version, peer in peers.items():
        (frame,) = peer.messages()
        assert expected[version] == (frame.headers["destination"], frame.headers["k"])


def test_a_receipt_is_answered_on_every_frame_and_as_often_as_asked() -> None:
    peer = Hub().peer()
    peer.send(
        "BEGIN\ntransaction:t\nreceipt:1\n\n^@ABORT\ntransaction:t\nreceipt:2\n\n^@"
        "SUBSCRIBE\nid:s\ndestination:/topic/a\nack:client\nreceipt:3\n\n^@SEND\ndestination:/topic/b\nreceipt:3\n\n^@"
        "UNSUBSCRIBE\nid:s\nreceipt:a\\cb\n\n^@DISCONNECT\nreceipt:6\n\n^@"
    )
    assert ["1", "2", "3", "3", "a:b", "6"] == [frame.headers["receipt-id"] for frame in peer.frames()]


# SUBSCRIBE and UNSUBSCRIBE.


@pytest.mark.parametrize("version", VERSIONS)
def test_a_duplicate_id_is_an_error_and_a_second_id_a_second_subscription(version: str) -> None:
    peer = Hub().peer(version)
    subscribe(peer, "1", "/topic/a")
    subscribe(peer, "2", "/topic/a")
    publish(peer, "/topic/a", "x")
    assert ["1", "2"] == [frame.headers["subscription"] for frame in peer.messages()]
    subscribe(peer, "1", "/topic/b", "receipt:r")
    assert ("Duplicate subscription", "r") == refusal(peer)


def test_a_1_0_subscription_without_id_is_one_for_its_destination() -> None:
    hub = Hub()
    peer = hub.peer("1.0")
    peer.send("SUBSCRIBE\ndestination:/topic/a\n\n^@SUBSCRIBE\ndestination:/topic/b\n\n^@")
    subscribe(peer, "/topic/a", "/topic/a")
    publish(peer, "/topic/a", "x")
    assert [None, "/topic/a"] == [frame.headers.get("subscription") for frame in peer.messages()]
    peer.send("UNSUBSCRIBE\ndestination:/topic/a\n\n^@")
    publish(peer, "/topic/a", "y")
    publish(peer, "/topic/b", "z")
    assert ["y", "z"] == bodies(peer)
    peer.send("SUBSCRIBE\ndestination:/topic/b\n\n^@")
    assert "Duplicate subscription" == peer.refusal()[0]


@pytest.mark.parametrize(
    ("version", "frame"),
    [("1.2", "id:9"), ("1.1", "id:9"), ("1.0", "id:9"), ("1.0", "destination:/topic/other")],
)
def test_unsubscribing_what_is_unknown_is_an_error(version: str, frame: str) -> None:
    peer = Hub().peer(version)
    subscribe(peer, "1", "/topic/a")
    peer.send(f"UNSUBSCRIBE\n{frame}\nreceipt:r-42\n\n^@")
    assert ("Unknown subscription", "r-42") == refusal(peer)


def test_the_receipt_of_subscribe_comes_before_its_first_message() -> None:
    hub = Hub()
    peer = hub.peer()
    publish(peer, "/topic/a", "last")
    publish(peer, "/queue/q", "job")
    subscribe(peer, "1", "/topic/a", "replay:last", "receipt:r1")
    subscribe(peer, "2", "/queue/q", "receipt:r2")
    assert ["RECEIPT", "MESSAGE", "RECEIPT", "MESSAGE"] == [frame.command for frame in peer.frames()]


def test_after_unsubscribe_nothing_more_is_written_and_the_id_is_free() -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "1", "/topic/a")
    peer.stall()
    publish(hub.peer(), "/topic/a", "waits")
    hub.broker.flush()
    peer.send("UNSUBSCRIBE\nid:1\n\n^@SEND\ndestination:/topic/a\n\nlater^@")
    peer.read_again()
    assert [] == peer.frames()
    subscribe(peer, "1", "/topic/b")
    publish(peer, "/topic/b", "new")
    assert ["new"] == bodies(peer)


def test_what_waited_behind_a_full_window_is_not_written_after_unsubscribe() -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "1", "/topic/a", "ack:client", "prefetch-count:1")
    publish(peer, "/topic/a", "one")
    publish(peer, "/topic/a", "two")
    (frame,) = peer.messages()
    peer.send(f"UNSUBSCRIBE\nid:1\n\n^@ACK\nid:{frame.headers['ack']}\n\n^@")
    assert [] == peer.frames()


def test_subscriptions_are_bounded_in_number_and_their_ids_in_length() -> None:
    hub = Hub(client=SubscriberLimits(subscriptions=2, subscription_id_chars=5))
    peer = hub.peer()
    for key in "123":
        subscribe(peer, key, "/topic/a")
    assert "Too many subscriptions" == peer.refusal()[0]
    peer = hub.peer()
    subscribe(peer, "123456", "/topic/a")
    assert "Bad header" == peer.refusal()[0]
    assert 0 == hub.broker.subscriptions


def test_wildcards_and_levels_of_a_filter_are_bounded() -> None:
    hub = Hub(broker=BrokerLimits(filters=FilterLimits(levels=4, wildcards=2)))
    for destination in ("/topic/+/+/+", "/topic/a/b/c/d/e"):
        peer = hub.peer()
        subscribe(peer, "1", destination)
        assert "Bad destination" == peer.refusal()[0]


@pytest.mark.parametrize("key", ["a\\cb", "", "é", " x ", "__proto__"])
def test_a_subscription_id_is_echoed_as_it_came(key: str) -> None:
    peer = Hub().peer()
    subscribe(peer, key, "/topic/a")
    publish(peer, "/topic/a", "x")
    assert key.replace("\\c", ":") == peer.messages()[0].headers["subscription"]


# ACK and NACK (7, 7.1).


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_an_unknown_ack_id_is_an_error_that_says_why(version: str, command: str) -> None:
    peer = Hub().peer(version)
    peer.send(f"{command}\n{'id' if version == '1.2' else 'message-id'}:e-a77\nreceipt:r\n\n^@")
    error = peer.error()
    assert ("Unknown ack id", "r") == (error.headers["message"].partition(" (")[0], error.headers["receipt-id"])
    assert b'"e-a77"' in error.body
    assert b"already" in error.body


def test_an_ack_id_of_an_earlier_run_of_the_hub_is_known_as_such() -> None:
    peer = Hub().peer()
    peer.send("ACK\nid:0badcafe-a5\n\n^@")
    assert b"after a restart messages come again" in peer.error().body


@pytest.mark.parametrize("version", VERSIONS)
def test_both_modes_work_in_each_version(version: str) -> None:
    for mode, left in (("client", ["2"]), ("client-individual", ["0", "2"])):
        hub = Hub()
        peer = hub.peer(version)
        subscribe(peer, "s", "/queue/q", f"ack:{mode}")
        for number in range(3):
            publish(hub.peer(), "/queue/q", number)
        frame = peer.messages()[1]
        assert ("ack" in frame.headers) == (version == "1.2")
        key = f"id:{frame.headers['ack']}" if version == "1.2" else f"message-id:{frame.headers['message-id']}"
        peer.send(f"ACK\n{key}\nsubscription:whatever\n\n^@")
        peer.lose()
        other = hub.peer()
        subscribe(other, "s", "/queue/q")
        assert left == bodies(other)


def test_a_message_of_an_auto_subscription_cannot_be_acknowledged() -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "s", "/topic/a")
    publish(peer, "/topic/a", "x")
    peer.send(f"ACK\nid:{peer.messages()[0].headers['message-id']}\n\n^@")
    assert "Unknown ack id" == peer.refusal()[0]


def test_ids_of_another_connection_are_unknown() -> None:
    hub = Hub()
    first, second = hub.peer(), hub.peer()
    subscribe(first, "s", "/queue/q", "ack:client")
    publish(second, "/queue/q", "x")
    second.send(f"ACK\nid:{first.messages()[0].headers['ack']}\n\n^@")
    assert "Unknown ack id" == second.refusal()[0]


def test_cumulative_acknowledgement_stays_within_its_subscription() -> None:
    hub = Hub()
    peer = hub.peer()
    for key in "ab":
        subscribe(peer, key, "/topic/t", "ack:client")
    publish(peer, "/topic/t", "x")
    first, second = peer.messages()
    assert first.headers["message-id"] != second.headers["message-id"]
    peer.send(f"ACK\nid:{second.headers['ack']}\n\n^@ACK\nid:{first.headers['ack']}\n\n^@")
    assert [] == peer.frames()


@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_on_topics_an_answer_frees_prefetch_and_nothing_comes_again(command: str) -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "s", "/topic/t", "ack:client-individual", "prefetch-count:2")
    for number in range(4):
        publish(peer, "/topic/t", number)
    first, second = peer.messages()
    assert "redelivered" not in first.headers
    peer.send(f"{command}\nid:{second.headers['ack']}\n\n^@")
    assert ["2"] == bodies(peer)
    peer.send(f"{command}\nid:{first.headers['ack']}\n\n^@")
    assert ["3"] == bodies(peer)


def test_acknowledgements_of_a_transaction_count_at_commit_and_abort_undoes_them() -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "s", "/queue/q", "ack:client", "prefetch-count:2")
    for number in range(3):
        publish(hub.peer(), "/queue/q", number)
    first, second = peer.messages()
    acks = "".join(
        f"ACK\nid:{frame.headers['ack']}\ntransaction:t\nreceipt:{frame.body.decode()}\n\n^@"
        for frame in (second, first)
    )
    peer.send("BEGIN\ntransaction:t\n\n^@" + acks + "ABORT\ntransaction:t\n\n^@")
    assert [] == peer.frames()
    # The second one is covered by the first, and absorbed.
    peer.send("BEGIN\ntransaction:t\n\n^@" + acks + "COMMIT\ntransaction:t\nreceipt:c\n\n^@")
    frames = peer.frames()
    assert ["1", "0", "c"] == [frame.headers["receipt-id"] for frame in frames if frame.command == "RECEIPT"]
    assert [b"2"] == [frame.body for frame in frames if frame.command == "MESSAGE"]


def test_a_commit_with_an_unknown_acknowledgement_does_nothing() -> None:
    hub = Hub()
    peer, watcher = hub.peer(), hub.peer()
    subscribe(watcher, "s", "/topic/a")
    peer.send(
        "BEGIN\ntransaction:t\n\n^@SEND\ndestination:/topic/a\ntransaction:t\n\nx^@ACK\nid:9\ntransaction:t\n\n^@"
    )
    peer.send("COMMIT\ntransaction:t\nreceipt:c\n\n^@")
    assert "Unknown ack id" == peer.refusal()[0]
    assert [] == watcher.frames()


def test_nothing_of_a_transaction_is_visible_before_commit_and_a_lost_one_never() -> None:
    hub = Hub()
    peer, watcher = hub.peer(), hub.peer()
    subscribe(watcher, "s", "/topic/#")
    begin = "BEGIN\ntransaction:t\n\n^@" + "".join(
        f"SEND\ndestination:/topic/{name}\ntransaction:t\n\n{name}^@" for name in "abc"
    )
    peer.send(begin)
    assert [] == watcher.frames()
    peer.send("COMMIT\ntransaction:t\n\n^@")
    assert ["a", "b", "c"] == bodies(watcher)
    peer.send(begin + "DISCONNECT\n\n^@")
    assert [] == watcher.frames()


# Request and reply.


def test_an_answer_comes_to_the_temporary_queue_of_who_asked() -> None:
    hub = Hub()
    asker, answerer = hub.peer(), hub.peer()
    subscribe(answerer, "s", "/queue/service")
    publish(asker, "/queue/service", "?", "reply-to:/temp-queue/me")
    (question,) = answerer.messages()
    publish(answerer, question.headers["reply-to"], "!")
    (answer,) = asker.messages()
    assert ("/temp-queue/me", "!") == (answer.headers["subscription"], answer.body.decode())


def test_a_temporary_queue_ends_with_its_owner_and_late_answers_are_counted() -> None:
    hub = Hub()
    asker, answerer = hub.peer(), hub.peer()
    subscribe(answerer, "s", "/queue/service")
    publish(asker, "/queue/service", "?", "reply-to:/temp-queue/me")
    (question,) = answerer.messages()
    asker.stall()
    for _ in range(3):
        publish(answerer, question.headers["reply-to"], "!")
    asker.lose()
    assert ["/queue/service"] == [destination.text for destination in hub.broker.queues]
    publish(answerer, question.headers["reply-to"], "!")
    assert [] == answerer.frames()
    assert hub.broker.counters.dropped["reply-gone"] >= 1


# Slow peers.


def test_a_slow_subscriber_is_told_what_it_missed_and_slows_nobody() -> None:
    hub = Hub(client=SubscriberLimits(outbox_bytes=20_000))
    slow, quick = hub.peer(), hub.peer()
    for peer in (slow, quick):
        subscribe(peer, "sub-0", "/topic/a")
    slow.stall()
    for number in range(1_000):
        publish(quick, "/topic/a", number)
        hub.broker.flush()
    assert 1_000 == len(quick.messages())
    slow.read_again()
    frames = slow.messages()
    assert "999" == frames[-1].body.decode()
    assert 1_000 == len(frames) + sum(int(frame.headers.get("dropped", 0)) for frame in frames)


def test_who_must_not_miss_anything_is_given_up_instead() -> None:
    hub = Hub(client=SubscriberLimits(outbox_bytes=20_000))
    peer = hub.peer()
    subscribe(peer, "s", "/topic/a", "on-slow:disconnect")
    subscribe(peer, "t", "/topic/a", "ack:client", "prefetch-count:5")
    peer.stall()
    for number in range(1_000):
        publish(hub.peer(), "/topic/a", number)
        hub.broker.flush()
    assert peer.closed
    assert 1 == hub.broker.counters.slow_consumers
    assert 0 == hub.broker.subscriptions


@pytest.mark.parametrize(("policy", "reason"), [("conflate", "conflated"), ("drop-oldest", "drop-oldest")])
def test_what_waits_for_acknowledgement_is_bounded_by_the_policy(policy: str, reason: str) -> None:
    hub = Hub(client=SubscriberLimits(outbox_bytes=5_000))
    peer = hub.peer()
    subscribe(peer, "s", "/topic/#", "ack:client", "prefetch-count:1", f"on-slow:{policy}")
    for number in range(100):
        publish(hub.peer(), f"/topic/{number % 2}", number)
    seen = []
    while frames := peer.messages():
        seen += frames
        peer.send(f"ACK\nid:{frames[-1].headers['ack']}\n\n^@")
    assert "99" == seen[-1].body.decode()
    assert 100 == len(seen) + sum(int(frame.headers.get("dropped", 0)) for frame in seen)
    assert {reason} == set(hub.broker.counters.dropped)


@pytest.mark.parametrize("at_once", [1, 3])
def test_answers_that_nobody_reads_are_bounded_however_slowly_they_are_asked_for(at_once: int) -> None:
    """A stalled peer's few frames are left aside at a flush; they still count once they are many."""
    hub = Hub(client=SubscriberLimits(outbox_bytes=20_000))
    peer = hub.peer()
    peer.stall()
    for number in range(1_000):
        for _ in range(at_once):
            publish(peer, "/topic/a", number, f"receipt:{number:0100}")
        hub.broker.flush()
    assert peer.closed
    assert 1 == hub.broker.counters.slow_consumers
