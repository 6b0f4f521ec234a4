"""The STOMP frames of the way down (1.2): one SUBSCRIBE for each command filter, and the answers.

The subscription's id is the filter's index. `receipt-after-ack` makes the hub receipt a command after our ACK, so that
its sender knows that the MQTT broker has it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from bridge.down.commands import Answer
from bridge.hub.property_headers import escape

# The receipt of the last SUBSCRIBE; no number, as those of transactions are.
RECEIPT: Final = "commands"


def subscribe(filters: Sequence[str], prefetch: int) -> bytes:
    """Return the SUBSCRIBEs in one buffer; all of them name the receipt, as an ERROR for any is about this."""
    return b"".join(
        b"SUBSCRIBE\nid:%d\ndestination:/topic/%b\nack:client-individual\nprefetch-count:%d\nreceipt-after-ack:true\n"
        b"receipt:%b\n\n\0" % (index, escape(text.encode()), prefetch, RECEIPT.encode())
        for index, text in enumerate(filters)
    )


def encode_answers(answers: Iterable[Answer]) -> bytes:
    """Return ACKs and NACKs in one buffer."""
    return b"".join(
        b"ACK\nid:%b\n\n\0" % ack_id.encode()
        if refusal is None
        else b"NACK\nid:%b\nreason:%b\n\n\0" % (ack_id.encode(), escape(refusal.encode()))
        for ack_id, refusal in answers
    )
