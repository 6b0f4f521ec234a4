"""Why stomp.py could not connect: it raises without a reason, and logs it. Its log goes nowhere else."""

import logging
import threading
from typing import Final


class _Reasons(logging.Handler):
    """The last reason, by thread: each attempt to connect has its own."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and str(record.msg).startswith("Could not connect"):
            self._of_thread.text = str(record.args[-1])

    def take(self) -> str:
        text = str(getattr(self._of_thread, "text", ""))
        self._of_thread.text = ""
        return text


_reasons: Final = _Reasons()


def listen() -> None:
    """Take over stomp.py's log, again if somebody else in the process has turned it off; what matters is said here."""
    log = logging.getLogger("stomp.py")
    log.addHandler(_reasons)
    log.setLevel(logging.WARNING)
    log.propagate = False


def take_reason() -> str:
    """Return why the last attempt in this thread failed, once; empty when nothing was said."""
    return _reasons.take()
