"""Sparkplug B: edge nodes that announce names, types and aliases in births and then send little but values.

topics          what a topic carries, and of whom
schema          protobuf: bytes to payloads
values          datatypes: what a value means
sequence        whether messages were lost
node            one edge node: births, aliases, the table of states
rebirths        how often births are asked for
metric_reader   one metric to readings
decoder         a message to readings, states and requests
"""

from typing import Final

from hub.telemetry.decoders.row import Decoder, Row, Topics

__all__ = ["ROW"]


def _make() -> Decoder:
    # Protobuf takes as long to import as all other decoders together.
    from hub.telemetry.decoders.sparkplug.decoder import Sparkplug

    return Sparkplug()


ROW: Final = Row(
    "sparkplug",
    _make,
    topics=(
        Topics.of("Sparkplug B", r"spBv1\.0/(?P<rest>.+)"),
        Topics.of("Sparkplug host before version 3", r"STATE/(?P<rest>[^/]+)"),
    ),
    options=frozenset({"arrays"}),
)
