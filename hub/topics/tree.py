"""A tree of topic filters that finds the values whose filters match a topic.

One node a level; a node's `+` and `#` children stand beside its literal ones. Matching costs at most 2 ** wildcards paths
of the topic's depth, which the filter limits bound. Values of one filter keep the order in which they were added. Holds
no cache: the broker remembers results for topics that come often.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from hub.topics.names import ONE, RESERVED, REST, SEPARATOR, FilterLimits, parse_filter

T = TypeVar("T")


class Node(Generic[T]):
    """One level of some filters, with the values of the filter that ends here."""

    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, Node[T]] = {}
        self.values: dict[T, None] = {}


class TopicTree(Generic[T]):
    """Filters with values; `match` gives the values for a topic."""

    def __init__(self, limits: FilterLimits = FilterLimits()) -> None:
        self._root: Node[T] = Node()
        self._limits = limits

    def add(self, topic_filter: str, value: T) -> None:
        """Add a value under a filter; the same value twice under one filter counts once.

        Raises:
            TopicError: the filter is not legal.
        """
        node = self._root
        for level in parse_filter(topic_filter, self._limits):
            node = node.children.setdefault(level, Node())
        node.values[value] = None

    def remove(self, topic_filter: str, value: T) -> None:
        """Remove a value and prune what is empty.

        Raises:
            KeyError: it is not there.
        """
        path: list[tuple[Node[T], str]] = []
        node = self._root
        for level in parse_filter(topic_filter, self._limits):
            path.append((node, level))
            node = node.children[level]
        del node.values[value]
        for parent, level in reversed(path):
            child = parent.children[level]
            if child.values or child.children:
                break
            del parent.children[level]

    def match(self, topic: str) -> list[T]:
        """Return the values of all filters that match the topic, a value once for each of its filters."""
        return [value for node in self.match_nodes(topic) for value in node.values]

    def match_nodes(self, topic: str) -> list[Node[T]]:
        """Return the nodes instead, for callers that share work between topics with the same matches."""
        found: list[Node[T]] = []
        levels = topic.split(SEPARATOR)
        depth = len(levels)
        # (node, position): an explicit stack, as recursion costs more and depth is the sender's choice.
        stack = [(self._root, 0)]
        while stack:
            node, position = stack.pop()
            children = node.children
            # A leading wildcard does not reach reserved topics (MQTT 3.1.1, section 4.7.2).
            wild = position > 0 or not topic.startswith(RESERVED)
            if wild and (rest := children.get(REST)) is not None:
                found.append(rest)
            if position == depth:
                if node.values:
                    found.append(node)
                continue
            if wild and (one := children.get(ONE)) is not None:
                stack.append((one, position + 1))
            level = levels[position]
            if level not in {ONE, REST} and (child := children.get(level)) is not None:
                stack.append((child, position + 1))
        return found

    def __iter__(self) -> Iterator[T]:
        """Yield all values, in no particular order."""
        stack = [self._root]
        while stack:
            node = stack.pop()
            yield from node.values
            stack.extend(node.children.values())
