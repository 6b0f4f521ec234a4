"""One hub for all STOMP tests of a module: they use topics and queues of their own."""

from collections.abc import Callable, Iterator

import pytest

from hub.settings.limits import Limits
from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, tcp, websocket


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub with its default limits, without users and without a database."""
    with RunningHub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture(scope="module")
def quick_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that beats, and misses beats, within a second."""
    limits = Limits(heart_beat_min_s=0.5, close_s=1.0)
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=limits) as running:
        yield running


@pytest.fixture(params=["tcp", "websocket"])
def dial(request: pytest.FixtureRequest, hub: RunningHub) -> Iterator[Callable[[], RawStomp]]:
    """Open connections by one transport; they are closed at the end of the test."""
    opened: list[RawStomp] = []

    def dial_one() -> RawStomp:
        client = tcp(hub.stomp_port) if request.param == "tcp" else websocket(hub.port)
        opened.append(client)
        return client

    yield dial_one
    for client in opened:
        client.octets.close()
