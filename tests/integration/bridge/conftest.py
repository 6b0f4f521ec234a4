"""Fixtures of the bridge's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.support.certificates import Certificates


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[EmbeddedMqttBroker]:
    """It delivers again what was unacknowledged for three seconds."""
    broker = EmbeddedMqttBroker(tmp_path, ack_wait_s=3)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="package")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))
