"""What the hub is sent about commands, read by its own decoder."""

from bridge.down.commands import Answer
from bridge.hub.command_frames import RECEIPT, encode_answers, subscribe
from hub.broker.options import AckMode, parse_options
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import V1_2
from hub.stomp.frames import Frame
from hub.stomp.header_block import CodecLimits


def decoded(data: bytes) -> list[Frame]:
    decoder = FrameDecoder(CodecLimits(), HeaderCache())
    decoder.use(V1_2)
    frames = decoder.feed(data)
    assert decoder.error is None
    assert not decoder.started
    return frames


def test_one_subscribe_for_each_filter_all_named_in_an_error() -> None:
    frames = decoded(subscribe(["+/+/commands", "a:b/#"], 20))
    options = [parse_options(frame.headers) for frame in frames]

    assert [(frame.command, frame.headers["id"], frame.headers["destination"]) for frame in frames] == [
        ("SUBSCRIBE", "0", "/topic/+/+/commands"),
        ("SUBSCRIBE", "1", "/topic/a:b/#"),
    ]
    assert {frame.receipt for frame in frames} == {RECEIPT}
    assert {(option.ack, option.prefetch, option.confirms) for option in options} == {(AckMode.INDIVIDUAL, 20, True)}


def test_a_refusal_carries_its_reason() -> None:
    ack, nack = decoded(encode_answers([Answer("a1", None), Answer("a2", "too\nlarge: 5")]))

    assert (ack.command, ack.headers["id"]) == ("ACK", "a1")
    assert (nack.command, nack.headers["id"], nack.headers["reason"]) == ("NACK", "a2", "too\nlarge: 5")
