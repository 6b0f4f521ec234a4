"""A tree of topic names that finds those that a filter matches: the reverse of `tree`.

Used for last values: asking for one device of a hundred thousand costs only the look-up of that device.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from hub.topics.names import ONE, RESERVED, REST, SEPARATOR

T = TypeVar("T")


class _Node(Generic[T]):
    """One level of some names, with the value of the name that ends here."""

    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] | None = None  # most are leaves
        self.value: T | None = None


class NameTree(Generic[T]):
    """Topic names, each with a value."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def get(self, name: str) -> T | None:
        """Return the value of a name, None if it is not there."""
        node: _Node[T] | None = self._root
        for level in name.split(SEPARATOR):
            node = None if node is None or node.children is None else node.children.get(level)
        return None if node is None else node.value

    def add(self, name: str, value: T) -> None:
        """Add a name, or change its value."""
        node = self._root
        for level in name.split(SEPARATOR):
            if node.children is None:
                node.children = {}
            node = node.children.setdefault(level, _Node())
        node.value = value

    def remove(self, name: str) -> None:
        """Remove a name and prune what is empty.

        Raises:
            KeyError: it is not there.
        """
        path: list[tuple[_Node[T], str]] = []
        node = self._root
        for level in name.split(SEPARATOR):
            path.append((node, level))
            node = (node.children or {})[level]
        node.value = None
        for parent, level in reversed(path):
            children = parent.children or {}
            child = children[level]
            if child.value is not None or child.children:
                break
            del children[level]

    def clear(self) -> None:
        """Forget everything."""
        self._root = _Node()

    def matching(self, levels: tuple[str, ...]) -> Iterator[T]:
        """Return the values of the names that a filter's levels match, one by one.

        The tree may change between two of them: what is added meanwhile may or may not appear, what is removed does not.
        """
        depth = len(levels)
        stack = [(self._root, 0)]
        while stack:
            node, position = stack.pop()
            rest = position < depth and levels[position] == REST
            if (position == depth or rest) and node.value is not None:
                yield node.value
            if position == depth or node.children is None:
                continue
            level = levels[position]
            if rest or level == ONE:
                # A leading wildcard does not reach reserved topics (MQTT 3.1.1, section 4.7.2).
                step = position if rest else position + 1
                stack += [
                    (child, step)
                    for name, child in reversed(node.children.items())
                    if node is not self._root or not name.startswith(RESERVED)
                ]
            elif (child := node.children.get(level)) is not None:
                stack.append((child, position + 1))
