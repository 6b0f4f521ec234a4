"""Why a connection to the hub ended, and what that says about the messages that were on their way. No I/O."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

# RFC 6455, 7.4.1: codes by which a server says that what we sent is wrong, and not that it is going away.
BLAMING_CODES: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010})


class Loss(Enum):
    """Why a connection to the hub ended."""

    REFUSED = "the hub refused what it was sent"
    LOST = "the connection was lost"
    OURS = "we ended it: shutdown, or a receipt that did not come"


@dataclass(slots=True)
class Ending:
    """What was noted of it, the first of each; empty texts and 0 mean: nothing."""

    refusal: str = ""  # ERROR for what was relayed
    refused_aside: str = ""  # the receipt of what else was refused: status, commands
    ours: str = ""
    close_code: int = 0
    said: str = ""  # by the library

    @property
    def reason(self) -> str:
        """The sentence that an operator reads."""
        code = f"WebSocket close code {self.close_code}" if self.close_code else ""
        return self.refusal or self.ours or code or self.said

    @property
    def loss(self) -> Loss:
        """What it says about the messages that were on their way."""
        if self.refusal:
            return Loss.REFUSED
        if self.ours:
            return Loss.OURS
        return Loss.REFUSED if self.close_code in BLAMING_CODES else Loss.LOST
