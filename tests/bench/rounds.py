"""The same load on a baseline and on the hub, in turns; which of the two begins alternates, so that a drift hits both."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from tests.bench.servers import Server
from tests.bench.stompload import Load, Stompload

BUSY = 0.9  # CPU seconds a second from which on a server is taken to be at its limit


@dataclass(slots=True)
class Rounds:
    """The loads of both sides, a pair a round."""

    baseline: list[Load] = field(default_factory=list)
    hub: list[Load] = field(default_factory=list)
    limit: list[Load] = field(default_factory=list)

    def raw(self) -> dict[str, list[dict[str, float]]]:
        """Return them for the JSON file."""
        sides = (("baseline", self.baseline), ("hub", self.hub), ("limit", self.limit))
        return {name: [asdict(one) for one in loads] for name, loads in sides if loads}


def in_turns(
    baseline: Server,
    hub: Server,
    stompload: Stompload,
    arguments: Sequence[str],
    seconds: float,
    rounds: int,
    limit: Server | None = None,
) -> Rounds:
    """Load each for so many seconds, as often as there are rounds; `limit` is the loop without semantics, where wanted."""
    taken = Rounds()
    sides = [(baseline, taken.baseline), (hub, taken.hub)]
    if limit is not None:
        sides.append((limit, taken.limit))
    for _ in range(rounds):
        for server, loads in sides:
            loads.append(stompload.run(server.port, server.pid, arguments, seconds))
        sides.reverse()
    return taken
