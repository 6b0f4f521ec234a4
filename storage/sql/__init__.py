"""SQL statements beyond a few lines, one file each with a head comment; `statement(name)` reads one."""

from functools import cache
from pathlib import Path


@cache
def statement(name: str) -> str:
    """Return the text of `<name>.sql`."""
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
