"""`telemetry-bridge check`: can both sides be reached, logged in to and subscribed; if not, why, and what to do.

It connects as `run` does, once and beside a running bridge: with a client id of its own and a session that the broker does
not keep. A shared filter is subscribed to without its group, so that no message of the group comes here and is lost.

A subscription that is granted proves little: Mosquitto grants what its access rules will not deliver. So the answer says
whether a message came, too.
"""

import asyncio
import contextlib
import secrets
from typing import Final, NamedTuple

from bridge.errors import LinkError
from bridge.hub.ending import Loss
from bridge.hub.link import HubLink
from bridge.mqtt.filters import without_share
from bridge.mqtt.link import MqttLink
from bridge.observe import advice
from bridge.settings import BridgeSettings
from hub.clients.mqtt_client import Accepted
from hub.clients.mqtt_parser import Publish

_CLOSE_S: Final = 2.0
_DELIVERY_S: Final = 2.0


class Finding(NamedTuple):
    """One line of the answer."""

    ok: bool
    text: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'FAIL'}  {self.text}" + (f"\n      -> {self.todo}" if self.todo else "")


async def check(settings: BridgeSettings) -> list[Finding]:
    """Try both sides at once."""
    broker, hub = await asyncio.gather(_check_broker(settings), _check_hub(settings))
    return [broker, hub]


async def _check_broker(settings: BridgeSettings) -> Finding:
    probe = settings.model_copy(
        update={
            "client_id": f"{settings.client_id}-check-{secrets.token_hex(3)}",
            "filters": tuple(without_share(text) for text in settings.filters),
        }
    )
    events = _Unheard()
    link = MqttLink(probe, events, lambda: True, lasting=False)
    try:
        await link.connect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DELIVERY_S):
                await events.delivered.wait()
    except LinkError as error:
        return _failed("broker", str(settings.mqtt), str(error), advice.BROKER)
    finally:
        await link.close(_CLOSE_S)
    version = "5" if link.mqtt5 else "3.1.1"
    subscribed = ", ".join(settings.filters)
    text = f"broker {settings.mqtt}: connected with MQTT {version}, subscribed to {subscribed}"
    if link.at_qos_0:
        todo = f"{', '.join(link.at_qos_0)}: granted at QoS 0 only, so messages can be lost; allow QoS 1"
        return Finding(False, text, todo)
    if not events.delivered.is_set():
        return Finding(True, f"{text}; no message came within {_DELIVERY_S:g} s", advice.NOTHING_COMES)
    window = "the broker's window counts (Mosquitto: max_inflight_messages)" if not link.mqtt5 else ""
    return Finding(True, f"{text}; messages come", window)


async def _check_hub(settings: BridgeSettings) -> Finding:
    link = HubLink(settings, _Unheard())
    try:
        await link.connect()
    except LinkError as error:
        return _failed("hub", str(settings.hub), str(error), advice.HUB)
    finally:
        await link.close()
    return Finding(True, f"hub {settings.hub}: connected as bridge {settings.bridge_name!r}")


def _failed(side: str, address: str, reason: str, table: advice.Table) -> Finding:
    return Finding(False, f"{side} {address}: {reason}", advice.of(reason, table))


class _Unheard:
    """Events of links that nobody acts on: what is not acknowledged here stays with the broker."""

    def __init__(self) -> None:
        self.delivered = asyncio.Event()

    def mqtt_messages(self, burst: list[Publish]) -> None:  # noqa: ARG002
        self.delivered.set()

    def mqtt_connected(self, connack: Accepted) -> None: ...
    def mqtt_too_large(self, topic: bytes, size: int) -> None: ...
    def mqtt_lost(self, reason: str) -> None: ...
    def mqtt_published(self, mid: int, refusal: str | None) -> None: ...
    def mqtt_uses(self, mid: int) -> bool:  # noqa: ARG002
        return False

    def hub_connected(self) -> None: ...
    def hub_receipt(self, ident: int) -> None: ...
    def hub_command(self, index: int, ack_id: str, destination: str, body: bytes, content_type: str | None) -> None: ...
    def hub_lost(self, loss: Loss, reason: str) -> None: ...
