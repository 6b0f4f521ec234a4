"""The bounded memory of intended times."""

from device_sim.figures.intended import Intended
from tests.support.simulated import burst


def test_what_was_sent_is_known_by_device_and_time() -> None:
    intended, messages = Intended(), burst(20, 2)
    intended.add(messages)

    assert [intended.due_s(message.device, message.time_us) for message in messages] == [m.due_s for m in messages]
    assert intended.due_s("another", messages[0].time_us) is None


def test_of_a_repeat_the_first_counts() -> None:
    intended, message = Intended(), burst(1)[0]
    intended.add([message, message._replace(number=1, due_s=9.0)])

    assert intended.due_s(message.device, message.time_us) == message.due_s


def test_messages_without_their_own_time_are_not_known() -> None:
    intended, message = Intended(), burst(1)[0]
    intended.add([message._replace(timed=False)])

    assert intended.due_s(message.device, message.time_us) is None


def test_it_forgets_the_oldest_and_knows_the_last_generation() -> None:
    intended, messages = Intended(generation=100), burst(1_000)
    for message in messages:
        intended.add([message])
    known = [message.number for message in messages if intended.due_s(message.device, message.time_us) is not None]

    assert 100 <= len(known) <= 200
    assert known == list(range(1_000 - len(known), 1_000))
