"""What the relay counts: plain integers; metrics.py gives them names."""

from dataclasses import dataclass, field

REASONS = ("poison", "unsendable", "too_large", "qos0_full", "command")


@dataclass(slots=True)
class RelayCounts:
    """Since the program began; `dropped` by reason."""

    received: int = 0
    received_qos0: int = 0
    repeated: int = 0
    relayed: int = 0
    acknowledged: int = 0
    outdated: int = 0
    transactions: int = 0
    resent: int = 0
    refused: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
