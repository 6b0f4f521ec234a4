"""The session: opening (section 3 of the STOMP reference), the state table (3.3), checks of each frame, ERROR."""

from collections.abc import Callable

import pytest

from hub.refusal import CloseCode, Reason, Refusal
from hub.stomp.decoder import HeaderCache
from hub.stomp.frames import Frame
from hub.stomp.header_block import CodecLimits
from hub.stomp.session import Commit, Connect, Event, Failure, Receipt, Session, SessionLimits, State
from hub.stomp.transactions import TransactionLimits
from tests.support.core import ServerFrame, octets, server_frames

LIMITS = SessionLimits()


def session(limits: SessionLimits = LIMITS, check_send: Callable[[Frame], None] = lambda _: None) -> Session:
    return Session(limits, HeaderCache(), check_send)


def opened(version: str = "1.2", limits: SessionLimits = LIMITS) -> Session:
    made = session(limits)
    head = "" if version == "1.0" else f"accept-version:{version}\n"
    (event,) = made.receive(octets(f"CONNECT\n{head}\n^@"), 0.0)
    assert isinstance(event, Connect)
    made.accept("s1", 0.0)
    assert version == made.dialect.version
    return made


def failure(made: Session, text: str) -> Refusal:
    """Send bytes of which the last is wrong; give what was wrong."""
    events = made.receive(octets(text), 0.0)
    assert isinstance(events[-1], Failure), events
    assert State.FAILED == made.state
    return events[-1].error


def error_frame(made: Session, error: Refusal) -> ServerFrame:
    (frame,) = server_frames(made.fail(error), made.dialect)
    assert "ERROR" == frame.command
    assert str(len(frame.body)) == frame.headers["content-length"]
    return frame


def commands(events: list[Event]) -> list[str]:
    return [event.command if isinstance(event, Frame) else type(event).__name__ for event in events]


# Opening.


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_connect_and_stomp_open_in_any_version_without_host(command: str, version: str) -> None:
    made = session()
    (event,) = made.receive(octets(f"{command}\naccept-version:{version}\nheart-beat:0,0\n\n^@"), 0.0)
    assert isinstance(event, Connect)
    (connected,) = server_frames(made.accept("abc", 1.0), made.dialect)
    assert ("CONNECTED", version, "abc") == (
        connected.command,
        connected.headers["version"],
        connected.headers["session"],
    )
    assert connected.headers["server"].partition("/")[0] == "telemetry-hub"
    assert State.OPEN == made.state


def test_connected_has_the_headers_of_the_reference_in_1_0_too() -> None:
    made = session()
    made.receive(octets("CONNECT\nlogin:u\npasscode:p\nheart-beat:1000,1000\n\n^@"), 0.0)
    (connected,) = server_frames(made.accept("s", 0.0), made.dialect)
    assert ["version", "heart-beat", "session", "server"] == [name for name, _ in connected.items]
    assert ("1.0", "0,0") == (connected.headers["version"], connected.headers["heart-beat"])
    assert made.heartbeat is not None
    assert made.heartbeat.deadline() is None


@pytest.mark.parametrize(
    ("client", "hub"),
    [
        ("heart-beat:5000,3000\n", "3000,5000"),
        ("heart-beat:1,1\n", "2000,2000"),
        ("heart-beat:90000,0\n", "0,60000"),
        ("heart-beat:0,90000\n", "60000,0"),
        ("heart-beat:0,0\n", "0,0"),
        ("", "0,0"),
    ],
)
def test_connected_offers_the_periods_that_the_client_asks_for_within_the_limits(client: str, hub: str) -> None:
    made = session(SessionLimits(heart_beat_min_ms=2_000, heart_beat_max_ms=60_000))
    made.receive(octets(f"CONNECT\naccept-version:1.2\n{client}\n^@"), 0.0)

    (connected,) = server_frames(made.accept("s", 0.0), made.dialect)

    assert hub == connected.headers["heart-beat"]


def test_the_first_deadline_counts_from_connected() -> None:
    made = session()
    made.receive(octets("CONNECT\naccept-version:1.2\nheart-beat:10000,0\n\n^@"), 0.0)
    made.accept("s", 100.0)
    assert made.heartbeat is not None
    assert 120.0 == made.heartbeat.deadline()


def test_any_octet_is_life() -> None:
    made = opened()
    assert made.heartbeat is not None
    for now, data in ((1.0, b"\n"), (2.0, b"SEN"), (3.0, b"D\n")):
        made.receive(data, now)
        assert now == made.heartbeat.last_received


@pytest.mark.parametrize("accept", ["2.0", "", "rubbish"])
def test_without_a_common_version_the_error_lists_ours(accept: str) -> None:
    made = session()
    error = failure(made, f"CONNECT\naccept-version:{accept}\n\n^@")
    frame = error_frame(made, error)
    assert {
        "message": "Version mismatch",
        "version": "1.0,1.1,1.2",
        "content-type": "text/plain",
        "content-length": "34",
    } == frame.headers
    assert b"Supported versions are 1.0,1.1,1.2" == frame.body
    assert CloseCode.PROTOCOL_ERROR == error.answer.close_code


def test_login_and_passcode_are_given_raw_and_unknown_headers_too() -> None:
    made = session()
    text = "STOMP\naccept-version:1.2\nlogin:a:b\npasscode:a\\cb\nAuthorization:Bearer x\nreceipt:r\nclient-id:c\n\n^@"
    (event,) = made.receive(octets(text), 0.0)
    assert isinstance(event, Connect)
    assert ("a:b", "a\\cb", "Bearer x") == (
        event.headers["login"],
        event.headers["passcode"],
        event.headers["Authorization"],
    )
    assert b"receipt" not in made.accept("s", 0.0)


def test_leading_spaces_of_a_1_0_connect_are_stripped_and_of_others_are_not() -> None:
    for head, login in (("", "u"), ("accept-version: 1.2\n", " u")):
        (event,) = session().receive(octets(f"CONNECT\n{head}login: u\n\n^@"), 0.0)
        assert isinstance(event, Connect)
        assert login == event.headers["login"]


def test_a_malformed_heart_beat_is_an_error() -> None:
    assert "Bad heart-beat" == failure(session(), "CONNECT\naccept-version:1.2\nheart-beat:x,1\n\n^@").reason.value


@pytest.mark.parametrize(
    "frame", ["SEND\ndestination:/topic/a\n\nx^@", "SUBSCRIBE\n\n^@", "DISCONNECT\n\n^@", "BEGIN\n\n^@"]
)
def test_nothing_is_done_before_connect(frame: str) -> None:
    made = session()
    events = made.receive(octets(frame + "CONNECT\n\n^@"), 0.0)
    assert ["Failure"] == commands(events)
    assert isinstance(events[0], Failure)
    assert "Not connected" == events[0].error.reason.value


@pytest.mark.parametrize("text", ["NOPE\n\n^@", "MESSAGE\n\n^@", "\rx", "CONNECT\nnocolon\n\n^@", "CONNECT\n\nbody^@"])
def test_what_is_no_frame_before_connect_is_an_error(text: str) -> None:
    failure(session(), text)


def test_line_ends_before_connect_are_skipped() -> None:
    assert ["Connect"] == commands(session().receive(octets("\n\r\n^@\nCONNECT\n\n^@"), 0.0))


def test_frames_behind_connect_wait_for_the_login_and_run_in_order() -> None:
    made = session()
    first = made.receive(octets("CONNECT\naccept-version:1.2\n\n^@SEND\ndestination:/topic/a\nk:\\c\n\n1^@SUB"), 0.0)
    assert ["Connect"] == commands(first)
    assert [] == made.receive(octets("SCRIBE\nid:1\ndestination:/topic/a\n\n^@"), 0.0)
    made.accept("s", 0.0)
    events = made.receive(b"", 0.0)
    assert ["SEND", "SUBSCRIBE"] == commands(events)
    assert isinstance(events[0], Frame)
    assert ":" == events[0].headers["k"]


@pytest.mark.parametrize("flood", ["\n" * 101, "CONNECT\nk:" + "x" * 200, "CONNECT\n" + "k:v\n" * 50])
@pytest.mark.parametrize("piece", [1, 1_000])
def test_octets_before_connect_are_bounded_however_they_come(flood: str, piece: int) -> None:
    made = session(SessionLimits(opening_bytes=100))
    data = octets(flood)
    events: list[Event] = []
    for position in range(0, len(data), piece):
        events += made.receive(data[position : position + piece], 0.0)
    (event,) = events
    assert isinstance(event, Failure)
    assert ("Too much before CONNECT", CloseCode.TOO_BIG) == (event.error.reason.value, event.error.answer.close_code)


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_what_follows_connect_does_not_count_before_it_however_the_stream_is_cut(piece: int) -> None:
    made = session(SessionLimits(opening_bytes=100))
    data = octets("CONNECT\naccept-version:1.2\n\n^@SEND\ndestination:/topic/a\n\n" + "x" * 500 + "^@")
    seen: list[str] = []
    for position in range(0, len(data), piece):
        events = made.receive(data[position : position + piece], 0.0)
        seen += commands(events)
        if events and isinstance(events[0], Connect):
            made.accept("s", 0.0)
            seen += commands(made.receive(b"", 0.0))
    assert ["Connect", "SEND"] == seen


def test_while_a_login_runs_only_the_opening_budget_is_read() -> None:
    made = session(SessionLimits(opening_bytes=100))
    made.receive(octets("CONNECT\n\n^@"), 0.0)
    assert [] == made.receive(b"x" * 80, 0.0)
    assert ["Failure"] == commands(made.receive(b"x" * 80, 0.0))


def test_to_accept_what_did_not_ask_is_a_programming_error() -> None:
    with pytest.raises(RuntimeError):
        session().accept("s", 0.0)


# The state table.


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_a_second_connect_is_an_error(command: str) -> None:
    error = failure(opened(), f"{command}\naccept-version:1.2\n\n^@")
    assert "Already connected" == error.reason.value


@pytest.mark.parametrize("command", ["FOO", "MESSAGE", "CONNECTED", "RECEIPT", "ERROR"])
def test_a_servers_frame_or_an_unknown_command_is_an_error(command: str) -> None:
    assert "Unknown command" == failure(opened(), f"{command}\n\n^@").reason.value


AFTER = [
    "SEND\ndestination:/topic/a\n\n^@",
    "SEND\n\n^@",
    "SEND\ndestination:/topic/a\ntransaction:none\n\n^@",
    "SEND\ndestination:/topic/a\nmessage-id:1\n\n^@",
    "COMMIT\ntransaction:none\n\n^@",
    "CONNECT\n\n^@",
    "NOPE\n\n^@",
    "\n\r\n^@",
]


@pytest.mark.parametrize("after", AFTER)
def test_what_follows_disconnect_is_ignored(after: str) -> None:
    made = opened()
    assert ["DISCONNECT"] == commands(made.receive(octets("DISCONNECT\nreceipt:r\n\n^@" + after), 0.0))
    assert [] == made.receive(octets(after), 0.0)
    assert State.DISCONNECTING == made.state


@pytest.mark.parametrize("after", AFTER)
def test_what_follows_an_error_is_discarded(after: str) -> None:
    made = opened()
    assert ["SEND", "Failure"] == commands(
        made.receive(octets("SEND\ndestination:/topic/a\n\n^@SEND\n\n^@" + after), 0.0)
    )
    assert [] == made.receive(octets(after), 0.0)
    assert State.FAILED == made.state


def test_the_state_stays_failed_when_the_wire_goes() -> None:
    made = opened()
    made.fail(Refusal(Reason.TIMEOUT, "x"))
    made.close()
    assert State.FAILED == made.state


# Frames of an open connection.


@pytest.mark.parametrize(
    ("version", "frame", "summary"),
    [
        ("1.2", "SEND\n\n^@", "Missing header"),
        ("1.2", "SEND\ndestination:\n\n^@", "Missing header"),
        ("1.2", "SEND\ndestination:/topic/a\nmessage-id:7\n\n^@", "Bad header"),
        ("1.2", "SUBSCRIBE\nid:1\n\n^@", "Missing header"),
        ("1.1", "SUBSCRIBE\ndestination:/topic/a\n\n^@", "Missing header"),
        ("1.2", "SUBSCRIBE\ndestination:/topic/a\n\n^@", "Missing header"),
        ("1.0", "SUBSCRIBE\n\n^@", "Missing header"),
        ("1.2", "UNSUBSCRIBE\ndestination:/topic/a\n\n^@", "Missing header"),
        ("1.1", "UNSUBSCRIBE\ndestination:/topic/a\n\n^@", "Missing header"),
        ("1.0", "UNSUBSCRIBE\n\n^@", "Missing header"),
        ("1.2", "ACK\nmessage-id:1\n\n^@", "Missing header"),
        ("1.2", "NACK\n\n^@", "Missing header"),
        ("1.1", "ACK\nid:1\n\n^@", "Missing header"),
        ("1.0", "NACK\nid:1\n\n^@", "Missing header"),
        ("1.2", "BEGIN\n\n^@", "Missing header"),
        ("1.2", "COMMIT\n\n^@", "Missing header"),
        ("1.2", "ABORT\n\n^@", "Missing header"),
        ("1.2", "COMMIT\ntransaction:t\n\n^@", "Unknown transaction"),
        ("1.2", "ABORT\ntransaction:t\n\n^@", "Unknown transaction"),
        ("1.2", "SEND\ndestination:/topic/a\ntransaction:t\n\n^@", "Unknown transaction"),
        ("1.2", "ACK\nid:1\ntransaction:t\n\n^@", "Unknown transaction"),
        ("1.2", "NACK\nid:1\ntransaction:\n\n^@", "Unknown transaction"),
        ("1.2", "BEGIN\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@", "Bad transaction"),
    ],
)
def test_a_frame_that_lacks_something_is_an_error_with_its_receipt(version: str, frame: str, summary: str) -> None:
    assert summary == failure(opened(version), frame).reason.value
    head, _, rest = frame.rpartition("\n\n")
    with_receipt = f"{head}\nreceipt:r-42\n\n{rest}"
    made = opened(version)
    error = failure(made, with_receipt)
    assert (summary, "r-42") == (error.reason.value, error_frame(made, error).headers["receipt-id"])


@pytest.mark.parametrize(
    ("version", "frame"),
    [
        ("1.0", "SUBSCRIBE\ndestination:/topic/a\nack:client-individual\n\n^@"),
        ("1.0", "UNSUBSCRIBE\ndestination:/topic/a\n\n^@"),
        ("1.0", "UNSUBSCRIBE\nid:1\n\n^@"),
        ("1.0", "NACK\nmessage-id:1\n\n^@"),
        ("1.1", "ACK\nmessage-id:1\n\n^@"),
        ("1.1", "ACK\nmessage-id:1\nsubscription:other\n\n^@"),
        ("1.2", "ACK\nid:1\nsubscription:x\nmessage-id:2\n\n^@"),
        ("1.2", "SUBSCRIBE\nid:1\ndestination:/topic/a\ntransaction:none\ndurable:true\nx-queue:1\n\n^@"),
        ("1.2", "UNSUBSCRIBE\nid:1\ntransaction:none\n\n^@"),
        ("1.2", "SEND\ndestination:/topic/a\nunknown:header\n\n^@"),
    ],
)
def test_what_a_version_allows_goes_to_the_broker(version: str, frame: str) -> None:
    assert [frame.partition("\n")[0]] == commands(opened(version).receive(octets(frame), 0.0))


def test_many_frames_give_their_events_in_order() -> None:
    events = opened().receive(
        octets("SEND\ndestination:/topic/a\nn:{}\n\n^@".replace("{}", "1") * 50 + "ACK\nid:9\n\n^@"), 0.0
    )
    assert ["SEND"] * 50 + ["ACK"] == commands(events)


# Transactions.


def test_a_transaction_is_handed_over_at_commit_in_arrival_order() -> None:
    made = opened()
    events = made.receive(
        octets(
            "BEGIN\ntransaction:t\nreceipt:b\n\n^@SEND\ndestination:/topic/a\ntransaction:t\nreceipt:s\n\n1^@"
            "ACK\nid:5\ntransaction:t\n\n^@SEND\ndestination:/topic/b\n\nfree^@NACK\nid:6\ntransaction:t\n\n^@"
            "COMMIT\ntransaction:t\nreceipt:c\n\n^@"
        ),
        0.0,
    )
    assert ["Receipt", "SEND", "Commit"] == commands(events)
    assert Receipt("b") == events[0]
    commit = events[2]
    assert isinstance(commit, Commit)
    assert (["SEND", "ACK", "NACK"], "c") == ([frame.command for frame in commit.frames], commit.receipt)
    assert commit.settles
    assert ["s", None, None] == [frame.receipt for frame in commit.frames]


def test_abort_answers_its_own_receipt_only_and_discards() -> None:
    made = opened()
    text = (
        "BEGIN\ntransaction:t\n\n^@SEND\ndestination:/topic/a\ntransaction:t\nreceipt:s\n\n1^@"
        "ABORT\ntransaction:t\nreceipt:a\n\n^@"
    )
    assert [Receipt("a")] == made.receive(octets(text), 0.0)
    events = made.receive(octets("BEGIN\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@"), 0.0)
    assert [Commit([], None, settles=False)] == events


@pytest.mark.parametrize("name", ["", "__proto__", "é", "a b", "x" * 5_000])
def test_a_transaction_name_is_any_text(name: str) -> None:
    events = opened().receive(octets(f"BEGIN\ntransaction:{name}\n\n^@COMMIT\ntransaction:{name}\n\n^@"), 0.0)
    assert [Commit([], None, settles=False)] == events


def test_a_bad_send_in_a_transaction_is_refused_when_it_arrives() -> None:
    def check(frame: Frame) -> None:
        raise Refusal(Reason.BAD_DESTINATION, frame.headers["destination"], receipt=frame.receipt)

    made = session(check_send=check)
    made.receive(octets("CONNECT\naccept-version:1.2\n\n^@"), 0.0)
    made.accept("s", 0.0)
    error = failure(made, "BEGIN\ntransaction:t\n\n^@SEND\ndestination:/topic/+\ntransaction:t\nreceipt:r\n\n^@")
    assert ("Bad destination", "r") == (error.reason.value, error.receipt)


def test_open_transactions_and_their_frames_are_bounded() -> None:
    limits = SessionLimits(transactions=TransactionLimits(open=2, frames=3))
    begin = "BEGIN\ntransaction:{}\n\n^@"
    assert (
        "Too many transactions"
        == failure(opened(limits=limits), "".join(begin.format(n) for n in range(3))).reason.value
    )
    send = "SEND\ndestination:/topic/a\ntransaction:0\n\n^@"
    error = failure(opened(limits=limits), begin.format(0) + send * 4)
    assert ("Transaction too large", CloseCode.TOO_BIG) == (error.reason.value, error.answer.close_code)


def test_disconnect_and_errors_abort_what_is_open() -> None:
    for end in ("DISCONNECT\n\n^@", "NOPE\n\n^@"):
        made = opened()
        made.receive(octets("BEGIN\ntransaction:t\n\n^@"), 0.0)
        made.receive(octets(end), 0.0)
        assert made._transactions is not None
        assert 0 == len(made._transactions)


# ERROR.


def test_an_error_has_a_short_message_and_a_body_that_explains() -> None:
    made = opened()
    frame = error_frame(made, failure(made, "SUBSCRIBE\nreceipt:a\\cb\nid:1\n\n^@"))
    assert ("Missing header (destination)", "a:b", "text/plain", "1.0,1.1,1.2") == tuple(
        frame.headers[name] for name in ("message", "receipt-id", "content-type", "version")
    )
    assert b'SUBSCRIBE needs the header "destination"' == frame.body


def test_client_text_in_an_error_is_bounded_and_on_one_line() -> None:
    made = opened()
    frame = error_frame(made, failure(made, "COMMIT\ntransaction:" + "x\\n" * 2_000 + "\n\n^@"))
    assert len(frame.body) < 300
    assert b"\n" not in frame.body


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("SEND\ndestination:/topic/a\ncontent-length:2000\n\n", CloseCode.TOO_BIG),
        ("SEND\n" + "k:v\n" * 30 + "\n^@", CloseCode.TOO_BIG),
        ("NOPE\n\n^@", CloseCode.PROTOCOL_ERROR),
    ],
)
def test_an_error_knows_its_close_code(frame: str, code: int) -> None:
    limits = SessionLimits(codec=CodecLimits(body_bytes=1_000, headers=20))
    assert code == failure(opened(limits=limits), frame).answer.close_code


def test_an_error_before_connect_is_readable_too() -> None:
    made = session()
    assert "Unknown command" == error_frame(made, failure(made, "GET / HTTP/1.1\n\n")).headers["message"]
