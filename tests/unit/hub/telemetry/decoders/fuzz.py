"""What decoders of JSON must survive: any document of their own keys, and any literal cut anywhere."""

from collections.abc import Iterable

from hypothesis import strategies as st

from hub.telemetry.decoders import Decoder
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from tests.support.telemetry import NOW_US

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**65)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["2026-11-20T16:00:00Z", "°C", "1e999", "9" * 30, "ON", 1763654400, "\0", "\ud800"])
)


def documents(*keys: str) -> st.SearchStrategy[object]:
    """Return JSON values whose keys are often those that the decoder knows."""
    names = st.sampled_from(keys) | st.text(max_size=3)
    return st.recursive(
        _LEAVES,
        lambda children: st.lists(children, max_size=4) | st.dictionaries(names, children, max_size=5),
        max_leaves=20,
    )


def survive(decode: Decoder, body: bytes, origins: Iterable[Origin]) -> None:
    """Anything but a PayloadError fails the test."""
    for origin in origins:
        try:
            readings = decode(body, origin, NOW_US, Notes())
        except PayloadError:
            continue
        for reading in readings:
            assert isinstance(reading.value, str | float | bool)
            assert reading.value == reading.value


def cut(body: str) -> Iterable[bytes]:
    """Return the literal cut at every byte."""
    octets = body.encode()
    return (octets[:end] for end in range(len(octets)))
