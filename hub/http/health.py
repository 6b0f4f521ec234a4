"""`/livez` and `/readyz`, for whoever starts, restarts and balances the hub.

- `/livez` 200: the event loop turns. It looks at nothing else, so that a database outage does not restart the hub.
- `/readyz` 200: every check is ok, 503: one is not. The body says which and why.

Probes address a container by whatever name or address they like, so a foreign `Host` gets the status too, but none of
the details.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from hub.http.gate import Gate
from hub.http.guarded import GuardedHandler

# A check returns at once: {"ok": bool, "detail": str, ...}, all of it JSON. `Store.health` is one.
Check: TypeAlias = Callable[[], Mapping[str, object]]


class LivezHandler(GuardedHandler):
    def prepare(self) -> None:
        """Answer for every host."""

    def get(self) -> None:
        self.finish_json({"ok": True})

    head = get


class ReadyzHandler(GuardedHandler):
    def initialize(self, gate: Gate, checks: Mapping[str, Check]) -> None:  # type: ignore[override]
        super().initialize(gate)
        self.checks = checks

    def prepare(self) -> None:
        """Answer for every host."""

    def get(self) -> None:
        results = {name: dict(check()) for name, check in self.checks.items()}
        ok = all(result.get("ok") is True for result in results.values())
        self.set_status(200 if ok else 503)
        if self.gate.own_name(self.request):
            self.finish_json({"ok": ok, "checks": results})
        else:
            self.finish_json({"ok": ok})

    head = get
