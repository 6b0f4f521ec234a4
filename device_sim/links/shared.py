"""The shared link: a few connections for the whole fleet, made once and kept; to a broker or to a hub, by the address.

A full window or a lost connection is back-pressure for the whole fleet: nothing waits beside the windows. To a hub each
burst is a transaction: its RECEIPT costs a hundredth of one for each reading.
"""

import uuid
from collections.abc import Sequence

from device_sim.links.device_connection import Bounds
from device_sim.links.devices import DeviceLink, Identity
from device_sim.links.identity import MqttIdentity, StompIdentity, TlsFiles
from device_sim.links.link import LinkEvents
from device_sim.message import LinkAction, Message
from hub.clients.endpoint import Endpoint
from hub.clients.mqtt_client import MqttLogin

CONNECTIONS = 4
WINDOW = 2_000


class SharedLink(DeviceLink):
    """Implements `link.Link`; a source's messages always take the same connection."""

    def __init__(
        self,
        address: Endpoint,
        events: LinkEvents,
        *,
        sources: int,
        connections: int = CONNECTIONS,
        window: int = WINDOW,
        tls: TlsFiles | None = None,
    ) -> None:
        # Random, not seeded: two simulators with one seed must not throw each other off the broker.
        name = f"device-sim-{uuid.uuid4().hex[:8]}"
        identities = {
            number: _identity(address, f"{name}-{number}", tls) for number in range(min(connections, sources))
        }
        # The connections are nobody's: nobody has a will or is born with them.
        super().__init__(identities, LinkEvents(events.acknowledged, events.room), bounds=Bounds(window))

    @property
    def room(self) -> int:
        self._check()
        return min(connection.room for connection in self._connections.values())

    async def start(self) -> None:
        await super().start()
        for connection in self._connections.values():
            connection.connect()
        await self._all_up.wait()

    def send(self, messages: Sequence[Message]) -> None:
        self.counts.outstanding += len(messages)
        shares: list[list[Message]] = [[] for _ in self._connections]
        for message in messages:
            shares[message.source % len(shares)].append(message)
        for connection, share in zip(self._connections.values(), shares, strict=True):
            if share:
                connection.send(share)

    def act(self, action: LinkAction) -> None:
        """Do nothing: the connections are nobody's."""


def _identity(address: Endpoint, name: str, tls: TlsFiles | None) -> Identity:
    if address.scheme.startswith("mqtt"):
        return MqttIdentity(address, MqttLogin(name, address.username, address.password), tls)
    return StompIdentity(address, address.username, address.password, tls)
