"""Either side goes at any moment and comes back, or both do: nothing that a device saw acknowledged is lost.

The broker is Mosquitto, with its session kept on disk (the configuration that docs/how-to/connect-your-broker.md ships) or
lost with its memory; the hub is a scripted one, which forgets what had no receipt as a killed hub does.

Mosquitto 2.0 acknowledges what one turn of its loop brought and saves it afterwards: a kill between the two loses that much,
which nobody behind it can mend. `BATCH` is what the publisher sends at once.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.mosquitto import IN_MEMORY, Mosquitto, shipped_config
from tests.support.publisher import Publisher
from tests.support.running_bridge import running
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

PER_SECOND = 300
BATCH = 6
KILLS = 4
PAUSES = {"reconnect_max_s": 0.1, "connect_timeout_s": 2.0}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, shipped_config()) as broker:
        yield broker


def received(sink: StompSink) -> set[int]:
    return {int(body) for body in sink.bodies}


def all_but(sink: StompSink, publisher: Publisher, may_lose: int) -> bool:
    return len(publisher.acknowledged - received(sink)) <= may_lose


def more_received(sink: StompSink, than: int) -> bool:
    return sink.count > than


def more_acknowledged(publisher: Publisher, than: int) -> bool:
    return len(publisher.acknowledged) > than


def forget_what_had_no_receipt(sink: StompSink) -> None:
    """Lose what a killed hub loses: `held` receipts are of the newest transactions."""
    sink.taken = sink.taken[: len(sink.taken) - sum(sink.held_counts)]
    sink.cut()


async def test_a_hub_that_dies_in_mid_transaction_gets_all_of_it_again(kept: Mosquitto, sink: StompSink) -> None:
    """F1, with a hub that forgets: six deaths while transactions are on their way."""
    async with running(kept.url, sink.url, transaction_messages=50, **PAUSES) as bridge:
        with Publisher(kept.port, per_second=1500) as publisher:
            for _ in range(6):
                sink.hold = True
                await wait_until(lambda: len(sink.held) >= 2)
                forget_what_had_no_receipt(sink)
                sink.hold = False
                seen = sink.count
                await wait_until(partial(more_received, sink, seen))
        await wait_until(lambda: received(sink) >= publisher.acknowledged)
        counts = bridge.relay.counts

    assert counts.resent > 0
    assert received(sink) == set(range(publisher.sent))


@pytest.mark.parametrize("session", ["kept", "lost"])
async def test_a_broker_that_is_killed_and_comes_back_with_or_without_its_session(
    session: str, sink: StompSink, tmp_path: Path
) -> None:
    """F3: four kills. With the session nothing is lost; without it the bridge subscribes anew: the loss is the broker's."""
    with Mosquitto(tmp_path, shipped_config() if session == "kept" else IN_MEMORY) as broker:
        async with running(broker.url, sink.url, **PAUSES) as bridge:
            with Publisher(broker.port, per_second=PER_SECOND) as publisher:
                for _ in range(KILLS):
                    seen = sink.count
                    await wait_until(partial(more_received, sink, seen + 60))
                    broker.kill()
                    await wait_until(lambda: not bridge.state()["mqtt"]["ok"])
                    broker.start()
                    await wait_until(lambda: bridge.state()["mqtt"]["ok"])
            await wait_until(lambda: not bridge.relay.messages)
            if session == "kept":
                await wait_until(partial(all_but, sink, publisher, KILLS * BATCH))
            seen = sink.count
            with Publisher(broker.port, per_second=PER_SECOND, first=1_000_000):
                await wait_until(lambda: sink.count > seen + 100)
            await wait_until(lambda: not bridge.relay.messages)

    assert bridge.relay.counts.dropped["poison"] == 0


async def test_both_sides_go_at_once(kept: Mosquitto, sink: StompSink) -> None:
    """F1 and F3 together: four times broker and hub die in the same moment, with receipts outstanding."""
    async with running(kept.url, sink.url, transaction_messages=50, **PAUSES) as bridge:
        with Publisher(kept.port, per_second=PER_SECOND) as publisher:
            for _ in range(KILLS):
                sink.hold = True
                await wait_until(lambda: len(sink.held) >= 2)
                kept.kill()
                forget_what_had_no_receipt(sink)
                sink.hold = False
                kept.start()
                await wait_until(lambda: bridge.state()["mqtt"]["ok"] and bridge.state()["hub"]["ok"])
        await wait_until(partial(all_but, sink, publisher, KILLS * BATCH))
        await wait_until(lambda: not bridge.relay.messages)


async def test_what_was_queued_for_an_absent_bridge_survives_the_brokers_kill(kept: Mosquitto, sink: StompSink) -> None:
    """F3: the documented configuration, the bridge away while the broker is killed; with the default all of it is lost."""
    async with running(kept.url, sink.url, **PAUSES):
        pass
    with Publisher(kept.port, per_second=PER_SECOND) as publisher:
        for _ in range(KILLS):
            before = len(publisher.acknowledged)
            await wait_until(partial(more_acknowledged, publisher, before + 100), 30)
            kept.kill()
            kept.start()
    async with running(kept.url, sink.url, **PAUSES):
        await wait_until(partial(all_but, sink, publisher, KILLS * BATCH))

    assert len(publisher.acknowledged) >= KILLS * 100
