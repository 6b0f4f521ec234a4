"""What a decoder has to say beside its readings, so that nothing is left out silently.

The pipeline hands each decoder one `Notes`; a message without remarks leaves it untouched, which keeps the hot path free
of result objects. Three kinds of remark:

- `untimed`: readings that got the receive time because the device sent none;
- `skipped`: no reading by design (null, empty text, arrays ...), counted by kind;
- `faults`: a key that ought to be a reading and cannot be. The good keys are stored, the payload is quarantined with the
  first fault's reason as well.
"""

from dataclasses import dataclass, field

MAX_FAULTS = 20  # one payload may hold 10,000 bad keys; the operator needs to see a few


@dataclass(slots=True)
class Notes:
    """The remarks on one message."""

    dirty: bool = False
    untimed: int = 0
    rounded: int = 0  # integers beyond 2^53, stored as the nearest float
    skipped: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)  # (reason, detail)
    faults_left_off: int = 0

    def skip(self, kind: str) -> None:
        self.dirty = True
        self.skipped[kind] = self.skipped.get(kind, 0) + 1

    def fault(self, reason: str, detail: str) -> None:
        self.dirty = True
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((reason, detail))
        else:
            self.faults_left_off += 1

    def without_time(self, readings: int) -> None:
        self.dirty = True
        self.untimed += readings

    def lost_digits(self) -> None:
        self.dirty = True
        self.rounded += 1

    def summary(self) -> str:
        """Return the faults as one line for the quarantine table."""
        more = f"; and {self.faults_left_off} more" if self.faults_left_off else ""
        return "; ".join(f"{reason}: {detail}" for reason, detail in self.faults) + more
