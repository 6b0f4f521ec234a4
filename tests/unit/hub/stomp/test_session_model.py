"""A session against a simple model, whatever a client sends and however it is cut (F11)."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from hub.stomp.decoder import HeaderCache
from hub.stomp.frames import Frame
from hub.stomp.session import Commit, Connect, Event, Failure, Receipt, Session, SessionLimits, State
from hub.stomp.transactions import TransactionLimits
from tests.support.core import octets

NAMES = st.sampled_from(["a", "b", "c", ""])
RECEIPTS = st.sampled_from([None, "r1", "r2"])
OPEN_LIMIT = 2


class Sessions(RuleBasedStateMachine):
    """The model: a state word, and the bodies that each open transaction holds."""

    bodies = Bundle("bodies")

    @initialize(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=5))
    def start(self, cuts: list[int]) -> None:
        self.session = Session(
            SessionLimits(transactions=TransactionLimits(open=OPEN_LIMIT)), HeaderCache(), _accept_all
        )
        self.state = "waiting"
        self.open: dict[str, list[str]] = {}
        self.cuts = cuts
        self.number = 0

    def give(self, text: str) -> list[str]:
        """Send a frame in pieces; give the events as words."""
        data = octets(text)
        events: list[Event] = []
        position, turn = 0, 0
        while position < len(data):
            step = self.cuts[turn % len(self.cuts)]
            events += self.session.receive(data[position : position + step], 0.0)
            position, turn = position + step, turn + 1
        return [_word(event) for event in events]

    def expect(self, text: str, words: list[str]) -> None:
        if self.state == "waiting":
            words = ["!Not connected"]
        if self.state in {"failed", "gone"}:
            words = []
        assert words == self.give(text)
        if words and words[-1].startswith("!"):
            self.state, self.open = "failed", {}

    @rule(command=st.sampled_from(["CONNECT", "STOMP"]), version=st.sampled_from(["1.2", "1.1,1.2", "3.0"]))
    def connect(self, command: str, version: str) -> None:
        text = f"{command}\naccept-version:{version}\n\n^@"
        if self.state != "waiting":
            self.expect(text, ["!Already connected"])
        elif version == "3.0":
            assert ["!Version mismatch"] == self.give(text)
            self.state = "failed"
        else:
            assert ["Connect"] == self.give(text)
            self.session.accept("s", 0.0)
            self.state = "open"

    @rule(target=bodies)
    def body(self) -> str:
        self.number += 1
        return f"{self.number}"

    @rule(body=consumes(bodies), name=st.one_of(st.none(), NAMES), receipt=RECEIPTS)
    def send(self, body: str, name: str | None, receipt: str | None) -> None:
        line = "" if name is None else f"transaction:{name}\n"
        text = f"SEND\ndestination:/topic/x\n{line}{_receipt(receipt)}\n{body}^@"
        if name is None:
            self.expect(text, [f"SEND {body} {receipt}"])
        elif name not in self.open:
            self.expect(text, ["!Unknown transaction"])
        else:
            self.open[name].append(f"SEND {body} {receipt}")
            self.expect(text, [])

    @rule(name=st.one_of(st.none(), NAMES), command=st.sampled_from(["ACK", "NACK"]), has_id=st.booleans())
    def acknowledge(self, name: str | None, command: str, has_id: bool) -> None:
        line = "" if name is None else f"transaction:{name}\n"
        text = f"{command}\n{'id:7' if has_id else 'message-id:7'}\n{line}\n^@"
        if not has_id:
            self.expect(text, ["!Missing header"])
        elif name is None:
            self.expect(text, [f"{command}  None"])
        elif name not in self.open:
            self.expect(text, ["!Unknown transaction"])
        else:
            self.open[name].append(f"{command}  None")
            self.expect(text, [])

    @rule(name=NAMES, receipt=RECEIPTS)
    def begin(self, name: str, receipt: str | None) -> None:
        text = f"BEGIN\ntransaction:{name}\n{_receipt(receipt)}\n^@"
        if name in self.open:
            self.expect(text, ["!Bad transaction"])
        elif len(self.open) >= OPEN_LIMIT:
            self.expect(text, ["!Too many transactions"])
        else:
            self.expect(text, [f"Receipt {receipt}"] if receipt else [])
            if self.state == "open":
                self.open[name] = []

    @rule(name=NAMES, receipt=RECEIPTS)
    def commit(self, name: str, receipt: str | None) -> None:
        text = f"COMMIT\ntransaction:{name}\n{_receipt(receipt)}\n^@"
        held = self.open.pop(name, None)
        self.expect(text, ["!Unknown transaction"] if held is None else [f"Commit {held} {receipt}"])

    @rule(name=NAMES, receipt=RECEIPTS)
    def abort(self, name: str, receipt: str | None) -> None:
        text = f"ABORT\ntransaction:{name}\n{_receipt(receipt)}\n^@"
        held = self.open.pop(name, None)
        answer = [f"Receipt {receipt}"] if receipt else []
        self.expect(text, ["!Unknown transaction"] if held is None else answer)

    @rule(destination=st.booleans(), identified=st.booleans(), receipt=RECEIPTS)
    def subscribe(self, destination: bool, identified: bool, receipt: str | None) -> None:
        lines = ("destination:/topic/x\n" if destination else "") + ("id:1\n" if identified else "")
        text = f"SUBSCRIBE\n{lines}{_receipt(receipt)}\n^@"
        self.expect(text, [f"SUBSCRIBE  {receipt}"] if destination and identified else ["!Missing header"])

    @rule(gap=st.sampled_from(["\n", "\r\n", "\n\n^@"]))
    def beat(self, gap: str) -> None:
        assert [] == self.give(gap)

    @rule(
        garbage=st.sampled_from(
            ["NOPE\n\n^@", "SEND\nnocolon\n\n^@", "\rX", "SEND\ncontent-length:-1\n\n^@", "ERROR\n\n^@"]
        )
    )
    def garbage(self, garbage: str) -> None:
        words = self.give(garbage)
        assert words == [] if self.state in {"failed", "gone"} else words[0].startswith("!")
        if self.state != "gone":
            self.state, self.open = "failed", {}

    @rule(receipt=RECEIPTS)
    def disconnect(self, receipt: str | None) -> None:
        before = self.state
        self.expect(f"DISCONNECT\n{_receipt(receipt)}\n^@", [f"DISCONNECT  {receipt}"])
        if before == "open":
            self.state, self.open = "gone", {}

    @invariant()
    def states_agree(self) -> None:
        if hasattr(self, "state"):
            words = {"waiting": State.WAITING, "open": State.OPEN, "gone": State.DISCONNECTING, "failed": State.FAILED}
            assert words[self.state] is self.session.state
            opened = self.session._transactions
            assert len(self.open) == (0 if opened is None else len(opened))


def _accept_all(frame: Frame) -> None:
    """Let any destination pass: that is the broker's business."""


def _receipt(receipt: str | None) -> str:
    return "" if receipt is None else f"receipt:{receipt}\n"


def _word(event: Event) -> str:
    if isinstance(event, Frame):
        return f"{event.command} {event.body.decode()} {event.receipt}"
    if isinstance(event, Commit):
        return f"Commit {[_word(frame) for frame in event.frames]} {event.receipt}"
    if isinstance(event, Receipt):
        return f"Receipt {event.receipt}"
    if isinstance(event, Failure):
        return f"!{event.error.reason.value}"
    assert isinstance(event, Connect)
    return "Connect"


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
