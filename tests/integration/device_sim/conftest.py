"""A Mosquitto for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.breakable_mosquitto import BreakableMosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[BreakableMosquitto]:
    broker = BreakableMosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()
