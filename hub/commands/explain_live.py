"""`telemetry-hub explain --live`: asks a running hub what becomes of the messages that arrive on a topic now.

A STOMP client of the hub's as any other: it subscribes to `/topic/$SYS/explain/<topic filter>`. Connection and parsing are
stomp.py's; its callbacks run in its thread and only enqueue.
"""

import json
import logging
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import stomp
from stomp.adapter.ws import WSStompConnection
from stomp.exception import StompException
from websocket import WebSocketException

from hub.errors import HubError
from hub.telemetry.explanation import PREFIX
from hub.topics import destinations

CONNECT_TIMEOUT_S: Final = 5.0
MAX_WAITING: Final = 1_000  # explanations not printed yet; more are left out: a person cannot read so many

logging.getLogger("stomp.py").setLevel(logging.CRITICAL)  # what it would say is raised here


@dataclass(frozen=True, slots=True)
class LiveQuestion:
    """Whom to ask about what, for how long and how often at most."""

    hub_url: str
    login: str | None
    passcode: str | None
    topic: str
    seconds: float
    messages: int


class _Ears(stomp.ConnectionListener):  # type: ignore[misc]
    """What the hub says, in a queue: a body, or why the connection ended."""

    def __init__(self) -> None:
        self.heard: queue.Queue[bytes | str] = queue.Queue(MAX_WAITING)
        self._refusal = ""

    def on_message(self, frame: Any) -> None:
        self._put(frame.body.encode())

    def on_error(self, frame: Any) -> None:
        self._refusal = frame.headers.get("message", "") or "the hub refused"
        self._put(f"{self._refusal}: {frame.body}".strip(": \n"))

    def on_disconnected(self) -> None:
        if not self._refusal:
            self._put("the hub closed the connection")

    def _put(self, item: bytes | str) -> None:
        try:
            self.heard.put_nowait(item)
        except queue.Full:
            return


def ask(question: LiveQuestion) -> Iterator[dict[str, Any]]:
    """Yield the explanation of each message as it arrives; raise HubError when the hub cannot be asked."""
    url = urlsplit(question.hub_url)
    if url.scheme != "ws" or not url.hostname:
        raise HubError(f"--hub-url: {question.hub_url} is not ws://host:port/path")
    ears = _Ears()
    connection = WSStompConnection(
        [(url.hostname, url.port or 80)],
        prefer_localhost=False,
        try_loopback_connect=False,
        reconnect_attempts_max=1,
        timeout=CONNECT_TIMEOUT_S,
        ws_path=url.path or "/ws",
        vhost=url.hostname,
    )
    connection.set_listener("explain", ears)
    try:
        connection.connect(question.login, question.passcode, wait=True)
        connection.subscribe(destinations.topic(f"{PREFIX}{question.topic}"), id="explain")
    except (OSError, StompException, WebSocketException) as error:
        raise HubError(f"--hub-url: {question.hub_url}: {str(error) or 'cannot connect'}") from error
    try:
        yield from _answers(question, ears)
    finally:
        connection.disconnect()


def _answers(question: LiveQuestion, ears: _Ears) -> Iterator[dict[str, Any]]:
    end = time.monotonic() + question.seconds
    for _ in range(question.messages):
        try:
            heard = ears.heard.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            return
        if isinstance(heard, str):
            raise HubError(heard)
        yield json.loads(heard)
