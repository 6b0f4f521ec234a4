"""What a payload can do wrong.

    PayloadError      this payload gives no readings; it goes to quarantine with reason and detail
    RouteError        a route in the settings cannot work; the program does not start

A reason is a short lower-case word that an operator can count and filter by (`docs/reference/payloads.md` lists them
all); the detail is for reading and names the place in the payload.
"""

from typing import Final

MAX_DETAIL_CHARS: Final = 300  # a detail quotes the payload; a hostile one must not fill the quarantine table twice


class PayloadError(Exception):
    """The device erred: nothing in this payload can be kept."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail[:MAX_DETAIL_CHARS]
        super().__init__(reason, self.detail)

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class RouteError(ValueError):
    """The operator erred: a telemetry route names a decoder or a device level that does not exist."""
