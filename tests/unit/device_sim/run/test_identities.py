"""Who devices are to their broker."""

from device_sim.run.identities import client_id
from device_sim.scenario.builtin import find_scenario
from device_sim.schedule.roster import Entry


def test_a_device_is_known_by_its_id_unless_a_broker_would_refuse_it() -> None:
    [zigbee] = [each for each in find_scenario("home").classes if each.name == "zigbee"]

    assert client_id(Entry(11, "tasmota_00000A", zigbee)) == "tasmota_00000A"
    assert client_id(Entry(12, "sensor 1", zigbee)) == "zigbee-12"
