"""Which paths there are, under which prefix, and what every other path gets as an answer.

Users of other systems look for the WebSocket elsewhere: at `/stomp`, `/ws/info` (SockJS), `/mqtt`, or
at the root. So whatever is not there is answered by a text that names `/ws`.
"""

import re
from collections.abc import Sequence
from typing import Any

from tornado.web import Application, RedirectHandler

from hub.http.gate import Gate
from hub.http.guarded import GuardedHandler

WEBSOCKET = "/ws"
# SockJS asks for <base>/info first, then opens <base>/<server>/<session>/<transport>.
_SOCKJS = re.compile(
    r"/(info|iframe[^/]*\.html|[^/]+/[^/]+/(websocket|xhr(_streaming|_send)?|eventsource|htmlfile|jsonp(_send)?))$"
)


def upgrade_asked(header: str | None) -> bool:
    """Whether an `Upgrade` header asks for a WebSocket."""
    return "websocket" in (header or "").lower()


def where_to_go(path: str, asked: str) -> str:
    """Return the answer to a request for a path that does not exist; `asked` is safe to repeat."""
    hint = " SockJS is not spoken: use a plain WebSocket." if _SOCKJS.search(path) else ""
    return f"Nothing is at {asked}. STOMP over WebSocket is at {WEBSOCKET}.{hint} The page is at /.\n"


class NotFoundHandler(GuardedHandler):
    """Every other path, with any method."""

    def prepare(self) -> None:
        super().prepare()
        self.set_status(404)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(where_to_go(self.request.path, self.request.path[:100]))


def build_application(rules: Sequence[tuple[Any, ...]], gate: Gate, prefix: str) -> Application:
    """Return the hub's paths, at the root and, where a prefix is set, under it as well: proxies strip it, or do not."""
    table: list[tuple[Any, ...]] = []
    if prefix:
        table.append((re.escape(prefix), RedirectHandler, {"url": f"{prefix.rpartition('/')[2]}/"}))
    for path, *rest in rules:
        table.append((f"(?:{re.escape(prefix)})?{path}" if prefix else path, *rest))
    return Application(
        table,
        default_handler_class=NotFoundHandler,
        default_handler_args={"gate": gate},
        log_function=_no_access_log,
        cross_origin_protection=True,
    )


def _no_access_log(handler: object) -> None:
    """Requests are counted, not logged: a line per request would be useless at these rates."""
