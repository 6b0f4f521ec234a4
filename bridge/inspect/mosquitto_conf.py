"""A Mosquitto configuration file: what in it loses messages of a bridge that is away, or makes it slow.

The file is not Mosquitto's to be understood whole. Lines are `name value`, `#` begins a comment line, the last of repeated
lines counts, and the files of `include_dir` count too (mosquitto.conf(5)). Facts and figures:
docs/how-to/connect-your-broker.md.
"""

from pathlib import Path
from typing import Final, NamedTuple

from hub.errors import HubError

# At 1,000 messages a second the default (1,000) is one second of the bridge's absence.
ENOUGH_QUEUED: Final = 100_000
ENOUGH_QUEUED_BYTES: Final = 64 * 1024 * 1024
ENOUGH_IN_FLIGHT: Final = 500
PLENTY: Final = "1000000"
PLENTY_BYTES: Final = "536870912"


class Remark(NamedTuple):
    """One thing to mend: the option, what it does now, the line to write."""

    option: str
    consequence: str
    write: str

    def __str__(self) -> str:
        return f"{self.option}: {self.consequence}; write `{self.write}`"


def read(file: Path) -> str:
    """Return the text of a file and of those that it includes.

    Raises:
        HubError: it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
        if directory := _options(text).get("include_dir"):
            text += "".join(f"\n{part.read_text(errors='replace')}" for part in sorted(Path(directory).glob("*.conf")))
    except OSError as error:
        raise HubError(f"{error.filename or file} cannot be read: {error.strerror}") from error
    return text


def remarks(text: str) -> list[Remark]:
    """Say what should be changed, most harmful first."""
    given = _options(text)
    return [*_queue(given), *_persistence(given), *_window(given)]


def _options(text: str) -> dict[str, str]:
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return {name: value.strip() for name, _, value in pairs}


def _queue(given: dict[str, str]) -> list[Remark]:
    found = []
    queued = given.get("max_queued_messages")
    enough = f"max_queued_messages {PLENTY}"
    if queued is None:
        text = "not set, so of what comes while the bridge is away only the first 1,000 messages are kept, silently"
        found.append(Remark("max_queued_messages", text, enough))
    elif not queued.isdecimal():
        found.append(Remark("max_queued_messages", f"{queued!r} is not a plain number", enough))
    elif queued == "0":
        text = "0 means unlimited, which versions before 2.0.22 did not always hold to"
        found.append(Remark("max_queued_messages", text, enough))
    elif int(queued) < ENOUGH_QUEUED:
        text = f"only {int(queued):,} messages are kept while the bridge is away, the rest is dropped silently"
        found.append(Remark("max_queued_messages", text, enough))
    found += _queued_bytes(given.get("max_queued_bytes"))
    if given.get("queue_qos0_messages") == "true":
        text = "QoS 0 messages take room in the queue of the bridge while it is away"
        found.append(Remark("queue_qos0_messages", text, "queue_qos0_messages false"))
    return found


def _queued_bytes(value: str | None) -> list[Remark]:
    enough = f"max_queued_bytes {PLENTY_BYTES}"
    if value is None or value == "0":
        return []
    if not value.isdecimal():
        digits = "".join(char for char in value if char.isdecimal()) or "0"
        text = f"takes plain bytes: {value!r} is read as {digits} bytes, and nearly everything is dropped silently"
        return [Remark("max_queued_bytes", text, enough)]
    if int(value) < ENOUGH_QUEUED_BYTES:
        text = f"only {int(value):,} bytes are kept while the bridge is away, the rest is dropped silently"
        return [Remark("max_queued_bytes", text, enough)]
    return []


def _persistence(given: dict[str, str]) -> list[Remark]:
    if given.get("persistence") != "true":
        text = "off, so the broker's restart loses the bridge's session and all that waits in it"
        return [Remark("persistence", text, "persistence true")]
    found = []
    if given.get("autosave_on_changes") != "true":
        interval = given.get("autosave_interval", "1800")
        text = f"off, so a killed broker loses what it acknowledged in the last {interval} seconds"
        found.append(Remark("autosave_on_changes", text, "autosave_on_changes true"))
    if given.get("autosave_interval") != "1":
        text = "with autosave_on_changes this is the number of changes after which all is saved"
        found.append(Remark("autosave_interval", text, "autosave_interval 1"))
    return found


def _window(given: dict[str, str]) -> list[Remark]:
    found = []
    window = given.get("max_inflight_messages", "20")
    if not window.isdecimal() or 0 < int(window) < ENOUGH_IN_FLIGHT:
        text = f"{window} messages at a time for MQTT 3.1.1: with 20 and receipts after 50 ms that is 400 a second"
        found.append(Remark("max_inflight_messages", text, "max_inflight_messages 1000"))
    for option in ("max_packet_size", "message_size_limit"):
        value = given.get(option, "")
        if value.isdecimal() and int(value) > 1_048_576:
            text = "the hub takes messages of 1 MiB; larger ones are dropped by the bridge, and counted"
            found.append(Remark(option, text, f"{option} 1048576"))
    return found
