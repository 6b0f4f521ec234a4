"""What is opened in a thread has an owner, whenever its caller gives up."""

import asyncio
import threading

import pytest

from bridge.attempts import opened


async def test_what_was_opened_is_given_and_not_discarded() -> None:
    discarded: list[str] = []

    assert await opened(lambda: "socket", discarded.append) == "socket"
    assert discarded == []


async def test_what_comes_after_the_caller_gave_up_is_discarded() -> None:
    discarded = threading.Event()
    begun, go_on = threading.Event(), threading.Event()

    def open_it() -> str:
        begun.set()
        go_on.wait(10)
        return "socket"

    task = asyncio.create_task(opened(open_it, lambda _: discarded.set()))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()

    assert await asyncio.to_thread(discarded.wait, 10)


async def test_what_cannot_be_opened_is_told() -> None:
    def fail() -> str:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await opened(fail, lambda _: None)
