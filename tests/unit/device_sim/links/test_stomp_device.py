"""A burst's frames, read back by the hub's own decoder."""

from device_sim.links.stomp_device import encode_transaction
from device_sim.message import Message
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import V1_2
from hub.stomp.header_block import CodecLimits


def test_a_burst_is_one_transaction_with_one_receipt() -> None:
    topics = ["devices/sim-00001/telemetry", "a:b\\c/ä"]
    messages = [Message(n, n, "d", ("m",), 0, 0.0, topic, b'{"ts":1,"m":%d}' % n) for n, topic in enumerate(topics)]
    decoder = FrameDecoder(CodecLimits(), HeaderCache())
    decoder.use(V1_2)
    begin, first, second, commit = decoder.feed(encode_transaction("b17", messages))

    assert [frame.command for frame in (begin, first, second, commit)] == ["BEGIN", "SEND", "SEND", "COMMIT"]
    assert {frame.headers["transaction"] for frame in (begin, first, second, commit)} == {"t"}
    assert [frame.headers["destination"] for frame in (first, second)] == [f"/topic/{topic}" for topic in topics]
    assert [bytes(frame.body) for frame in (first, second)] == [message.payload for message in messages]
    assert commit.headers["receipt"] == "b17"
    assert not any("receipt" in frame.headers for frame in (begin, first, second))
