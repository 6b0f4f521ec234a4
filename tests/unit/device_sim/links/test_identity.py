"""URLs of the command line."""

import pytest

from device_sim.errors import BadArgumentError
from device_sim.links.identity import parse_address


def test_parts_and_defaults() -> None:
    address = parse_address("mqtt://fleet:s%40crt@broker", "mqtt", "--mqtt-url")

    assert (address.host, address.port, address.username, address.password) == ("broker", 1883, "fleet", "s@crt")


def test_a_path_is_kept_for_websocket() -> None:
    assert str(parse_address("ws://[::1]:8080/ws", "ws", "--hub-url")) == "ws://[::1]:8080/ws"


def test_the_password_is_never_shown() -> None:
    address = parse_address("mqtt://fleet:secret@broker:1884", "mqtt", "--mqtt-url")

    assert str(address) == "mqtt://broker:1884"
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    "url", ["broker:1883", "http://u:secret@h", "mqtt://", "mqtt://h:99999", "mqtt://u:secret@h:port", "mqtts://"]
)
def test_a_wrong_url_names_the_option_and_no_password(url: str) -> None:
    with pytest.raises(BadArgumentError, match="--mqtt-url") as caught:
        parse_address(url, "mqtt", "--mqtt-url")

    assert "secret" not in str(caught.value)
