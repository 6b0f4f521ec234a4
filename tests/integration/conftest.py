"""What the bridge and the simulator talk to: real and scripted brokers, a scripted hub."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.mosquitto import Mosquitto
from tests.support.scripted_broker import ScriptedBroker
from tests.support.stomp_sink import StompSink


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    """A broker of MQTT 3.1.1."""
    async with ScriptedBroker() as broker:
        yield broker


@pytest.fixture
async def sink() -> AsyncIterator[StompSink]:
    async with StompSink() as sink:
        yield sink
