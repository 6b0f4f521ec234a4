"""What the counts of a comparison mean. Pure: counts in, a verdict out.

A reading with a device time has an identity, (device, metric, time); how often it was sent does not matter, it must be
stored once. A reading without one is stamped by the hub, so its rows can only be counted: as many as were acknowledged
at least; more than were sent come from redeliveries, which the promise documents, and are told but not held against it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from device_sim.ledger.writer import Acknowledgement

FINDINGS: Final = ("lost", "duplicate", "phantom", "altered")


class TimedCount(NamedTuple):
    """How many identities of the ledger have the same outcome."""

    acknowledged: Acknowledgement
    """The strongest that any message with the identity got."""
    copies: int
    """Rows in the database."""
    wrong: int
    """Those of them whose value was not sent with this identity."""
    collided: bool
    """It was sent with more than one value: the first that arrives is stored."""
    readings: int


class UntimedCount(NamedTuple):
    """How many (device, metric, value) triples of readings without a device time have the same outcome."""

    sends: int
    pubacks: int
    receipts: int
    rows: int
    triples: int


class Example(NamedTuple):
    """One reading that is not as it should be."""

    finding: str
    """One of FINDINGS."""
    device: str
    metric: str
    time: str
    """ISO 8601; empty for a reading without a device time that is lost."""
    sent: str
    stored: str

    def __str__(self) -> str:
        stored = f", stored {self.stored}" if self.stored else ""
        sent = f", sent {self.sent}" if self.sent else ""
        return f"{self.finding}: {self.device} {self.metric} {self.time or 'without a time'}{sent}{stored}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All figures count readings: identities where there is a device time, else single sends."""

    published: int
    acknowledged: int
    stored: int
    """Acknowledged readings that are there."""
    duplicates: int
    """Rows too many, of acknowledged readings and of others."""
    lost: int
    """Acknowledged readings that are not there."""
    phantom: int = 0
    """Rows of the ledger's devices, within their times, that nobody sent."""
    altered: int = 0
    """Rows with a value that was not sent."""
    lost_after_puback: int = 0
    lost_after_receipt: int = 0
    repeated: int = 0
    """Rows without a device time beyond what was sent: redeliveries, documented."""
    collided: int = 0
    """Identities that were sent with different values: one of them is stored."""
    stored_unacknowledged: int = 0
    """Readings that are there although their acknowledgement never arrived: allowed."""
    examples: tuple[Example, ...] = field(default=(), compare=False)

    @property
    def ok(self) -> bool:
        return self.lost == self.duplicates == self.phantom == self.altered == 0

    def with_examples(self, examples: Iterable[Example]) -> "Verdict":
        return replace(self, examples=tuple(examples))

    def as_json(self) -> dict[str, Any]:
        """Return the last line of `device-sim verify`."""
        return {
            "published": self.published,
            "acknowledged": self.acknowledged,
            "stored": self.stored,
            "duplicates": self.duplicates,
            "lost": self.lost,
            "phantom": self.phantom,
            "altered": self.altered,
            "lost_after": {"puback": self.lost_after_puback, "receipt": self.lost_after_receipt},
            "repeated": self.repeated,
            "collided": self.collided,
            "stored_unacknowledged": self.stored_unacknowledged,
            "examples": [example._asdict() for example in self.examples],
        }


def judge(
    timed: Iterable[TimedCount],
    untimed: Iterable[UntimedCount] = (),
    phantom: int = 0,
) -> Verdict:
    """Judge the counts. A reading that is stored without an acknowledgement is neither loss nor duplicate."""
    published = acknowledged = stored = duplicates = altered = repeated = collided = unacknowledged = 0
    lost = dict.fromkeys(Acknowledgement, 0)
    for of in timed:
        published += of.readings
        duplicates += max(of.copies - 1, 0) * of.readings
        altered += of.wrong * of.readings
        collided += of.readings if of.collided else 0
        if of.acknowledged is Acknowledgement.NONE:
            unacknowledged += of.readings if of.copies else 0
            continue
        acknowledged += of.readings
        if of.copies:
            stored += of.readings
        else:
            lost[of.acknowledged] += of.readings
    for group in untimed:
        acks = group.pubacks + group.receipts
        missing = max(acks - group.rows, 0)
        after_receipt = min(missing, group.receipts)  # the stronger promise counts first
        published += group.sends * group.triples
        acknowledged += acks * group.triples
        stored += (acks - missing) * group.triples
        repeated += max(group.rows - group.sends, 0) * group.triples
        unacknowledged += max(min(group.rows, group.sends) - acks, 0) * group.triples
        lost[Acknowledgement.RECEIPT] += after_receipt * group.triples
        lost[Acknowledgement.PUBACK] += (missing - after_receipt) * group.triples
    return Verdict(
        published=published,
        acknowledged=acknowledged,
        stored=stored,
        duplicates=duplicates,
        lost=sum(lost.values()),
        phantom=phantom,
        altered=altered,
        lost_after_puback=lost[Acknowledgement.PUBACK],
        lost_after_receipt=lost[Acknowledgement.RECEIPT],
        repeated=repeated,
        collided=collided,
        stored_unacknowledged=unacknowledged,
    )
