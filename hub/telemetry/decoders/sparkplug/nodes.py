"""The edge nodes that are remembered: bounded, and no stranger can push out one that is at work.

Policy when MAX_NODES or MAX_METRICS is reached: those that were silent longest go first, if silent for QUIET_US; while
there are none, a new node is not remembered. Its births give readings, its data are refused as `needs_rebirth`, and it is
not asked for a rebirth, which would not help.
"""

from typing import Final

from hub.telemetry.decoders.sparkplug.node import Node

MAX_NODES: Final = 20_000
MAX_METRICS: Final = 500_000  # over all nodes; about 300 octets each
QUIET_US: Final = 3_600_000_000


class Nodes:
    """Edge nodes by name, the one that was silent longest first."""

    def __init__(self, max_nodes: int = MAX_NODES, max_metrics: int = MAX_METRICS) -> None:
        self._nodes: dict[str, Node] = {}
        self._max_nodes = max_nodes
        self._max_metrics = max_metrics
        self.metrics = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def heard(self, name: str, now_us: int) -> Node:
        """Return the node, which has just sent something; a new one if it is not known."""
        node = self._nodes.pop(name, None)
        if node is None:
            self._forget_the_silent(now_us)
            node = Node()
            node.remembered = len(self._nodes) < self._max_nodes and self.metrics < self._max_metrics
        if node.remembered:
            self._nodes[name] = node
        node.heard_us = now_us
        return node

    @property
    def room(self) -> int:
        """How many more metrics may be remembered."""
        return max(0, self._max_metrics - self.metrics)

    def _forget_the_silent(self, now_us: int) -> None:
        while self._nodes and (len(self._nodes) >= self._max_nodes or self.metrics >= self._max_metrics):
            name, node = next(iter(self._nodes.items()))
            if now_us - node.heard_us < QUIET_US:
                return
            del self._nodes[name]
            self.metrics -= node.size
