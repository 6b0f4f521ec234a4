"""Why a connection ended, from what was noted of it."""

import pytest

from bridge.hub.ending import Ending, Loss


@pytest.mark.parametrize(
    ("ending", "reason", "loss"),
    [
        (Ending(said="the connection was lost"), "the connection was lost", Loss.LOST),
        (Ending(close_code=1001, said="the connection was lost"), "WebSocket close code 1001", Loss.LOST),
        (Ending(close_code=1009, said="the connection was lost"), "WebSocket close code 1009", Loss.REFUSED),
        (Ending(refusal="ERROR: no", close_code=1001, said="lost"), "ERROR: no", Loss.REFUSED),
        (Ending(ours="no receipt", said="lost"), "no receipt", Loss.OURS),
        (Ending(ours="ERROR: no status", refused_aside="status", close_code=1002), "ERROR: no status", Loss.OURS),
    ],
)
def test_a_refusal_counts_before_what_we_did_and_that_before_what_was_said(
    ending: Ending, reason: str, loss: Loss
) -> None:
    assert (reason, loss) == (ending.reason, ending.loss)
