"""One descriptor for many sockets: who is ready is called, who was forgotten in the same round is not."""

import socket
from collections.abc import Iterator

import pytest

from device_sim.links import poller as module
from device_sim.links.poller import Poller, Watch
from tests.support.waiting import wait_until

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    pairs = [socket.socketpair() for _ in range(3)]
    yield pairs
    for pair in pairs:
        for one in pair:
            one.close()


@pytest.fixture(params=["_Epoll", "_Selector"])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Poller:
    if request.param == "_Selector":
        monkeypatch.setattr(module, "_Epoll", module._Selector)
    return Poller()


async def test_readers_and_writers_are_called_and_after_comes_last(poller: Poller, pairs: list[Pair]) -> None:
    said: list[str] = []
    poller._after = lambda: said.append("after")
    watches = []
    for number, (ours, theirs) in enumerate(pairs):
        theirs.send(b"x")

        def read(number: int = number, ours: socket.socket = ours) -> None:
            ours.recv(1)
            said.append(f"read {number}")

        watches.append(Watch(ours.fileno(), read, lambda: said.append("write")))
        poller.set(watches[-1], read=True, write=False)
    poller.start()
    await wait_until(lambda: said)
    poller.close()

    assert sorted(said[:3]) == ["read 0", "read 1", "read 2"]
    assert said[3] == "after"
    assert "write" not in said


async def test_what_fails_at_the_end_of_a_round_is_kept(poller: Poller, pairs: list[Pair]) -> None:
    def after() -> None:
        raise ValueError("a full disk")

    poller._after = after
    ours, theirs = pairs[0]
    poller.set(Watch(ours.fileno(), lambda: ours.recv(1), lambda: None), read=True, write=False)
    theirs.send(b"x")
    poller.start()
    await wait_until(lambda: poller.failure)
    poller.close()

    assert str(poller.failure) == "a full disk"


async def test_who_is_forgotten_by_another_is_not_called_and_a_failure_is_kept(
    poller: Poller, pairs: list[Pair]
) -> None:
    called: list[int] = []
    watches: list[Watch] = []

    def first_come(number: int) -> None:
        called.append(number)
        for watch in watches:
            poller.set(watch, read=False, write=False)
        raise ValueError("a bug")

    for number, (ours, theirs) in enumerate(pairs):
        theirs.send(b"x")
        watches.append(Watch(ours.fileno(), lambda number=number: first_come(number), lambda: None))  # type: ignore[misc]
        poller.set(watches[-1], read=True, write=False)
    poller.start()
    await wait_until(lambda: called)
    poller.close()

    assert len(called) == 1
    assert str(poller.failure) == "a bug"
