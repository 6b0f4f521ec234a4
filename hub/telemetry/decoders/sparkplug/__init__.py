"""Sparkplug B: edge nodes that announce names, types and aliases in births and then send little but values.

topics          what a topic carries, and of whom
schema          protobuf: octets to payloads
values          datatypes: what a value means
sequence        whether messages were lost
node            one edge node: births, aliases, the table of states
rebirths        how often births are asked for
metric_reader   one metric to readings
decoder         a message to readings, states and requests
"""

from hub.telemetry.decoders.sparkplug.decoder import Sparkplug

__all__ = ["Sparkplug"]
