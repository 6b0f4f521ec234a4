"""What a decoder reports beside its readings, so that nothing is left out silently: remarks, or a refusal.

    PayloadError      this payload gives no readings; it goes to quarantine with reason and detail

A reason is a short lower-case word that an operator can count and filter by (words.py has them all); the detail is for
reading and names the place in the payload.

The pipeline hands each decoder one `Notes`; a message without remarks leaves it untouched, which keeps the hot path free
of result objects. The remarks:

- `untimed`: readings that got the receive time because the device sent none;
- `reckoned_us`: times that the device told relative to the receipt (SenML): in a retained message they are no better;
- `received_us`: when the message was received; set by the pipeline where times without a zone are not UTC;
- `conflicts`: values that another value of the same series and time came before;
- `zoneless_us`: the last time that was read from a text without a zone, so that a refusal of it can name the setting; no
  remark by itself;
- `old_state`: readings of a retained message that were left out for want of a time (the pipeline's remark);
- `skipped`: no reading by design (null, empty text, arrays, a command, a log line ...), counted by kind;
- `tolerated`: what is not quite right in the payload and was read nevertheless (a byte order mark, a NUL at the end);
- `faults`: a key that ought to be a reading and cannot be. The good keys are stored, the payload is quarantined with the
  first fault's reason as well;
- `states`: what the payload says about a device being online;
- `historical`: readings that were recorded long ago: stored, never shown as new;
- `transient`: readings that are shown and not stored;
- `commands`: messages that the decoder wants sent to a device (Sparkplug's request for a rebirth).
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from storage.device_state import DeviceState
from storage.reading import Reading

MAX_FAULTS: Final = 20  # one payload may hold 10,000 bad keys; the operator needs to see a few
MAX_DETAIL_CHARS: Final = 300  # a detail quotes the payload; a hostile one must not fill the quarantine table twice


class PayloadError(Exception):
    """The device erred: nothing in this payload can be kept."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail[:MAX_DETAIL_CHARS]
        super().__init__(reason, self.detail)

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class Command(NamedTuple):
    """A message for a device."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class Notes:
    """The remarks on one message."""

    dirty: bool = False
    untimed: int = 0
    reckoned_us: set[int] = field(default_factory=set)
    old_state: int = 0
    received_us: int = 0
    zoneless_us: int | None = None
    conflicts: list[str] = field(default_factory=list)
    integers_as_text: int = 0  # beyond 2^53, stored with all their digits
    tolerated: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)  # (reason, detail)
    faults_left_off: int = 0
    states: list[DeviceState] = field(default_factory=list)
    historical: list[Reading] = field(default_factory=list)
    transient: list[Reading] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def skip(self, kind: str) -> None:
        """Note a value, or a whole message, that is no reading by design; kinds are a fixed set of words."""
        self.dirty = True
        self.skipped[kind] = self.skipped.get(kind, 0) + 1

    def fault(self, reason: str, detail: str) -> None:
        self.dirty = True
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((reason, detail[:MAX_DETAIL_CHARS]))
        else:
            self.faults_left_off += 1

    def without_time(self, readings: int) -> None:
        self.dirty = True
        self.untimed += readings

    def reckoned(self, time_us: int) -> None:
        """Note a time that is the receipt's, plus or minus what the device said."""
        self.reckoned_us.add(time_us)
        self.dirty = True

    def conflict(self, detail: str) -> None:
        """Note that a series has another value at the time of a reading."""
        self.dirty = True
        if len(self.conflicts) < MAX_FAULTS:
            self.conflicts.append(detail[:MAX_DETAIL_CHARS])

    def spelled_out(self) -> None:
        """Note that an integer is stored as the text of its digits."""
        self.dirty = True
        self.integers_as_text += 1

    def tolerate(self, kind: str) -> None:
        """Note what is wrong in the payload and was read nevertheless; kinds are a fixed set of words."""
        self.dirty = True
        self.tolerated[kind] = self.tolerated.get(kind, 0) + 1

    def state(self, device: str, online: bool, state: str, time_us: int) -> None:
        """Note that a device is online, or not; `state` is the format's own word."""
        self.dirty = True
        self.states.append(DeviceState(device, online, state, time_us))

    def store_only(self, reading: Reading) -> None:
        """Note a historical reading, instead of returning it."""
        self.dirty = True
        self.historical.append(reading)

    def show_only(self, reading: Reading) -> None:
        """Note a transient reading, instead of returning it."""
        self.dirty = True
        self.transient.append(reading)

    def command(self, topic: str, payload: bytes) -> None:
        """Ask for a message to a device; `topic` as MQTT names it."""
        self.dirty = True
        self.commands.append(Command(topic, payload))

    def summary(self) -> str:
        """Return the faults as one line for the quarantine table, which has the first one's reason beside it."""
        more = f"; and {self.faults_left_off} more" if self.faults_left_off else ""
        first, *others = self.faults
        return "; ".join([first[1], *(f"{reason}: {detail}" for reason, detail in others)]) + more
