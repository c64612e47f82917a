"""What a worker shows to Prometheus, and the one place that names a metric.

A worker calls a method per thing that happens; nothing here asks a broker anything. Two kinds of figures come out:

- *of a partition*: how its events ended, where it stands. They are what its last commit says, so they are exact, go on where they were when the
  partition is opened elsewhere, and a batch that failed never shows. `max by (partition)` over the workers and then `sum` is the truth of the app.
- *of this process*: latencies, deaths, reasons. They begin at zero when it starts.

Labels are partitions, sources and closed lists of words. Never a person, never a topic's content.
"""

import time
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.core.ingest.event import Reason
from streams.core.processing.checkpoint import OUTCOMES
from streams.core.processing.committed import Committed

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS = (
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    30,
    60,
    300,
)  # goal 50 ms; a take-over is seconds, a backlog minutes
COMMIT_BUCKETS = (
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
)  # a commit gives up after 15 s
RESTORE_BUCKETS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)  # a million profiles take a minute or so
BATCH_BUCKETS = (
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    50_000,
)  # settings.MAX_BATCH is the last
LATE_REASONS = ("lateness", "over_cap")  # of the late topic

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which says when this process began


class Death(StrEnum):
    """Why an agent died."""

    FENCED = "fenced"  # another agent was opened on its partition
    UNAVAILABLE = "unavailable"  # the cluster did not do what it was asked
    DEFECT = "defect"  # of this program


class Described(NamedTuple):
    """One metric, for the registry and for docs/metrics.md."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    about: str
    buckets: tuple[float, ...] = ()


_LAG = Described(
    "streams_consumer_lag_records",
    "gauge",
    ("partition", "source"),
    "records of a source (topic:partition) that are not processed yet",
)
_WATERMARK = Described(
    "streams_watermark_lag_seconds",
    "gauge",
    ("partition",),
    "now minus the horizon mark, the greatest event time read",
)
_RECEIVED = Described(
    "streams_events_received_total",
    "counter",
    ("partition",),
    "records read and committed, over the app's life",
)
_EVENTS = Described(
    "streams_events_total",
    "counter",
    ("partition", "outcome"),
    "the same by how they ended: each record has one outcome",
)
_HANDED = Described(
    "streams_events_forwarded_total",
    "counter",
    ("partition",),
    "events given to the partitions where their people live",
)
_SILENT = Described(
    "streams_excluded_partitions",
    "gauge",
    ("partition",),
    "partitions that this one waits for no more: silent for too long",
)
_TRANSITIONS = Described(
    "streams_transitions_written_total",
    "counter",
    ("partition",),
    "transition records written, retractions included",
)
_RETRACTED = Described(
    "streams_transitions_retracted_total",
    "counter",
    (),
    "transitions taken back by a correction, by this process",
)
_EXPIRED = Described(
    "streams_corrections_expired_total",
    "counter",
    ("partition",),
    "changes of counters whose window is no longer kept",
)
_RESTORE = Described(
    "streams_restore_progress_ratio", "gauge", ("partition",), "of a partition that is being restored: 0 to 1"
)
_OPEN = Described("streams_open_agents", "gauge", (), "partitions that this worker processes")
_ASSIGNED = Described(
    "streams_assigned_partitions", "gauge", (), "partitions that the group gave to this worker"
)
_INFO = Described("streams_build_info", "gauge", ("version",), "1; the version of the program")
_REJECTED = Described(
    "streams_rejected_total",
    "counter",
    ("reason",),
    "records that could not be read, by this process; reasons: docs/input.md",
)
_LATE = Described(
    "streams_late_total",
    "counter",
    ("reason",),
    "events too late to count, by this process: `lateness`, `over_cap`",
)
_DIED = Described(
    "streams_agent_deaths_total",
    "counter",
    ("reason",),
    "agents that ended by an error: `fenced`, `unavailable`, `defect`",
)
_BATCH = Described("streams_batch_size_events", "histogram", (), "records of a batch", BATCH_BUCKETS)
_COMMIT = Described(
    "streams_commit_latency_seconds",
    "histogram",
    (),
    "of one transaction, from its begin until the broker said yes",
    COMMIT_BUCKETS,
)
_END_TO_END = Described(
    "streams_end_to_end_latency_seconds", "histogram", (), "from a record's timestamp in the input to its commit; of the oldest record of each batch",
    LATENCY_BUCKETS,
)  # fmt: skip
_RESTORED = Described(
    "streams_restore_seconds",
    "histogram",
    (),
    "from taking a partition over until its first read",
    RESTORE_BUCKETS,
)
_RESTORED_RECORDS = Described(
    "streams_restored_records_total", "counter", (), "state records read while restoring"
)

METRICS = (
    _LAG, _WATERMARK, _SILENT, _RECEIVED, _EVENTS, _HANDED, _TRANSITIONS, _RETRACTED, _EXPIRED, _RESTORE, _OPEN, _ASSIGNED, _INFO,
    _BATCH, _COMMIT, _END_TO_END, _REJECTED, _LATE, _DIED, _RESTORED, _RESTORED_RECORDS,
)  # fmt: skip


class Meters(Collector):
    """All figures of one worker, in a registry of their own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970."""
        self.registry = CollectorRegistry()
        self._clock = clock
        self._steps: dict[int, Committed] = {}  # the last one of each partition
        self._open: set[int] = set()
        self._restoring: dict[int, float] = {}
        self._assigned = 0
        self._batch, self._commit, self._end_to_end = (
            _histogram(metric, self.registry) for metric in (_BATCH, _COMMIT, _END_TO_END)
        )
        self._restored, self._restored_records = (
            _histogram(_RESTORED, self.registry),
            _counter(_RESTORED_RECORDS, self.registry),
        )
        self._reasons = {
            "rejected": _words(_REJECTED, tuple(reason.value for reason in Reason), self.registry),
            "late": _words(_LATE, LATE_REASONS, self.registry),
        }
        self._retracted = _counter(_RETRACTED, self.registry)
        self._died = _words(_DIED, tuple(Death), self.registry)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def assigned(self, partitions: Collection[int]) -> None:
        """The group has given these to this worker; whatever it had before is replaced."""
        self._assigned = len(partitions)

    def restoring(self, partition: int, done: int, total: int) -> None:
        """So many of its state records have been read."""
        self._restoring[partition] = min(done / total, 1.0) if total > 0 else 1.0

    def opened(self, partition: int, seconds: float, records: int) -> None:
        """An agent begins to read; restoring `records` state records took it `seconds`."""
        self._restoring.pop(partition, None)
        self._open.add(partition)
        self._restored.observe(seconds)
        self._restored_records.inc(records)

    def committed(self, step: Committed) -> None:
        """A partition has made a step, be it one that found nothing."""
        self._steps[step.partition] = step
        if not step.written:
            return
        self._commit.observe(step.commit_s)
        self._retracted.inc(step.retracted)
        for outcome, counters in self._reasons.items():
            for reason, n in step.reasons.get(outcome, {}).items():
                counters[reason].inc(n)
        if step.records:
            self._batch.observe(step.records)
            if step.oldest_ms >= 0:
                self._end_to_end.observe(max(0.0, self._clock() - step.oldest_ms / 1000))

    def closed(self, partition: int) -> None:
        """The partition is given back. Its series end here, and go on where it is opened next."""
        self._open.discard(partition)
        for kept in (self._steps, self._restoring):
            kept.pop(partition, None)

    def died(self, partition: int, reason: Death) -> None:
        """Its agent ended by an error."""
        self._died[reason].inc()
        self.closed(partition)

    def render(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The figures that are looked up when they are asked for."""
        lag, watermark, silent, restore = _gauge(_LAG), _gauge(_WATERMARK), _gauge(_SILENT), _gauge(_RESTORE)
        received, events, forwarded, transitions, expired = (
            _sum(_RECEIVED),
            _sum(_EVENTS),
            _sum(_HANDED),
            _sum(_TRANSITIONS),
            _sum(_EXPIRED),
        )
        now = self._clock()
        for partition, step in sorted(self._steps.items()):
            number = str(partition)
            for source, records in sorted(step.lags.items()):
                lag.add_metric([number, source], records)
            if step.watermark_ms >= 0:
                watermark.add_metric([number], now - step.watermark_ms / 1000)
            silent.add_metric([number], step.excluded)
            received.add_metric([number], step.totals.received)
            forwarded.add_metric([number], step.totals.forwarded)
            for outcome in OUTCOMES:
                events.add_metric([number, outcome], getattr(step.totals, outcome))
            transitions.add_metric([number], step.rev)
            expired.add_metric([number], step.expired_corrections)
        for partition, ratio in sorted(self._restoring.items()):
            restore.add_metric([str(partition)], ratio)
        yield from (lag, watermark, silent, received, events, forwarded, transitions, expired, restore)
        for metric, value in ((_OPEN, len(self._open)), (_ASSIGNED, self._assigned)):
            gauge = _gauge(metric)
            gauge.add_metric([], value)
            yield gauge
        info = _gauge(_INFO)
        info.add_metric([version("customer-journey-streams")], 1)
        yield info


def _gauge(metric: Described) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.about, labels=metric.labels)


def _sum(metric: Described) -> CounterMetricFamily:
    return CounterMetricFamily(metric.name, metric.about, labels=metric.labels)


def _counter(metric: Described, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.about, metric.labels, registry=registry)


def _words(metric: Described, words: Collection[str], registry: CollectorRegistry) -> dict[str, Any]:
    """One counter per word, each there from the start: a rate over what appears only with its first case misses that case."""
    counter = _counter(metric, registry)
    return {word: counter.labels(word) for word in words}


def _histogram(metric: Described, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.name, metric.about, metric.labels, buckets=metric.buckets, registry=registry)
