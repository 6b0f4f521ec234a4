"""What `telemetry-hub explain` does with its options: offline, or live; printed for people, or as JSON.

Exit status 0 when readings come out (without a payload: when a route takes the topic), 1 when none do.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hub.commands import explain_offline as explain
from hub.errors import HubError
from hub.settings.model import load_settings, routes_of


@dataclass(frozen=True, slots=True)
class Question:
    """The options of the command."""

    topic: str
    payload: str | None
    live: bool
    direct: bool
    retained: bool
    content_type: str | None
    as_json: bool
    hub_url: str
    login: str | None
    passcode: str | None


def run(question: Question, config: Path | None, *, seconds: float, messages: int) -> int:
    """Print the answer; return the exit status. Raises HubError."""
    console = Console(highlight=False, soft_wrap=True)
    seen = good = 0
    for answer in _live(question, console, seconds, messages) if question.live else [_offline(question, config)]:
        seen += 1
        good += answer.get("outcome", "readings") == "readings"
        if question.as_json:
            print(json.dumps(answer, ensure_ascii=False), flush=True)  # noqa: T201 - the command's answer
        else:
            explain.show(console, answer)
    if not seen:
        text = (
            f"nothing arrived on {question.topic} within {seconds:g} s: is the bridge connected, does one of its filters "
            "match? `telemetry-bridge check` and `telemetry-bridge explain` tell"
        )
        print(text, file=sys.stderr)  # noqa: T201 - the command's answer
    return 0 if good else 1


def _offline(question: Question, config: Path | None) -> dict[str, Any]:
    settings = load_settings(config).settings
    if question.payload is None:
        return explain.explain_topic(routes_of(settings.telemetry), question.topic, bridged=not question.direct)
    return explain.explain(
        settings,
        question.topic,
        explain.read_payload(question.payload),
        content_type=question.content_type,
        retained=question.retained,
        bridged=not question.direct,
    )


def _live(question: Question, console: Console, seconds: float, messages: int) -> Iterable[dict[str, Any]]:
    from hub.commands.explain_live import LiveQuestion, ask  # stomp.py: nothing that the offline answer needs

    if question.payload is not None:
        raise HubError("PAYLOAD: with --live the payloads are those that arrive; leave it out")
    if not question.as_json:
        console.print(f"waiting for messages on {question.topic} …", style="dim", markup=False)
    return ask(LiveQuestion(question.hub_url, question.login, question.passcode, question.topic, seconds, messages))
