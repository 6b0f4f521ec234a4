"""Where a key stands in a TOML file: `tomllib` reads values only, and a person wants the line.

A scan, not a parser: `tomllib` has accepted the file before. It knows headers, keys and what may span lines (texts in
three quotes, arrays, inline tables); keys of an inline table are found at the line where the table begins.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_BARE_OR_QUOTED: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED: Final = rf"{_BARE_OR_QUOTED}(?:\s*\.\s*{_BARE_OR_QUOTED})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=(.*)", re.DOTALL)
_PART: Final = re.compile(_BARE_OR_QUOTED)
_TOKEN: Final = re.compile(r"\"\"\"|'''|\"(?:[^\"\\]|\\.)*\"|'[^']*'|#.*|[\[\]{}]")


class Lines:
    """The lines of one file, by path."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {(): 1}
        self._arrays: dict[Path, int] = {}
        table: Path = ()
        value = _Value()
        for number, line in enumerate(text.split("\n"), start=1):
            if value.open:
                value.read(line)
            elif header := _HEADER.match(line):
                table = self._table(_parts(header[2]), array=header[1] == "[[")
                self._lines.setdefault(table, number)
                if isinstance(table[-1], int):
                    self._lines.setdefault(table[:-1], number)
            elif key := _KEY.match(line):
                path = table
                for part in _parts(key[1]):
                    path = (*path, part)
                    self._lines.setdefault(path, number)
                value.read(key[2])

    def of(self, path: Sequence[str | int]) -> int:
        """Return the line of `path`, or of the nearest table or array around it that has one."""
        for end in range(len(path), 0, -1):
            if (line := self._lines.get(tuple(path[:end]))) is not None:
                return line
        return 1

    def _table(self, parts: Sequence[str], *, array: bool) -> Path:
        path: Path = ()
        for part in parts[:-1]:
            path = self._newest((*path, part))
        path = (*path, parts[-1])
        if array:
            self._arrays[path] = self._arrays.get(path, -1) + 1
        return self._newest(path)

    def _newest(self, path: Path) -> Path:
        """`[a.b]` below `[[a]]` means the last element of `a`."""
        place = self._arrays.get(path)
        return path if place is None else (*path, place)


class _Value:
    """Whether a value continues on the next line."""

    def __init__(self) -> None:
        self._quotes = ""
        self._depth = 0

    @property
    def open(self) -> bool:
        return bool(self._quotes) or self._depth > 0

    def read(self, text: str) -> None:
        position = 0
        while position < len(text):
            if self._quotes:
                end = text.find(self._quotes, position)
                if end < 0:
                    return
                position, self._quotes = end + 3, ""
                continue
            token = _TOKEN.search(text, position)
            if token is None:
                return
            position = token.end()
            if token[0] in {'"""', "'''"}:
                self._quotes = token[0]
            elif token[0] in "[{":
                self._depth += 1
            elif token[0] in "]}":
                self._depth -= 1


def _parts(dotted: str) -> list[str]:
    return [part[1:-1] if part[0] in "\"'" else part for part in _PART.findall(dotted)]
