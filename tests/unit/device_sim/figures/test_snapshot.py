"""The figures of a moment, added up over processes, and how a person sees them."""

from rich.console import Console

from device_sim.figures.snapshot import Odometer, Snapshot
from device_sim.run.live import table


def test_counts_add_up_and_the_worst_latency_counts() -> None:
    one = Snapshot(at_s=3.0, devices=10, up=9, messages=100, sent_per_s=10.0, acked_p99_s=0.1, loop_lag_s=0.02)
    two = Snapshot(at_s=3.1, devices=10, up=10, messages=50, sent_per_s=5.0, acked_p99_s=0.3, loop_lag_s=0.01)
    both = Snapshot.together([one, two])

    assert (both.devices, both.up, both.messages, both.sent_per_s) == (20, 19, 150, 15.0)
    assert (both.at_s, both.acked_p99_s, both.loop_lag_s) == (3.1, 0.3, 0.02)


def test_rates_are_of_the_time_since_the_last_look() -> None:
    odometer = Odometer()

    assert odometer.read(1.0, (100, 90, 0)) == (100.0, 90.0, 0.0)
    assert odometer.read(3.0, (300, 190, 50)) == (100.0, 50.0, 25.0)


def test_the_table_names_the_faults_that_act() -> None:
    console = Console(width=120, record=True, file=None, quiet=False, stderr=True)
    with console.capture() as capture:
        console.print(table("storm", Snapshot(at_s=12.0, devices=1_000, up=250), ["reconnect-storm"]))

    shown = capture.get()
    assert "250 of 1,000" in shown
    assert "reconnect-storm" in shown


def test_a_line_for_machines_has_every_figure() -> None:
    line = Snapshot(at_s=1.23456, devices=3).as_json(["stuck"])

    assert line["at_s"] == 1.2346
    assert line["faults"] == ["stuck"]
    assert set(Snapshot._fields) < set(line)
