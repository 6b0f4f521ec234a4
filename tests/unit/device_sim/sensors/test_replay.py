"""Recordings as sensors: CSV and Parquet, by row or by time."""

import random
from pathlib import Path

import pytest

from device_sim.errors import BadArgumentError
from device_sim.sensors.replay import Replay

CSV = "timestamp,value,other\n100,1,9\n110,2,8\n130,3,7\n"


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "recording.csv"
    path.write_text(CSV)
    return path


def test_a_row_a_sample_and_then_again(csv_file: Path) -> None:
    sample = Replay(kind="replay", file=csv_file, column="other", scattered=False).make(random.Random(0))

    assert [sample(1e9 + n) for n in range(5)] == [9, 8, 7, 9, 8]


def test_each_device_begins_at_a_row_of_its_own(csv_file: Path) -> None:
    sensor = Replay(kind="replay", file=csv_file)

    assert {sensor.make(random.Random(seed))(1e9) for seed in range(20)} == {1, 2, 3}


def test_with_speed_the_row_that_belongs_to_the_time(csv_file: Path) -> None:
    sample = Replay(kind="replay", file=csv_file, speed=2, scattered=False).make(random.Random(0))
    # 30 s recorded in 2 steps, so the last row lasts 15 s: once round is 45 s, here 22.5 s.

    assert [sample(1e9 + t) for t in (0, 4.9, 5, 14.9, 15, 22.4, 22.6, 27.6)] == [1, 1, 2, 2, 3, 3, 1, 2]


def test_parquet_gives_what_csv_gives(tmp_path: Path, csv_file: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    from pyarrow import parquet

    path = tmp_path / "recording.parquet"
    parquet.write_table(pa.table({"timestamp": [100, 110, 130], "value": [1.0, 2.0, 3.0]}), path)
    by_row = Replay(kind="replay", file=path)
    by_time = Replay(kind="replay", file=path, speed=1)

    assert by_row.read().values.tolist() == [1, 2, 3]
    assert by_time.read() == Replay(kind="replay", file=csv_file, speed=1).read()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("timestamp,value\n1,warm\n", "line 2: value 'warm'"),
        ("timestamp,temp\n1,2\n", "no column 'value'"),
        ("timestamp,value\n", "no rows"),
        ("timestamp,value\n2,1\n1,1\n", "go back"),
        ("timestamp,value\nmonday,1\n", "line 2: timestamp"),
    ],
)
def test_a_bad_recording_is_told_with_its_place(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "recording.csv"
    path.write_text(content)

    with pytest.raises(BadArgumentError, match=problem):
        Replay(kind="replay", file=path, speed=1).read()


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_missing_recording_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadArgumentError, match="cannot read"):
        Replay(kind="replay", file=tmp_path / name).read()


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    path = tmp_path / "x.parquet"
    path.write_text("no parquet at all")

    with pytest.raises(BadArgumentError, match="Parquet"):
        Replay(kind="replay", file=path).read()
