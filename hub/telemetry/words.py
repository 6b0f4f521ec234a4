"""Every word that the hub uses for the outcome of a payload, with its meaning and remedy.

Five tables: why a payload, or a part of it, is in quarantine (REASONS); why a decoded reading is (STORAGE_REASONS); what is
no reading by design (SKIPPED); what was not quite right and was read nevertheless (TOLERATED); what a bridge gave up
(BRIDGE_REASONS). `telemetry-hub explain` and docs/reference/words.md are made from them; a test compares them with the code,
both ways. `python -m hub.telemetry.words` prints the page.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple


class Word(NamedTuple):
    """What a word means; `remedy` is what to do, empty where there is nothing to do."""

    meaning: str
    remedy: str = ""


REASONS: Final[Mapping[str, Word]] = {
    "not_json": Word("no JSON (RFC 8259): single quotes, a trailing comma, a second document", "mend the sender"),
    "not_utf8": Word(
        "text that is not UTF-8; the detail says where, and what it looks like",
        'a route with `encoding = "latin-1"` for old firmware',
    ),
    "duplicate_key": Word("a key stands twice in one object", "mend the sender: nobody knows which of the two counts"),
    "not_a_number": Word(
        "`nan`, `inf` or the like where a number belongs; the other values of the payload are stored",
        "see whether the sensor is there; the sender may leave the value out or send `null`",
    ),
    "bad_value": Word(
        "a value that its place or type cannot have, or none; the other values of the payload are stored",
        "see the detail",
    ),
    "number_range": Word("a sum of numbers is beyond a 64-bit float", "see the detail"),
    "integer_range": Word(
        "line protocol: an integer does not fit into the 64 bit that it asks for", "send a float or a text"
    ),
    "too_deep": Word("more than 16 levels of objects and arrays"),
    "too_many_items": Word(
        "more than 10,000 values; in line protocol each bad line counts as one", "send several payloads"
    ),
    "bad_time": Word(
        "what stands where the time belongs cannot be read; the values are stored with the time of receipt",
        "ISO 8601 with a zone, or seconds since 1970; or `ignore_time = true` in a route",
    ),
    "clock": Word(
        "the time is more than `telemetry.future_s` (5 minutes) ahead of the hub's clock, or before 1973",
        "set the device's clock; if its time names no zone, set `zone` in the route or `telemetry.zone`",
    ),
    "hub_clock": Word(
        "the same, while the hub's clock had not been compared with the database's, or disagreed",
        "`telemetry-hub db quarantine retry` judges it anew",
    ),
    "decoder_defect": Word(
        "a defect of the hub: its decoder failed on the payload; the log has the traceback",
        "report it, with the payload; after the update: `telemetry-hub db quarantine retry`",
    ),
    "bad_device": Word(
        "the device's name is empty, longer than 256 characters, holds control characters, or is no text",
        "a route with `device` or `device_level`",
    ),
    "bad_metric": Word("the same for a metric's name", "a format of your own can give it another"),
    "bad_text": Word("a text holds NUL or is longer than 65,536 characters"),
    "bad_unit": Word("the unit is no text, longer than 32 characters, or holds control characters"),
    "not_a_record": Word("something that is no object stands where a record belongs"),
    "needs_rebirth": Word(
        "Sparkplug B: data of a metric that no birth has explained",
        "nothing: the node is asked for its births; see [rebirths](payloads.md#rebirths)",
    ),
    "not_sparkplug": Word("no Sparkplug B payload", "see what else publishes below `spBv1.0`"),
    "compressed": Word("Sparkplug B: a compressed payload", "switch compression off in the edge node"),
    "bad_datatype": Word(
        "Sparkplug B: a birth without a datatype or with one that does not exist, or data of another one than was born",
        "mend the edge node; after a change of datatype it has to be born again",
    ),
    "bad_state": Word("no word that the firmware has for its state"),
    "bad_description": Word("a description or discovery of another shape; units may be missing"),
    "unknown_format": Word("neither text, nor JSON, nor CBOR", "a route that names the decoder"),
    "device_mismatch": Word(
        "the payload names another device than the topic, and the route says `gateway = false`",
        "`gateway = true`, if the sender may speak for others",
    ),
    "unnamed_device": Word("ThingsBoard's `me` names nobody", "a route with `device` and the decoder `json`"),
    "bad_result": Word(
        "a format of your own: an expression fails on this payload, or its result is of another type than is needed",
        "try it with `telemetry-hub explain TOPIC @FILE`",
    ),
    "bad_line": Word("line protocol: a line that is no point; the detail has its number, the others are stored"),
    "not_senml": Word("SenML: no array of objects, or a record that is none"),
    "senml_version": Word("SenML: a version above 10"),
    "senml_label": Word("SenML: an unknown label that ends in `_` and so must be understood"),
    "senml_name": Word("SenML: the resolved name is empty or has characters that are not allowed"),
    "senml_value": Word("SenML: no value, two of them, or one of another type"),
    "not_cbor": Word("CBOR: cut, or no CBOR"),
    "cbor_tag": Word("CBOR: a tag that is not taken"),
    "cbor_indefinite": Word("CBOR: an indefinite length", "encode with definite lengths"),
    "trailing_data": Word("CBOR: bytes behind the item"),
    "not_rpc": Word("Shelly: no object of the RPC"),
    "protobuf_marshaler": Word("ChirpStack: events in Protobuf", "set its marshaler to JSON"),
    "unknown_event": Word("an event that the firmware does not have"),
    "unknown_topic": Word("a topic that the firmware does not have"),
    "too_many_metrics": Word("more metrics of one device, or of all, than are remembered; their values are stored"),
}

SKIPPED: Final[Mapping[str, Word]] = {
    "empty": Word("an empty payload: so a retained message is deleted"),
    "no_value": Word("`null`, an empty text or array, `nan`, `N/A`, `unavailable` and the like"),
    "array": Word("an array", "`arrays = true` in the route stores its elements; a format reads records in it"),
    "binary": Word("bytes, files"),
    "text": Word("a text among Tasmota's numbers: a name, an address, a serial number"),
    "time": Word("a topic that ends in a time key holds none"),
    "command": Word("a command to a device"),
    "answer": Word("the answer to a command"),
    "event": Word("an event of a device or gateway that measures nothing: a button, a join, an acknowledgement"),
    "alert": Word("an alert of a Homie device"),
    "log": Word("a log line"),
    "metadata": Word("what describes a device: names, units, versions, addresses"),
    "discovery": Word("a discovery of Home Assistant; the unit in it is remembered"),
    "target": Word("a wanted value, not a measured one"),
    "repeated": Word("the same was said on another topic of the device"),
    "no_sensor": Word("Tasmota: a SENSOR message with nothing but its time", "see whether the sensor is configured"),
    "simulated": Word("The Things Stack: an uplink that was made in the console"),
    "mac_traffic": Word("LoRaWAN: an uplink without a payload of the application; the link's quality is stored"),
    "not_decoded": Word(
        "the payload of a radio device that nobody has decoded; what is known of the link is stored",
        "give the network server a codec (payload formatter) for the device",
    ),
    "encrypted": Word("a payload that only its owner can read", "switch on what publishes it in the clear, as JSON"),
    "host_state": Word("Sparkplug B: the state of a host application"),
    "old_will": Word("Sparkplug B: the death of an earlier session"),
    "template": Word("Sparkplug B: the definition of a template"),
    "transient": Word("Sparkplug B: a value that is transient and historical at once: neither stored nor shown"),
    "quality_bad": Word("a value that its source calls bad; it is stored"),
    "quality_stale": Word("a value that its source calls stale; it is stored"),
}

TOLERATED: Final[Mapping[str, Word]] = {
    "bom": Word("a byte order mark in front of the text", "write the file without it"),
    "nul": Word("NULs behind the text: a C program sends the end of its string as well", "send `strlen` bytes"),
}


def remedy(word: str) -> str:
    """Return what to do about a word, empty where there is nothing to do."""
    found = REASONS.get(word) or SKIPPED.get(word) or TOLERATED.get(word)
    return "" if found is None else found.remedy


def page() -> Iterator[str]:
    """Return the lines of docs/reference/words.md."""
    yield "# Words"
    yield ""
    yield "<!-- Made by `make docs` from hub/telemetry/words.py; do not edit. -->"
    yield ""
    yield "What became of a payload, in the words of `telemetry-hub explain`, of the table `quarantine`, and of the metrics."
    for title, intro, table in _SECTIONS:
        yield ""
        yield f"## {title}"
        yield ""
        yield intro
        yield ""
        yield "| word | meaning | what to do |"
        yield "|---|---|---|"
        for word, (meaning, remedy) in sorted(table.items()):
            yield f"| `{word}` | {meaning} | {remedy or '-'} |"


STORAGE_REASONS: Final[Mapping[str, Word]] = {
    "clock": Word("the time is before 1970 or after 2100", "set the device's clock"),
    "expired": Word(
        "the time is older than readings are kept",
        "raise `storage.keep_readings`, then `telemetry-hub db quarantine retry`",
    ),
    "name": Word("the name of the device, metric or unit cannot be stored; the detail says why", "mend the sender"),
    "value": Word("the value cannot be stored; the detail says why", "mend the sender"),
    "refused": Word(
        "Postgres refused the row: a constraint or trigger of the operator's, or a character that the database's encoding"
        " lacks; the detail has its words",
        "change the rule, then `telemetry-hub db quarantine retry`",
    ),
    "too_many_partitions": Word(
        "its batch would have made more than `storage.partitions_a_batch` partitions; the newest readings are stored",
        "`telemetry-hub db quarantine retry`, as often as needed",
    ),
    "unwritable": Word(
        "its partition could not be written for `storage.set_aside_s`: locked, full, or a right or table is missing; the"
        " detail has Postgres's words",
        "mend that, then `telemetry-hub db quarantine retry`",
    ),
    "spool": Word("a batch in the spool that cannot be read; the payload is its blob", "report it, with the payload"),
}
BRIDGE_REASONS: Final[Mapping[str, Word]] = {
    "poison": Word(
        "a message that the hub refuses each time, while others go through; the bridge's log has its topic and the reason",
        "see that reason; the message is acknowledged and lost",
    ),
    "unsendable": Word("its topic cannot be one of the hub: it holds NUL, or is one that only the hub publishes"),
    "too_large": Word("it is larger than one transaction may be", "raise the hub's `limits`"),
    "qos0_full": Word(
        "QoS 0, while too many of them were held", "publish at QoS 1: the broker then keeps what has to wait"
    ),
    "command": Word("a command: these go from the hub to the broker, and never back"),
}
_IN_QUARANTINE: Final = """\
Why a payload is in the table `quarantine` (`hub_quarantined_total`). One that is good in parts is stored in those parts, and
is there as well, with the place of what is not. When the cause is gone, `telemetry-hub db quarantine
retry` takes it once more."""
_SECTIONS: Final = (
    ("Quarantine", _IN_QUARANTINE, REASONS),
    (
        "Refused by the storage",
        "Why a decoded reading is in the table `quarantine` (origin `storage`, `hub_readings_refused_total`).",
        STORAGE_REASONS,
    ),
    ("Given up by a bridge", "What never reached the hub (`bridge_dropped_total`).", BRIDGE_REASONS),
    ("Skipped", "What is no reading by design (`hub_readings_skipped_total`).", SKIPPED),
    ("Tolerated", "What is not quite right, and was read nevertheless (`hub_payloads_tolerated_total`).", TOLERATED),
)


if __name__ == "__main__":
    print("\n".join(page()))  # noqa: T201 - the page
