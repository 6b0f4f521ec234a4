"""The publisher with a link that takes and acknowledges at once, or not at all: order, lateness and whose it is."""

from collections.abc import Sequence

import pytest

from device_sim.figures.results import Recorder
from device_sim.ledger.writer import Acknowledgement, LedgerWriter
from device_sim.links.link import LinkCounts, LinkEvents
from device_sim.message import LinkAction, LinkActionKind, Message
from device_sim.run import publisher as publisher_module
from device_sim.run.own_lag import OwnLag
from device_sim.run.publisher import Item, Publisher
from tests.support.simulated import burst, now_us


class EchoLink:
    """Acknowledges what it is sent; a real link's shape without a peer."""

    def __init__(self, events: LinkEvents) -> None:
        self._events = events
        self.counts = LinkCounts(up=1)
        self.room = 1_000
        self.awaited = 0
        self.log: list[Item] = []

    async def start(self) -> None: ...

    def send(self, messages: Sequence[Message]) -> None:
        self.log += messages
        self._events.acknowledged(messages, Acknowledgement.PUBACK)

    def act(self, action: LinkAction) -> None:
        self.log.append(action)

    async def close(self) -> None: ...


def publisher_with(recorder: Recorder) -> tuple[Publisher, EchoLink]:
    links: list[EchoLink] = []

    def make(events: LinkEvents) -> EchoLink:
        links.append(EchoLink(events))
        return links[0]

    return Publisher(make, LedgerWriter(None), recorder), links[0]


async def test_actions_happen_in_their_place_between_the_messages() -> None:
    first, second, third = burst(3, 3)
    action = LinkAction(second.due_s, 1, LinkActionKind.CUT)
    publisher, link = publisher_with(Recorder("test", 0, 0))
    await publisher.publish(iter([first, action, second, third]), now_us())

    assert link.log == [first, action, second, third]


async def test_latency_counts_from_the_intended_time() -> None:
    recorder = Recorder("test", 0, 0)
    publisher, _ = publisher_with(recorder)
    await publisher.publish(iter(burst(10)), now_us() - 2_000_000)

    result = recorder.finish(1.0)
    assert result.messages == result.acknowledged == 10
    assert result.latencies["acknowledged"].percentile_s(50.0) >= 1.8


async def test_a_schedule_that_is_too_slow_makes_the_run_invalid() -> None:
    """The link had room all along: the messages, due before we began, were late by the simulator's own fault."""
    recorder = Recorder("test", 0, 0)
    publisher, _ = publisher_with(recorder)
    lag = OwnLag(recorder, publisher)
    await publisher.publish(iter(burst(10)), now_us() - 1_000_000)
    lag.judge()

    assert publisher.tally.own_late == 10
    [reason] = recorder.invalid
    assert "although the link had room" in reason


async def test_a_schedule_in_time_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "OWN_LATE_S", 5.0)  # on a busy machine we may be late
    recorder = Recorder("test", 0, 0)
    publisher, _ = publisher_with(recorder)
    lag = OwnLag(recorder, publisher)
    await publisher.publish(iter(burst(10)), now_us() + 50_000)
    recorder.lagged(0.0, 0.001)
    lag.judge()

    assert publisher.tally.own_late == 0
    assert recorder.invalid == []


async def test_a_loop_that_lags_makes_the_run_invalid() -> None:
    recorder = Recorder("test", 0, 0)
    publisher, _ = publisher_with(recorder)
    for number in range(100):
        recorder.lagged(0.0, 0.2 if number >= 97 else 0.001)
    OwnLag(recorder, publisher).judge()

    [reason] = recorder.invalid
    assert "event loop was late by 200 ms" in reason
