"""A small world for tests of the audit: what was sent and what is stored, judged naively with sets, one item at a time."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from device_sim.ledger.writer import Acknowledgement
from device_sim.message import Value
from device_sim.verify import Verdict


class Send(NamedTuple):
    """One reading that was sent."""

    device: str
    metric: str
    time_us: int
    value: Value
    acknowledged: Acknowledgement
    timed: bool = True

    @property
    def identity(self) -> tuple[str, str, int]:
        return self.device, self.metric, self.time_us

    @property
    def triple(self) -> tuple[str, str, str]:
        return self.device, self.metric, repr(self.value)


class Row(NamedTuple):
    """One reading that is stored."""

    device: str
    metric: str
    time_us: int
    value: float | str

    @property
    def identity(self) -> tuple[str, str, int]:
        return self.device, self.metric, self.time_us

    @property
    def triple(self) -> tuple[str, str, str]:
        return self.device, self.metric, repr(self.value)


def naive_verdict(sends: Sequence[Send], rows: Sequence[Row]) -> Verdict:
    """Judge with sets: slow, and so plain that it can be believed. `rows` are within the times of their devices."""
    timed = [send for send in sends if send.timed]
    untimed = Counter(send.triple for send in sends if not send.timed)
    identities = {send.identity for send in timed}
    acknowledged = {send.identity for send in timed if send.acknowledged}
    receipts = {send.identity for send in timed if send.acknowledged is Acknowledgement.RECEIPT}
    sent_values = {(*send.identity, repr(send.value)) for send in timed}
    matching = [row for row in rows if row.identity in identities]
    present = {row.identity for row in matching}
    others = Counter(row.triple for row in rows if row.identity not in identities)
    promised = Counter(send.triple for send in sends if not send.timed and send.acknowledged)
    receipted = Counter(
        send.triple for send in sends if not send.timed and send.acknowledged is Acknowledgement.RECEIPT
    )
    missing = promised - others
    after_receipt = len(receipts - present) + sum(min(number, receipted[of]) for of, number in missing.items())
    lost = len(acknowledged - present) + missing.total()
    return Verdict(
        published=len(identities) + untimed.total(),
        acknowledged=len(acknowledged) + promised.total(),
        stored=len(acknowledged & present) + (promised & others).total(),
        duplicates=len(matching) - len(present),
        lost=lost,
        phantom=sum(number for triple, number in others.items() if triple not in untimed),
        altered=sum((*row.identity, repr(row.value)) not in sent_values for row in matching),
        lost_after_puback=lost - after_receipt,
        lost_after_receipt=after_receipt,
        repeated=sum((others - untimed)[triple] for triple in untimed),
        collided=sum(number > 1 for number in Counter(value[:3] for value in sent_values).values()),
        stored_unacknowledged=len(present - acknowledged) + ((others & untimed) - promised).total(),
    )
