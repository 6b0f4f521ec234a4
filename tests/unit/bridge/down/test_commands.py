"""The rules at the head of bridge/down/commands.py, without a broker or a hub."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.down.commands import LOSSES_TO_REFUSE, Answer, Command, Commands

LIMIT = 100


def commands(*filters: str) -> Commands:
    return Commands(filters or ("+/+/commands",), LIMIT)


def receive(held: Commands, ack_id: str, topic: str = "devices/a/commands", payload: bytes = b"go") -> None:
    held.received(0, ack_id, f"/topic/{topic}", payload, None)


def publish(held: Commands, first_mid: int = 1) -> list[Command]:
    """Do what the bridge does when the broker is there."""
    sent: list[Command] = []
    while (command := held.to_publish()) is not None:
        held.published(command, command.mid or first_mid + len(sent), 0.0)
        sent.append(command)
    return sent


def test_the_ack_follows_the_puback() -> None:
    held = commands()
    receive(held, "a1")
    (command,) = publish(held)

    assert (command.topic, command.payload) == ("devices/a/commands", b"go")
    assert held.answers() == []
    assert held.acknowledged(command.mid, None)
    assert held.answers() == [Answer("a1", None)]
    assert len(held) == 0


def test_answers_leave_in_the_order_of_arrival() -> None:
    held = commands()
    receive(held, "a1")
    receive(held, "a2", payload=b"x" * (LIMIT + 1))
    receive(held, "a3")
    one, three = publish(held)
    held.acknowledged(three.mid, None)

    assert held.answers() == []
    held.acknowledged(one.mid, None)
    assert [(answer.ack_id, answer.refusal is None) for answer in held.answers()] == [
        ("a1", True),
        ("a2", False),
        ("a3", True),
    ]


def test_what_has_no_puback_is_published_again_with_its_id_before_anything_newer() -> None:
    held = commands()
    receive(held, "a1")
    receive(held, "a2")
    first = publish(held)
    held.acknowledged(first[0].mid, None)
    held.mqtt_lost()
    receive(held, "a3")
    again = publish(held, first_mid=7)

    assert [(command.ack_id, command.mid) for command in again] == [("a2", 2), ("a3", 8)]


def test_no_more_are_at_the_broker_than_it_takes() -> None:
    held = commands()
    held.in_flight = 2
    for number in range(3):
        receive(held, f"a{number}")

    assert len(publish(held)) == 2
    held.acknowledged(1, None)
    assert [command.ack_id for command in publish(held, first_mid=3)] == ["a2"]


def test_a_lost_hub_discards_what_waits_and_late_pubacks_mean_nothing() -> None:
    held = commands()
    receive(held, "a1")
    publish(held)
    receive(held, "a2")
    held.hub_lost()

    assert not held.acknowledged(1, None)
    assert (held.counts.discarded, len(held), held.to_publish(), held.answers()) == (2, 0, None, [])


def test_a_broker_that_refuses_gives_the_reason() -> None:
    held = commands()
    receive(held, "a1")
    publish(held)
    held.acknowledged(1, "the broker refuses it: Not authorized")

    assert held.answers() == [Answer("a1", "the broker refuses it: Not authorized")]
    assert (held.counts.acknowledged, held.counts.refused) == (0, 1)


def test_a_command_that_the_connection_does_not_survive_is_refused() -> None:
    held = commands()
    receive(held, "a1")
    receive(held, "a2")
    for _ in range(LOSSES_TO_REFUSE):
        publish(held)
        held.mqtt_lost()
    (answer,) = held.answers()

    assert (answer.ack_id, "lost 3 times" in str(answer.refusal)) == ("a1", True)
    assert [command.ack_id for command in publish(held)] == ["a2"]


@pytest.mark.parametrize(
    ("topic", "payload", "text"),
    [
        ("a/b\x01/commands", b"", "a character that MQTT brokers do not take"),
        ("a/\ufdd0/commands", b"", "a character"),
        ("a/\U0001ffff/commands", b"", "a character"),
        ("a/" + "x/" * 70 + "commands", b"", "64 levels"),
        ("a/b/commands", b"x" * (LIMIT + 1), "message_bytes is 100"),
        ("a/b/commands", b"x" * 60, "the broker takes 50"),
    ],
)
def test_what_cannot_be_published_is_refused(topic: str, payload: bytes, text: str) -> None:
    held = commands("#")
    held.packet_bytes = 50
    receive(held, "a1", topic, payload)
    (answer,) = held.answers()

    assert text in str(answer.refusal)
    assert held.to_publish() is None


@given(st.permutations(["+/+/commands", "cmnd/+/+", "cmnd/#"]), st.sampled_from(["cmnd/x/commands", "a/b/commands"]))
def test_a_topic_that_several_filters_match_is_published_once(filters: list[str], topic: str) -> None:
    """The hub sends a copy for each subscription; all are acknowledged."""
    held = Commands(filters, LIMIT)
    copies = [index for index, text in enumerate(filters) if topic.startswith("cmnd") or text == "+/+/commands"]
    for index in reversed(copies):
        held.received(index, f"a{index}", f"/topic/{topic}", b"go", None)
    (command,) = publish(held)
    held.acknowledged(command.mid, None)

    assert held.answers() == [Answer(f"a{index}", None) for index in reversed(copies)]
    assert held.counts.received == 1
