"""`telemetry-hub explain`: which route and decoder take a topic, and what readings come out of a payload, or why none.

The answer comes from the hub's own pipeline, with ends that keep what they are given and store nothing. What a running
hub has learnt from other messages (Sparkplug's aliases, units from a discovery) is not known here: `--live` asks it.
"""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from hub.broker.broker import Broker, BrokerLimits
from hub.errors import HubError
from hub.settings.model import HubSettings, routes_of
from hub.telemetry.audience import Audience
from hub.telemetry.explanation import Explanation
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.routes import Routes
from hub.telemetry.validation import TimeWindow
from hub.telemetry.words import remedy
from hub.topics.bridging import Carried, filter_needed, is_reserved
from hub.topics.names import TopicError, validate_topic
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LINK: Final = re.compile(r"\[([^]]*)\]\([^)]*\)")  # the remedies are written for a page
_OUTCOMES: Final = {
    "readings": "[green]gives readings[/]",
    "nothing": "[yellow]understood, holds no readings[/]",
    "quarantine": "[red]goes to quarantine[/]",
    "not carried": "[red]does not reach the hub[/]",
    "no route": "[red]no route takes it: it is fanned out to subscribers and not stored[/]",
}
_NO_ROUTE_HINT: Final = (
    "Topics that come over a bridge are decoded by their content; those of STOMP clients need a route, "
    "see [[telemetry.routes]] in docs/reference/payloads.md."
)


class _KeepNothing:
    """The end where readings would be stored."""

    def write(self, _readings: Sequence[Reading], _extra_bytes: int, /) -> asyncio.Future[None]:
        return _done()

    def quarantine(self, _item: QuarantinedPayload, /) -> asyncio.Future[None]:
        return _done()

    def device_state(self, _item: DeviceState, /) -> asyncio.Future[None]:
        return _done()


class _Listener(Audience):
    """The end where messages would be fanned out: it wants explanations only."""

    def __init__(self) -> None:
        super().__init__(Broker(BrokerLimits(), "offline", time.monotonic, lambda: None, lambda _: None))
        self.heard: list[bytes] = []

    @property
    def of_explanations(self) -> bool:
        return True

    def wants_explanation(self, topic: str) -> bool:  # noqa: ARG002 - the audience's
        return True

    def explain(self, explanation: Explanation) -> None:
        self.heard.append(explanation.body())


def read_payload(text: str) -> bytes:
    """Return the payload that an argument means: `@file`, or the text itself."""
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise HubError(f"PAYLOAD: cannot read {text[1:]}: {error.strerror}") from error


def explain(
    settings: HubSettings, topic: str, payload: bytes, *, content_type: str | None, retained: bool, bridged: bool
) -> dict[str, Any]:
    """Return the explanation of one message, as hub/telemetry/explanation.py describes it."""
    _check(topic)
    if (kept_out := _kept_out(topic, bridged=bridged)) is not None:
        return kept_out

    async def ask() -> bytes:
        listener = _Listener()
        window = TimeWindow(round(settings.telemetry.future_s * 1_000_000))
        pipeline = Pipeline(routes_of(settings.telemetry), _KeepNothing(), listener, window)
        now_us = time.time_ns() // 1_000
        pipeline.accept(topic, payload, content_type, now_us, retained, bridged)
        return listener.heard[0]

    answer: dict[str, Any] = json.loads(asyncio.run(ask()))
    return answer


def explain_topic(routes: Routes, topic: str, *, bridged: bool) -> dict[str, Any]:
    """Return which route and decoder take a topic, whatever it carries."""
    _check(topic)
    if (kept_out := _kept_out(topic, bridged=bridged)) is not None:
        return kept_out
    route = routes.find(topic, bridged=bridged)
    if route is None:
        return {"topic": topic, "bridged": bridged, "outcome": "no route"}
    return {
        "topic": topic,
        "bridged": bridged,
        "route": route.name,
        "decoder": route.decoder,
        "device": route.origin.device,
    }


def _kept_out(topic: str, *, bridged: bool) -> dict[str, Any] | None:
    """Return the explanation of a topic that reaches no route: a bridge leaves it, or a SEND to it is refused."""
    if bridged and (refusal := Carried().refusal(topic)) is not None:
        command = "; with a `commands` setting of its own the bridge may decide otherwise" if refusal.command else ""
        reason, detail = "command" if refusal.command else "unsendable", refusal.reason + command
        return {"topic": topic, "bridged": True, "outcome": "not carried", "reason": reason, "detail": detail}
    if not bridged and is_reserved(topic):
        detail = "only the hub publishes below $SYS/ and readings/: a SEND is refused"
        return {"topic": topic, "bridged": False, "outcome": "not carried", "reason": "reserved", "detail": detail}
    return None


def show(console: Console, answer: dict[str, Any]) -> None:
    """Print an explanation for people."""
    console.print(
        f"[bold]{_plain(answer['topic'])}[/] {'over a bridge' if answer['bridged'] else 'from a STOMP client'}"
    )
    if answer["bridged"] and (needed := filter_needed(answer["topic"])) is not None:
        console.print(f"filter   a bridge needs {_plain(needed)} for it: # matches no topic that begins with $")
    outcome = answer.get("outcome")
    if answer.get("route"):
        console.print(f"route    {_plain(answer['route'])}")
        console.print(f"decoder  {answer['decoder']}")
        console.print(f"device   {_plain(answer['device'])}  (what the topic says; the payload may say another)")
    if outcome is None:
        console.print("Give a payload as well, to see its readings: explain TOPIC PAYLOAD, or explain TOPIC @file")
        return
    console.print(f"outcome  {_OUTCOMES[outcome]}")
    if outcome == "no route":
        console.print(_plain(_NO_ROUTE_HINT))
        return
    if answer["reason"]:
        console.print(f"reason   {_plain(answer['reason'])}: {_plain(answer['detail'])}")
        _show_remedy(console, answer["reason"])
    if outcome != "not carried":
        _show_outcome(console, answer)


def _show_outcome(console: Console, answer: dict[str, Any]) -> None:
    for detail in answer["conflicts"]:
        console.print(f"conflict {_plain(detail)}")
    for reason, detail in answer["faults"]:
        console.print(f"fault    {_plain(reason)}: {_plain(detail)}")
        _show_remedy(console, reason)
    if answer["readings"]:
        _show_readings(console, answer["readings"])
    if answer["old_state"]:
        console.print(f"{answer['old_state']} retained without a device time: old state, not stored")
    if answer["readings_without_time"]:
        console.print(f"{answer['readings_without_time']} without a device time: they get the time of their receipt.")
    for metric in answer.get("like_a_time", ()):
        console.print(f"         {_plain(metric)} looks like a time: a format in the settings can say that it is one")
    for name in ("skipped", "tolerated"):
        for kind, count in answer.get(name, {}).items():
            console.print(f"{name:<9}{kind}: {count}" if name == "skipped" else f"{name} {kind}: {count}")
            _show_remedy(console, kind)
    for state in answer["states"]:
        console.print(
            f"state    {_plain(state['device'])} is {'online' if state['online'] else 'offline'} ({_plain(state['state'])})"
        )
    for command in answer["commands"]:
        console.print(f"command  {command['bytes']} bytes to {_plain(command['topic'])}")


def _plain(text: str) -> str:
    """Return text as it stands, whoever wrote it: no markup, and no sequences that the terminal would obey."""
    return escape(_CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text))


def _show_readings(console: Console, readings: list[dict[str, Any]]) -> None:
    """Print a table whose cells are whole, however narrow the terminal is: long lines go on in the next."""
    rows = [("device", "metric", "time", "value", "unit", "")]
    for reading in readings:
        flags = " ".join(flag for flag in ("historical", "transient") if reading.get(flag))
        value = json.dumps(reading["v"], ensure_ascii=False)
        names = (_plain(reading["device"]), _plain(reading["metric"]))
        rows.append((*names, reading["t"], _plain(value), _plain(reading.get("unit", "")), flags))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(line, style="dim" if number == 0 else None)


def _show_remedy(console: Console, word: str) -> None:
    if text := remedy(word):
        without_links = _LINK.sub(r"\1", text)
        console.print(f"         {_plain(without_links)}", style="dim")


def _check(topic: str) -> None:
    try:
        validate_topic(topic)
    except TopicError as error:
        raise HubError(f"TOPIC: {error}") from None


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
