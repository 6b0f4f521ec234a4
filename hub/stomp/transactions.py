"""The open transactions of one connection (STOMP 1.2, BEGIN, COMMIT, ABORT).

A transaction gathers SEND, ACK and NACK frames until COMMIT hands them over in the order in which they came. Ids are the
client's text, unique among the open ones and free again afterwards. Nothing is done before COMMIT; a lost connection
forgets everything. Bounded in transactions, in frames and in bytes.
"""

from typing import NamedTuple

from hub.refusal import Reason, Refusal, quoted
from hub.stomp.frames import Frame

FRAME_OVERHEAD = 200  # bytes counted for a frame beside its headers and body, so that empty frames are not free


class TransactionLimits(NamedTuple):
    """Bounds for one connection."""

    open: int = 4
    frames: int = 1_000
    bytes: int = 16_777_216


class Transaction:
    """What one transaction has gathered."""

    __slots__ = ("frames", "settles", "size")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.settles = False  # whether some of them are ACK or NACK
        self.size = 0


class Transactions:
    """All open transactions of a connection."""

    __slots__ = ("_limits", "_open")

    def __init__(self, limits: TransactionLimits) -> None:
        self._limits = limits
        self._open: dict[str, Transaction] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def bytes(self) -> int:
        """Return what all of them hold."""
        return sum([transaction.size for transaction in self._open.values()])

    def begin(self, name: str, receipt: str | None) -> None:
        """Open one.

        Raises:
            Refusal: it is open already, or too many are.
        """
        if name in self._open:
            raise Refusal(Reason.BAD_TRANSACTION, f"transaction {quoted(name)} is already open", receipt=receipt)
        if len(self._open) >= self._limits.open:
            raise Refusal(
                Reason.TOO_MANY_TRANSACTIONS, f"at most {self._limits.open} may be open at once", receipt=receipt
            )
        self._open[name] = Transaction()

    def add(self, name: str, frame: Frame) -> None:
        """Put a frame into an open one.

        Raises:
            Refusal: it is not open, or would grow over a limit.
        """
        transaction = self._open.get(name)
        if transaction is None:
            raise self._unknown(frame.head.command, name, frame.receipt)
        head, body, _ = frame
        frames = transaction.frames
        frames.append(frame)
        transaction.size += len(body) + head.size + FRAME_OVERHEAD
        if len(frames) > self._limits.frames or transaction.size > self._limits.bytes:
            raise Refusal(
                Reason.TRANSACTION_TOO_LARGE,
                f"transaction {quoted(name)} holds more than {self._limits.frames} frames or {self._limits.bytes} bytes",
                receipt=frame.receipt,
            )

    def settle(self, name: str, frame: Frame) -> None:
        """Put an ACK or NACK into an open one.

        Raises:
            Refusal: as `add` does.
        """
        self.add(name, frame)
        self._open[name].settles = True

    def commit(self, name: str, receipt: str | None) -> Transaction:
        """Close one and return it.

        Raises:
            Refusal: it is not open.
        """
        return self._close("COMMIT", name, receipt)

    def abort(self, name: str, receipt: str | None) -> None:
        """Close one and forget its frames.

        Raises:
            Refusal: it is not open.
        """
        self._close("ABORT", name, receipt)

    def clear(self) -> None:
        """Forget everything, as a lost connection does."""
        self._open.clear()

    def _close(self, command: str, name: str, receipt: str | None) -> Transaction:
        transaction = self._open.pop(name, None)
        if transaction is None:
            raise self._unknown(command, name, receipt)
        return transaction

    @staticmethod
    def _unknown(command: str, name: str, receipt: str | None) -> Refusal:
        return Refusal(
            Reason.UNKNOWN_TRANSACTION,
            f"{command}: no transaction {quoted(name)} is open on this connection",
            receipt=receipt,
        )
