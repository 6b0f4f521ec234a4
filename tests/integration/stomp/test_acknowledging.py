"""ACK, NACK and what is unusual about them, transactions, subscriptions: section 6 to 8 of the STOMP reference."""

import uuid
from collections.abc import Callable

import pytest

from tests.support.raw_stomp import RawStomp, ServerFrame

Dial = Callable[[], RawStomp]


@pytest.fixture
def name() -> str:
    """A name of this test's own, for topics and queues on the shared hub."""
    return uuid.uuid4().hex[:8]


def subscribe(client: RawStomp, destination: str, *headers: str, key: str = "s") -> None:
    client.send("\n".join(["SUBSCRIBE", f"id:{key}", f"destination:{destination}", *headers, "receipt:sub", "", "^@"]))
    client.expect("RECEIPT", receipt_id="sub")


def opened(dial: Dial, version: str = "1.2") -> RawStomp:
    client = dial()
    client.connect(version)
    return client


def put(client: RawStomp, destination: str, *bodies: str) -> None:
    client.send("".join(f"SEND\ndestination:{destination}\n\n{body}^@" for body in bodies))


def take(client: RawStomp, count: int) -> list[ServerFrame]:
    return [client.expect("MESSAGE") for _ in range(count)]


def bodies(frames: list[ServerFrame]) -> list[bytes]:
    return [frame.body for frame in frames]


def settle(version: str, command: str, message: ServerFrame, *headers: str) -> str:
    key = f"id:{message.headers['ack']}" if version == "1.2" else f"message-id:{message.headers['message-id']}"
    return "\n".join([command, key, *headers, "", "^@"])


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_client_mode_is_cumulative_in_every_version(dial: Dial, name: str, version: str) -> None:
    client, other = opened(dial, version), opened(dial)
    subscribe(client, f"/queue/{name}", "ack:client")
    put(client, f"/queue/{name}", "1", "2", "3")
    messages = take(client, 3)

    client.send(settle(version, "ACK", messages[1]))
    client.round_trip()
    client.send("DISCONNECT\nreceipt:bye\n\n^@")
    client.expect("RECEIPT", receipt_id="bye")

    subscribe(other, f"/queue/{name}")
    assert [(b"3", "true")] == [(frame.body, frame.headers["redelivered"]) for frame in take(other, 1)]
    assert [] == other.round_trip()


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_client_individual_settles_one(dial: Dial, name: str, version: str) -> None:
    client, other = opened(dial, version), opened(dial)
    subscribe(client, f"/queue/{name}", "ack:client-individual")
    put(client, f"/queue/{name}", "1", "2", "3")
    messages = take(client, 3)

    client.send(settle(version, "ACK", messages[1]))
    client.round_trip()
    client.octets.close()

    subscribe(other, f"/queue/{name}")
    assert [b"1", b"3"] == bodies(take(other, 2))


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_a_nack_redelivers_and_requeue_false_discards(dial: Dial, name: str, version: str) -> None:
    client = opened(dial, version)
    subscribe(client, f"/queue/{name}", "ack:client-individual")
    put(client, f"/queue/{name}", "1")

    client.send(settle(version, "NACK", take(client, 1)[0]))
    again = take(client, 1)[0]
    assert "true" == again.headers["redelivered"]
    client.send(settle(version, "NACK", again, "requeue:false"))

    assert [] == client.round_trip()


def test_after_twenty_deliveries_a_message_goes_to_the_dead_letters(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/queue/{name}", "ack:client")
    put(client, f"/queue/{name}", "poison")

    for _ in range(20):
        client.send(settle("1.2", "NACK", take(client, 1)[0]))
    assert [] == client.round_trip()

    subscribe(client, f"/queue/$dead/{name}", key="dead")
    assert [b"poison"] == bodies(take(client, 1))


def test_consumers_take_turns_and_prefetch_bounds_each(dial: Dial, name: str) -> None:
    one, two = opened(dial), opened(dial)
    subscribe(one, f"/queue/{name}", "ack:client", "prefetch-count:2")
    subscribe(two, f"/queue/{name}", "ack:client", "prefetch-count:2")

    put(one, f"/queue/{name}", *"123456")
    first = one.round_trip()
    second = two.round_trip()

    assert ([b"1", b"3"], [b"2", b"4"]) == (bodies(first), bodies(second))
    two.send(settle("1.2", "ACK", second[1]))
    assert [b"5", b"6"] == bodies(take(two, 2))


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_an_unknown_id_is_an_error(dial: Dial, version: str, command: str) -> None:
    client = opened(dial, version)
    key = "id" if version == "1.2" else "message-id"
    client.send(f"{command}\n{key}:4711\nsubscription:s\nreceipt:r\n\n^@")
    client.expect_error("Unknown ack id", receipt_id="r")


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_a_missing_id_is_an_error(dial: Dial, version: str) -> None:
    client = opened(dial, version)
    client.send("ACK\nsubscription:s\n\n^@")
    client.expect_error("Missing header")


def test_an_ack_on_an_auto_subscription_is_an_error(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/topic/{name}")
    put(client, f"/topic/{name}", "1")
    client.send(f"ACK\nid:{take(client, 1)[0].headers['message-id']}\n\n^@")
    client.expect_error("Unknown ack id")


def test_within_a_commit_an_ack_that_an_earlier_one_covers_is_absorbed(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/queue/{name}", "ack:client")
    put(client, f"/queue/{name}", "1", "2")
    one, two = take(client, 2)

    client.send("BEGIN\ntransaction:t\n\n^@")
    client.send(settle("1.2", "ACK", two, "transaction:t"), settle("1.2", "ACK", one, "transaction:t", "receipt:a"))
    assert [] == client.round_trip()
    client.send("COMMIT\ntransaction:t\nreceipt:c\n\n^@")

    assert ["a", "c"] == [client.expect("RECEIPT").headers["receipt-id"] for _ in range(2)]


def test_an_abort_makes_its_acknowledgements_undone(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/queue/{name}", "ack:client")
    put(client, f"/queue/{name}", "1")
    message = take(client, 1)[0]

    client.send("BEGIN\ntransaction:t\n\n^@", settle("1.2", "ACK", message, "transaction:t"))
    client.send("ABORT\ntransaction:t\n\n^@")
    assert [] == client.round_trip()

    client.send(settle("1.2", "ACK", message, "receipt:a"))
    client.expect("RECEIPT", receipt_id="a")


def test_after_unsubscribe_what_was_written_can_still_be_acknowledged(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/queue/{name}", "ack:client-individual")
    put(client, f"/queue/{name}", "1")
    message = take(client, 1)[0]

    client.send("UNSUBSCRIBE\nid:s\n\n^@", settle("1.2", "ACK", message, "receipt:a"))

    client.expect("RECEIPT", receipt_id="a")
    subscribe(client, f"/queue/{name}")
    assert [] == client.round_trip()


def test_an_ack_after_unsubscribe_brings_no_message_of_it(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/topic/{name}", "ack:client", "prefetch-count:1")
    put(client, f"/topic/{name}", "1", "2", "3")
    message = take(client, 1)[0]

    client.send("UNSUBSCRIBE\nid:s\n\n^@", settle("1.2", "ACK", message))

    assert [] == client.round_trip()


@pytest.mark.parametrize("headers", ["", "subscription:other\n"])
def test_in_1_1_the_subscription_of_an_ack_is_not_needed(dial: Dial, name: str, headers: str) -> None:
    client = opened(dial, "1.1")
    subscribe(client, f"/queue/{name}", "ack:client")
    put(client, f"/queue/{name}", "1")
    message = take(client, 1)[0]
    assert "ack" not in message.headers

    client.send(f"ACK\nmessage-id:{message.headers['message-id']}\n{headers}receipt:a\n\n^@")

    client.expect("RECEIPT", receipt_id="a")


@pytest.mark.parametrize(
    ("frame", "summary"),
    [
        ("SUBSCRIBE\nid:s\ndestination:/topic/other\nreceipt:r\n\n^@", "Duplicate subscription"),
        ("SUBSCRIBE\nid:t\nreceipt:r\n\n^@", "Missing header"),
        ("SUBSCRIBE\ndestination:/topic/a\nreceipt:r\n\n^@", "Missing header"),
        ("SUBSCRIBE\nid:t\ndestination:/topic/a\nack:never\nreceipt:r\n\n^@", "Bad header"),
        ("SUBSCRIBE\nid:t\ndestination:/topic/a\nselector:a=1\nreceipt:r\n\n^@", "Not supported"),
        ("SUBSCRIBE\nid:t\ndestination:/topic/a\nprefetch-count:0\nreceipt:r\n\n^@", "Bad header"),
        ("SUBSCRIBE\nid:t\ndestination:/topic/a+/b\nreceipt:r\n\n^@", "Bad destination"),
        ("SUBSCRIBE\nid:t\ndestination:/exchange/a\nreceipt:r\n\n^@", "Bad destination"),
        ("SUBSCRIBE\nid:t\ndestination:/user/queue/errors\nreceipt:r\n\n^@", "Bad destination"),
        ("UNSUBSCRIBE\nid:other\nreceipt:r\n\n^@", "Unknown subscription"),
        ("UNSUBSCRIBE\ndestination:/topic/a\nreceipt:r\n\n^@", "Missing header"),
        ("SEND\nreceipt:r\n\n^@", "Missing header"),
        ("SEND\ndestination:\nreceipt:r\n\n^@", "Missing header"),
        ("SEND\ndestination:/topic/a/+\nreceipt:r\n\n^@", "Bad destination"),
        ("SEND\ndestination:nowhere\nreceipt:r\n\n^@", "Bad destination"),
        ("SEND\ndestination:/topic/a\nmessage-id:1\nreceipt:r\n\n^@", "Bad header"),
        ("SEND\ndestination:/topic/$SYS/hub/x\nreceipt:r\n\n^@", "Not allowed"),
        ("SEND\ndestination:/topic/readings/a/b\nreceipt:r\n\n^@", "Not allowed"),
        ("SEND\ndestination:/topic/a\ntransaction:none\nreceipt:r\n\n^@", "Unknown transaction"),
        ("BEGIN\nreceipt:r\n\n^@", "Missing header"),
        ("BEGIN\ntransaction:open\nreceipt:r\n\n^@", "Bad transaction"),
        ("COMMIT\ntransaction:none\nreceipt:r\n\n^@", "Unknown transaction"),
        ("ABORT\ntransaction:none\nreceipt:r\n\n^@", "Unknown transaction"),
        ("BEGIN\ntransaction:t\nreceipt:r\n\nbody^@", "Unexpected body"),
    ],
)
def test_each_refusal_names_the_receipt_and_ends_the_connection(dial: Dial, frame: str, summary: str) -> None:
    client = opened(dial)
    subscribe(client, "/topic/refusals")
    client.send("BEGIN\ntransaction:open\n\n^@")

    client.send(frame)

    client.expect_error(summary, receipt_id="r")


def test_a_subscription_id_may_be_used_again(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/topic/{name}/a")
    client.send("UNSUBSCRIBE\nid:s\n\n^@")
    subscribe(client, f"/topic/{name}/b")
    put(client, f"/topic/{name}/a", "a")
    put(client, f"/topic/{name}/b", "b")
    assert [b"b"] == bodies(client.round_trip())


def test_overlapping_subscriptions_each_get_their_message(dial: Dial, name: str) -> None:
    client = opened(dial)
    subscribe(client, f"/topic/{name}", key="a:1")
    subscribe(client, f"/topic/{name}", key="b\\\\")
    subscribe(client, f"/topic/{name}/#", key="c")
    put(client, f"/topic/{name}", "x")
    assert {"a:1", "b\\", "c"} == {frame.headers["subscription"] for frame in client.round_trip()}


@pytest.mark.parametrize("topic", ["a//b", "/a/b/", "a.b/c", " a ", "ä/雪", "*"])
def test_topics_are_carried_unchanged(dial: Dial, name: str, topic: str) -> None:
    client = opened(dial)
    subscribe(client, f"/topic/{name}/{topic}")
    put(client, f"/topic/{name}/{topic}", "x")
    client.expect("MESSAGE", destination=f"/topic/{name}/{topic}")


def test_a_request_is_answered_to_a_temporary_queue(dial: Dial, name: str) -> None:
    service, requester = opened(dial), opened(dial)
    subscribe(service, f"/queue/{name}")

    requester.send(f"SEND\ndestination:/queue/{name}\nreply-to:/temp-queue/answers\n\nping^@")
    request = service.expect("MESSAGE")
    service.send(f"SEND\ndestination:{request.headers['reply-to']}\n\npong^@")

    answer = requester.expect("MESSAGE", subscription="/temp-queue/answers")
    assert b"pong" == answer.body
    requester.octets.close()
    service.send(f"SEND\ndestination:{request.headers['reply-to']}\nreceipt:late\n\npong^@")
    service.expect("RECEIPT", receipt_id="late")
