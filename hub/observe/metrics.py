"""What `/metrics` shows: a table of rows, each reading a plain number from the part that counts it, at scrape.

Not here: counting, and the rows of broker and transports (metrics_of_transports). The parts hold integers and know
nothing of Prometheus. Rules: names begin with `hub_`, base units, `_total` on counters; a label never is a device
or user, only a word of a fixed set; the one with topics is bounded and says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hub.processes.program import installed_version
from hub.telemetry.counters import PipelineCounters
from storage.store import Store

# A mapping: value by the row's label, or by its labels.
Numbers: TypeAlias = float | Mapping[str, float] | Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: `read` is called at each scrape, on the event loop, and must return at once."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[], Numbers]
    label: str | tuple[str, str] = ""


def pipeline_rows(counters: PipelineCounters) -> Sequence[Row]:
    """The rows of the telemetry pipeline."""
    return (
        Row("hub_payloads_received_total", "counter", "Messages on telemetry routes.", lambda: counters.messages),
        Row("hub_readings_received_total", "counter", "Readings decoded and accepted.", lambda: counters.readings),
        Row(
            "hub_readings_rejected_total",
            "counter",
            "Payloads quarantined, by reason.",
            lambda: counters.refused,
            "reason",
        ),
        Row(
            "hub_payloads_quarantined_total",
            "counter",
            "Payloads quarantined, by topic and reason; beyond 200 pairs the topic is `(other topics)`.",
            lambda: counters.refused_topics,
            ("topic", "reason"),
        ),
        Row(
            "hub_commands_requested_total",
            "counter",
            "Messages that decoders sent to devices, such as requests for a rebirth.",
            lambda: counters.commands,
        ),
        Row(
            "hub_readings_skipped_total",
            "counter",
            "Values that are no readings by design, by kind.",
            lambda: counters.skipped,
            "kind",
        ),
        Row(
            "hub_readings_untimed_total",
            "counter",
            "Readings stamped with the receive time, as the device sent none.",
            lambda: counters.readings_without_time,
        ),
        Row(
            "hub_readings_retained_total",
            "counter",
            "Readings of retained messages without a device time: not stored.",
            lambda: counters.retained_untimed,
        ),
        Row(
            "hub_integers_as_text_total",
            "counter",
            "Integers beyond 2^53, stored as the text of their digits.",
            lambda: counters.integers_as_text,
        ),
        Row(
            "hub_payloads_tolerated_total",
            "counter",
            "What payloads did wrong and was read nevertheless, by kind.",
            lambda: counters.tolerated,
            "kind",
        ),
        Row(
            "hub_readings_published_total",
            "counter",
            "Readings encoded because somebody watched their series.",
            lambda: counters.published,
        ),
    )


def store_rows(store: Store) -> Sequence[Row]:
    """The rows of the store."""
    counters = store.counters
    return (
        Row("hub_readings_stored_total", "counter", "Rows committed.", lambda: counters.rows_stored),
        Row("hub_readings_duplicate_total", "counter", "Repeats dropped by key.", lambda: counters.rows_duplicate),
        Row(
            "hub_readings_conflicting_total",
            "counter",
            "Readings of a time that their series has with another value; storage.same_time says which one stays.",
            lambda: counters.rows_conflicting,
        ),
        Row("hub_readings_refused_total", "counter", "Rows the database refused.", lambda: counters.rows_refused),
        Row(
            "hub_readings_without_partition_total",
            "counter",
            "Rows refused because their batch would have made too many partitions.",
            lambda: counters.rows_without_partition,
        ),
        Row(
            "hub_quarantine_dropped_total",
            "counter",
            "Refused payloads that were left out because the quarantine is full.",
            lambda: counters.quarantine_dropped,
        ),
        Row(
            "hub_rows_set_aside_total",
            "counter",
            "Rows that had to wait in the spool because their partition failed.",
            lambda: counters.rows_set_aside,
        ),
        Row("hub_places_failing", "gauge", "Partitions that refused their last rows.", lambda: store.places_failing),
        Row("hub_readings_pending", "gauge", "Rows accepted and not yet durable.", lambda: store.rows_pending),
        Row("hub_store_full", "gauge", "1 while publishers are held back.", lambda: store.full),
        Row("hub_batches_total", "counter", "Batches committed.", lambda: counters.batches),
        Row(
            "hub_batches_staged_total",
            "counter",
            "Batches that met a repeat and went through the staging table.",
            lambda: counters.batches_staged,
        ),
        Row("hub_batch_failures_total", "counter", "Attempts that failed and are repeated.", lambda: counters.failures),
        Row("hub_quarantined_total", "counter", "Payloads stored in quarantine.", lambda: counters.quarantined),
        Row("hub_batches_spooled_total", "counter", "Batches put into the spool.", lambda: counters.batches_spooled),
        Row("hub_spool_batches", "gauge", "Batches waiting in the spool.", lambda: store.spool.batches),
        Row("hub_spool_bytes", "gauge", "Compressed size of what waits in the spool.", lambda: store.spool.bytes),
        Row("hub_spool_oldest_seconds", "gauge", "Age of the oldest batch in the spool.", store.spool_age_s),
        Row(
            "hub_maintenance_rounds_total",
            "counter",
            "Rounds of rollups, partitions and retention that this hub did.",
            lambda: store.maintenance.rounds,
        ),
        Row(
            "hub_maintenance_failures_total",
            "counter",
            "Rounds that failed; the reason is in /readyz.",
            lambda: store.maintenance.failures,
        ),
        Row(
            "hub_partitions_dropped_total",
            "counter",
            "Partitions that were too old and dropped by this hub.",
            lambda: store.maintenance.retention.dropped,
        ),
        Row(
            "hub_retention_held",
            "gauge",
            "1 while partitions are too old and not dropped, for the reason in /readyz.",
            lambda: store.maintenance.retention.held is not None,
        ),
        Row(
            "hub_clock_offset_seconds",
            "gauge",
            "By how much the database's clock is ahead of the hub's.",
            lambda: store.clock.offset_s,
        ),
    )


class HubCollector(Collector):
    """Turns rows into metric families at scrape."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = tuple(rows)

    def collect(self) -> Iterable[Metric]:
        for row in self._rows:
            family_type = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
            numbers = row.read()
            if isinstance(numbers, Mapping):
                labels = [row.label] if isinstance(row.label, str) else list(row.label)
                family = family_type(row.name, row.help, labels=labels)
                for value, number in sorted(numbers.items()):
                    family.add_metric([value] if isinstance(value, str) else list(value), number)
            else:
                family = family_type(row.name, row.help, value=numbers)
            yield family


def build_registry(rows: Iterable[Row]) -> CollectorRegistry:
    """Return a registry of its own with the rows, the process's and Python's figures and `hub_build_info`."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    build_info = {installed_version(): 1}
    build = Row("hub_build_info", "gauge", "1, with the version as label.", lambda: build_info, "version")
    registry.register(HubCollector((*rows, build)))
    return registry
