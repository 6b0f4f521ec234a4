"""TLS of a class of devices: which files, and the context made of them once."""

import functools
import ssl
from pathlib import Path
from typing import NamedTuple

from device_sim.errors import BadArgumentError


class TlsFiles(NamedTuple):
    """Whom to trust and who we are; None means the system's authorities, and no certificate of our own."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@functools.cache
def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context for these files; BadArgumentError names the one that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise BadArgumentError("tls ca", f"cannot use {files.ca}: {error.strerror or error}") from error
    if files.certificate is not None:
        try:
            context.load_cert_chain(files.certificate, files.key)
        except OSError as error:
            raise BadArgumentError("tls certificate", f"cannot use {files.certificate}: {error}") from error
    return context
