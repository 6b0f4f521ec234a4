"""The receipts that one connection owes, and what each of them waits for (design, "The promise").

What is waited for are tokens, opaque here: futures of storage batches, confirmations of consumers. All receipts for one
batch wait together. A token that fails ends the connection: its client sends again, or asks.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence


class _Debt:
    """Receipts that are answered together."""

    __slots__ = ("left", "receipts")

    def __init__(self, receipts: list[str], left: int) -> None:
        self.receipts = receipts
        self.left = left  # tokens that have not come


class Debts:
    """What one connection owes."""

    __slots__ = ("_debts", "_wait_for")

    def __init__(self, wait_for: Callable[[Hashable], None]) -> None:
        """Set the callback that is called once for each token; it must lead to `settle`."""
        self._debts: dict[Hashable, list[_Debt]] = {}
        self._wait_for = wait_for

    def __bool__(self) -> bool:
        return bool(self._debts)

    @property
    def tokens(self) -> Iterable[Hashable]:
        """Return what is waited for."""
        return self._debts.keys()

    def owe(self, tokens: Sequence[Hashable], receipts: list[str]) -> None:
        """Answer receipts once all of these have come."""
        if len(tokens) == 1:
            known = self._debts.get(tokens[0])
            if known is not None and known[-1].left == 1:
                known[-1].receipts += receipts
                return
        debt = _Debt(receipts, len(tokens))
        new = [token for token in tokens if token not in self._debts]
        for token in tokens:
            self._debts.setdefault(token, []).append(debt)
        # Last: what has come already is settled within this call.
        for token in new:
            self._wait_for(token)

    def settle(self, token: Hashable) -> list[str]:
        """Return the receipts that are due: a token has come."""
        due: list[str] = []
        for debt in self._debts.pop(token, ()):
            debt.left -= 1
            if not debt.left:
                due += debt.receipts
        return due

    def fail(self, token: Hashable) -> str | None:
        """Return the first receipt that will never be answered: a token has failed."""
        failed = self._debts.pop(token, ())
        return next((receipt for debt in failed for receipt in debt.receipts), None)
