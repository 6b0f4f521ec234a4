"""The state of a device on a real Postgres: the newest stays, readings and states make one device."""

import time

from storage.device_state import DeviceState
from storage.engine import RawConnection
from storage.reading import Reading
from storage.store import Store

NOW = time.time_ns() // 1000
_STATES = "SELECT name, online, state, (extract(epoch FROM state_ts) * 1000000)::int8 FROM devices ORDER BY name"


async def test_the_newest_state_of_a_device_stays(store: Store, sql: RawConnection) -> None:
    await store.write([Reading("a", "m", NOW, 1.0)])
    for device, online, state, time_us in (
        ("a", True, "ready", NOW),
        ("b", True, "online", NOW),
        ("a", False, "lost", NOW + 2),
        ("a", True, "ready", NOW + 1),
    ):
        await store.device_state(DeviceState(device, online, state, time_us))

    rows = [tuple(row) for row in await sql.fetch(_STATES)]
    assert rows == [("a", False, "lost", NOW + 2), ("b", True, "online", NOW)]


async def test_several_states_of_one_batch_are_one_row(store: Store, sql: RawConnection) -> None:
    futures = [store.device_state(DeviceState("a", bool(n % 2), f"s{n}\0", NOW + n)) for n in range(5)]
    await futures[-1]

    rows = [tuple(row) for row in await sql.fetch(_STATES)]
    assert rows == [("a", False, "s4\ufffd", NOW + 4)]


async def test_the_catalogue_tells_the_state(store: Store) -> None:
    await store.write([Reading("b", "m", NOW, 1.0)])
    await store.device_state(DeviceState("a", False, "lost", NOW))

    found = [(one.name, one.online, one.state, one.state_us) async for one in store.queries.devices()]
    assert found == [("a", False, "lost", NOW), ("b", None, "", None)]
