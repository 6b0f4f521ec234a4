"""What a Mosquitto file is told about; the facts behind each are in reliability's M3 to M8."""

from pathlib import Path

import pytest

from bridge.inspect.mosquitto_conf import read, remarks
from hub.errors import HubError

GOOD = """\
# the file that docs/how-to/connect-your-broker.md ships
persistence true
autosave_on_changes true
autosave_interval 1
max_queued_messages 1000000
max_queued_bytes 536870912
max_inflight_messages 1000
max_packet_size 1048576
"""


def test_a_file_that_loses_nothing_gets_no_remark() -> None:
    assert remarks(GOOD) == []


def test_an_empty_file_is_told_all_that_its_defaults_lose() -> None:
    assert [remark.option for remark in remarks("")] == ["max_queued_messages", "persistence", "max_inflight_messages"]


@pytest.mark.parametrize(
    ("line", "option", "says"),
    [
        ("max_queued_bytes 512MB", "max_queued_bytes", "read as 512 bytes"),
        ("max_queued_bytes 1000000", "max_queued_bytes", "1,000,000 bytes"),
        ("max_queued_messages 1000", "max_queued_messages", "1,000 messages"),
        ("max_queued_messages 0", "max_queued_messages", "unlimited"),
        ("max_queued_messages 1M", "max_queued_messages", "plain number"),
        ("queue_qos0_messages true", "queue_qos0_messages", "QoS 0"),
        ("autosave_on_changes false", "autosave_on_changes", "killed"),
        ("autosave_interval 1800", "autosave_interval", "changes"),
        ("max_inflight_messages 20", "max_inflight_messages", "400 a second"),
        ("max_packet_size 268435456", "max_packet_size", "1 MiB"),
    ],
)
def test_a_line_that_loses_or_slows_is_named_with_the_line_to_write(line: str, option: str, says: str) -> None:
    (remark,) = remarks(f"{GOOD}{line}\n")

    assert (remark.option, says in remark.consequence) == (option, True)
    assert remarks(f"{GOOD}{line}\n{remark.write}\n") == []


def test_included_files_count(tmp_path: Path) -> None:
    parts = tmp_path / "conf.d"
    parts.mkdir()
    (parts / "bridge.conf").write_text(GOOD, encoding="utf-8")
    main = tmp_path / "mosquitto.conf"
    main.write_text(f"include_dir {parts}\n", encoding="utf-8")

    assert remarks(read(main)) == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"none\.conf"):
        read(tmp_path / "none.conf")
