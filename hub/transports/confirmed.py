"""The future of a confirmation (hub/broker/confirmations.py), with its deadline: what a connection's receipts wait for."""

import asyncio

from hub.broker.confirmations import Confirmation


class UnconfirmedError(Exception):
    """A consumer did not acknowledge; the text says what is known of the message."""


def confirmed(confirmation: Confirmation, deadline_s: float) -> "asyncio.Future[None]":
    """Return what is done once all consumers have acknowledged; it fails with `UnconfirmedError`."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    late = f"its consumer did not acknowledge within {deadline_s:g} s; it is unknown whether the message arrived"
    deadline = loop.call_later(deadline_s, confirmation.refuse, late)

    def settled(why: str | None) -> None:
        deadline.cancel()
        if why is None:
            future.set_result(None)
        else:
            future.set_exception(UnconfirmedError(why))

    confirmation.when_settled(settled)
    return future
