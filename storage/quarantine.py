"""Quarantine: what could not become readings, kept with its reason instead of blocking what comes after.

A quarantined payload has an identity made of its content, so storing it again after an unclear commit adds no row.
"""

import hashlib
import json
from dataclasses import dataclass
from uuid import UUID

from storage.reading import Reading

DETAIL_CHARACTERS = 2000


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
    return QuarantinedPayload(f"reading:{reading.device}/{reading.metric}", content, reason, received_us, detail)
