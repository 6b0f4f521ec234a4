r"""Passwords from files: one that holds nothing else, or libpq's password file with a line for each database.

Both are read for each connection: whoever rotates passwords writes a new file. libpq's file is read here and not by the
driver, which reads no `\:` in a password, and passes over a file that others may read without a word.
"""

import os
import stat
from pathlib import Path
from typing import Final

from storage.address import Address, Host

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_password(address: Address, host: Host | None, password_file: Path | None) -> str | None:
    """Return the password for this address on this host; None when there is none. Raises OSError."""
    if password_file is not None:
        return password_file.read_text(encoding="utf-8").rstrip("\r\n")
    if address.password is not None:
        return address.password
    named = address.passfile or os.environ.get("PGPASSFILE")
    file = Path(named) if named else Path("~/.pgpass").expanduser()
    if not named and not file.is_file():
        return None
    if file.stat().st_mode & OTHERS:
        raise PermissionError(None, f"others may read it, and so it is not used: chmod 600 {file}")
    name = "localhost" if host is None or host.name.startswith("/") else host.name
    port = "5432" if host is None else str(host.port)
    user = address.user or os.environ.get("PGUSER") or ""
    wanted = (name, port, address.database or os.environ.get("PGDATABASE") or user, user)
    for line in file.read_text(encoding="utf-8").splitlines():
        fields = _fields(line)
        if len(fields) == 5 and all(field in {"*", value} for field, value in zip(fields, wanted, strict=False)):
            return fields[4]
    return None


def _fields(line: str) -> list[str]:
    """Split a line at its colons; a backslash takes the next character as it is."""
    fields, characters = [""], iter(line)
    if line.startswith("#"):
        return []
    for character in characters:
        if character == ":" and len(fields) < 5:
            fields.append("")
        else:
            fields[-1] += next(characters, "") if character == "\\" else character
    return fields
