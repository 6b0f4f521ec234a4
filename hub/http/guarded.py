"""The base of the hub's HTTP handlers: refuses requests for other hosts, answers errors as JSON.

Not here: who the user is. RFC 9110 section 15.5.20 gives the answer to a request for somebody else's authority: 421.
"""

import json
from http.client import responses
from typing import Any

from tornado.web import HTTPError, RequestHandler

from hub.http.hosts import AllowedHosts


class GuardedHandler(RequestHandler):
    """A handler that answers only for the hub's own names; `hosts` is its one argument in the routing table."""

    def initialize(self, hosts: AllowedHosts) -> None:
        self.hosts = hosts

    def prepare(self) -> None:
        if not self.hosts.allows(self.request.headers.get("Host")):
            raise HTTPError(421, "the Host header names another host; add the name to the hub's settings")

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the reason that our own code gave; a bug's text stays in the log."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        detail = error.log_message if isinstance(error, HTTPError) and error.log_message else None
        self.finish_json({"error": detail or responses.get(status_code, "error")})

    def finish_json(self, document: dict[str, object]) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document, default=str))
