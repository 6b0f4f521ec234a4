"""Quarantine: what could not become readings, kept with its reason instead of blocking what comes after.

A quarantined payload has an identity made of its content, so storing it again after an unclear commit adds no row. It
keeps all that its decoding depended on (content type, origin, whether it was retained): a retry decodes it exactly as
the first time.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from storage.device_state import DeviceState
from storage.reading import Reading

DETAIL_CHARACTERS = 2000

Origin: TypeAlias = Literal["bridge", "direct", "storage"]
"""How a payload came: over a bridge, directly from a client, or as a decoded reading that the storage refused."""


@dataclass(frozen=True, slots=True)
class QuarantinedPayload:
    """One refused payload: where it came from, what it was, why and when it was refused."""

    topic: str
    payload: bytes
    reason: str
    """A short code in a fixed vocabulary: `decode`, `clock`, `name`, `value`, `refused` and those of the decoders."""
    received_us: int
    """Hub time in microseconds since 1970-01-01 UTC."""
    detail: str = ""
    content_type: str | None = None
    origin: Origin = "bridge"
    retained: bool = False

    @property
    def identity(self) -> UUID:
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.topic.encode(errors="surrogatepass"), self.payload, str(self.received_us).encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return UUID(bytes=digest.digest())


def storable_text(text: str, limit: int = DETAIL_CHARACTERS) -> str:
    """Return `text` as Postgres can store it: no NUL, no lone surrogate, at most `limit` characters."""
    return text[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def refused_reading(reading: Reading, reason: str, detail: str, received_us: int) -> QuarantinedPayload:
    """Return the quarantine entry of a decoded reading that the storage cannot take."""
    content = json.dumps(reading._asdict(), default=str).encode()
    topic = f"reading:{reading.device}/{reading.metric}"
    return QuarantinedPayload(topic, content, reason, received_us, detail, "application/json", "storage")


def refused_state(state: DeviceState, reason: str, detail: str, received_us: int) -> QuarantinedPayload:
    """Return the quarantine entry of a device state that the storage cannot take."""
    content = json.dumps(state._asdict(), default=str).encode()
    return QuarantinedPayload(
        f"state:{state.device}", content, reason, received_us, detail, "application/json", "storage"
    )


def reading_of(item: QuarantinedPayload) -> Reading:
    """Return the reading that `refused_reading` was given; raises ValueError for anything else."""
    try:
        return Reading(**json.loads(item.payload))
    except TypeError as error:
        raise ValueError(f"not a refused reading: {error}") from None
