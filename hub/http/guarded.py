"""The base of the hub's HTTP handlers: requests pass the gate, errors are answered as JSON.

Not here: who the user is.
"""

import json
from http.client import responses
from types import TracebackType
from typing import Any

from tornado.web import HTTPError, RequestHandler

from hub.http.gate import Gate


class GuardedHandler(RequestHandler):
    """A handler behind the gate, which is its one argument in the routing table."""

    def initialize(self, gate: Gate) -> None:
        self.gate = gate

    def prepare(self) -> None:
        if (refusal := self.gate.refusal(self.request)) is not None:
            raise HTTPError(refusal.status, refusal.text)

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the reason that our own code gave; a bug's text stays in the log."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        reason = error.get_message() if isinstance(error, HTTPError) else None
        self.finish_json({"error": reason or responses.get(status_code, "error")})

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log defects only: a refusal is an answer, and anybody could fill the log with them."""
        if not isinstance(value, HTTPError):
            super().log_exception(typ, value, tb)

    def finish_json(self, document: dict[str, object]) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document, default=str))
