import pytest

from tests.bench.flood import Flooded, Series, expected, missing, parse_flood, parse_stock
from tests.bench.machine import facts, parse_cpu_model
from tests.bench.stomp_socket import Ends, websocket_text
from tests.bench.stompload import LoadFailed, parse_idle, parse_load

BUSY = (
    "subs=100 pubs=1 topics=1: in 553 msg/s, out 55266 msg/s, receipts 0/s, p50 351.79 ms p99 416.36 ms, "
    "server cpu 0.94 s/s, 17.10 cpu-us/delivery, 1708.86 cpu-us/publish, rss 65 MiB\n"
)
METRICS = 3


def test_a_load_with_deliveries_is_parsed() -> None:
    load = parse_load(BUSY)
    assert (553, 55_266, 416.36, 0.94, 17.1) == (
        load.published,
        load.delivered,
        load.p99_ms,
        load.server_busy,
        load.cpu_us_per_delivery,
    )


def test_a_load_without_deliveries_has_no_cost_of_them() -> None:
    load = parse_load(BUSY.replace(" 17.10 cpu-us/delivery,", ""))
    assert (0, 1708.86) == (load.cpu_us_per_delivery, load.cpu_us_per_publish)


def test_idle_memory_is_parsed() -> None:
    assert 15.3 == parse_idle("idle 1000 conns: rss 114.1 -> 129.1 MiB, 15.3 KiB/conn")


def test_what_a_load_says_instead_is_shown() -> None:
    with pytest.raises(LoadFailed, match="connection refused"):
        parse_load("ERR dial tcp: connection refused")


def test_flood_and_stock_subscriber_are_parsed() -> None:
    assert Flooded(68_000, 34_000, 62_906) == parse_flood("sent 68000 (34000/s), acknowledged 62906 (31453/s)")
    assert (22_500, 39.8) == parse_stock("22500 msg/s, 39.8 cpu-us/message")


def stored(messages: int) -> list[Series]:
    return [
        Series(device, expected(device, messages), 5_000, 5_000 + expected(device, messages) - 1)
        for device in range(min(1_000, messages))
        for _ in range(METRICS)
    ]


def test_all_that_was_acknowledged_is_there() -> None:
    assert 0 == missing(stored(2_500), 2_500)
    assert 0 == missing(stored(2_500), 2_000), "more than was acknowledged is no loss"


def test_a_short_end_a_gap_and_an_absent_series_are_counted() -> None:
    assert METRICS == missing(stored(2_499), 2_500)
    gap = stored(2_500)
    gap[0] = Series(0, 2, 5_000, 5_002)
    assert 1 == missing(gap, 2_500)
    assert 3 == missing(stored(2_500)[1:], 2_500)
    assert METRICS * 10 == missing([], 10)


def test_messages_are_counted_however_the_stream_is_cut() -> None:
    stream = b'\x81~\x00\xffMESSAGE\n\n{"a":1}\0\x81~\x00\xffMESSAGE\n\n{"a":2}\0'
    for cut in range(len(stream) + 1):
        ends = Ends()
        ends.take(stream[:cut])
        ends.take(stream[cut:])
        assert 2 == ends.count


@pytest.mark.parametrize(("length", "header"), [(5, 2), (126, 4), (70_000, 10)])
def test_websocket_frames_have_the_header_of_their_length(length: int, header: int) -> None:
    assert header + 4 + length == len(websocket_text(b"x" * length))


def test_the_machine_has_a_processor() -> None:
    assert "Xeon" == parse_cpu_model("processor : 0\nmodel name\t: Xeon\n")
    assert {"processor", "cores", "kernel", "Python", "uvloop"} <= facts().keys()
