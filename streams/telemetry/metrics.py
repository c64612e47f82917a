"""What a worker shows to Prometheus, and the one place that names a metric.

A worker calls a method per thing that happens; nothing here asks a broker anything. Two kinds of figures come out:

- *of a partition*: how its events ended, where it stands. They are what its last commit says, so they are exact, go on where they were when the
  partition is opened elsewhere, and a batch that failed never shows. `max by (partition)` over the workers and then `sum` is the truth of the app.
- *of this process*: latencies, deaths, reasons. They begin at zero when it starts.

Labels are partitions, sources and closed lists of words. Never a person, never a topic's content.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from importlib.metadata import version
from typing import Any, Literal, NamedTuple, Protocol

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
from streams.core.processing.checkpoint import Checkpoint, Counts
from streams.topology import LATE, REJECTED

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
OUTCOMES = tuple(name for name in Counts.__struct_fields__ if name not in ("received", "forwarded"))


class Stepped(Protocol):
    """What is looked at of an agent's last step."""

    @property
    def records(self) -> int: ...
    @property
    def committed(self) -> bool: ...
    @property
    def retracted(self) -> int: ...
    @property
    def commit_s(self) -> float: ...
    @property
    def oldest_ms(self) -> int: ...  # arrival of the batch's oldest record; -1: not known
    @property
    def rejected(self) -> Mapping[str, int]: ...  # by reason
    @property
    def late(self) -> Mapping[str, int]: ...


class _Progress(Protocol):
    @property
    def excluded(self) -> Collection[int]: ...


class _Pipeline(Protocol):
    @property
    def checkpoint(self) -> Checkpoint: ...
    @property
    def progress(self) -> _Progress: ...


class Stepping(Protocol):
    """What is looked at of an agent, by duck type: `streams.runtime.partition_agent.Agent` over a broker is one."""

    @property
    def stepped(self) -> Stepped: ...
    @property
    def processor(self) -> _Pipeline: ...
    @property
    def session(self) -> Any: ...  # over a broker it has `lags()`


class _Standing(NamedTuple):
    """A partition after its last commit. The agent's own checkpoint runs ahead of it while a batch is under way."""

    counts: tuple[tuple[str, int], ...]
    received: int
    forwarded: int
    silent: int
    mark: int
    rev: int
    expired: int


class Meters(Collector):
    """All figures of one worker, in a registry of their own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970."""
        self.registry = CollectorRegistry()
        self._clock = clock
        self._standing: dict[int, _Standing] = {}
        self._lags: dict[int, Mapping[str, int]] = {}
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
        self._ledgers = {
            REJECTED.name: _words(_REJECTED, tuple(reason.value for reason in Reason), self.registry),
            LATE.name: _words(_LATE, LATE_REASONS, self.registry),
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

    def stepped(self, partition: int, agent: Stepping) -> None:
        """After each step, also one that found nothing."""
        step = agent.stepped
        self._lags[partition] = agent.session.lags()
        if not step.committed:
            if partition not in self._standing:
                self._standing[partition] = _stands(agent.processor)
            return
        self._standing[partition] = _stands(agent.processor)
        self._commit.observe(step.commit_s)
        self._retracted.inc(step.retracted)
        for topic, reasons in ((REJECTED.name, step.rejected), (LATE.name, step.late)):
            for reason, n in reasons.items():
                self._ledgers[topic][reason].inc(n)
        if step.records:
            self._batch.observe(step.records)
            if step.oldest_ms >= 0:
                self._end_to_end.observe(max(0.0, self._clock() - step.oldest_ms / 1000))

    def closed(self, partition: int) -> None:
        """The partition is given back. Its series end here, and go on where it is opened next."""
        self._open.discard(partition)
        for kept in (self._standing, self._lags, self._restoring):
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
        received, events, decode_inbox, transitions, expired = (
            _sum(_RECEIVED),
            _sum(_EVENTS),
            _sum(_HANDED),
            _sum(_TRANSITIONS),
            _sum(_EXPIRED),
        )
        for partition, sources in sorted(self._lags.items()):
            for source, records in sorted(sources.items()):
                lag.add_metric([str(partition), source], records)
        now = self._clock()
        for partition, at in sorted(self._standing.items()):
            number = str(partition)
            if at.mark >= 0:
                watermark.add_metric([number], now - at.mark / 1000)
            silent.add_metric([number], at.silent)
            received.add_metric([number], at.received)
            decode_inbox.add_metric([number], at.forwarded)
            for outcome, n in at.counts:
                events.add_metric([number, outcome], n)
            transitions.add_metric([number], at.rev)
            expired.add_metric([number], at.expired)
        for partition, ratio in sorted(self._restoring.items()):
            restore.add_metric([str(partition)], ratio)
        yield from (lag, watermark, silent, received, events, decode_inbox, transitions, expired, restore)
        for metric, value in ((_OPEN, len(self._open)), (_ASSIGNED, self._assigned)):
            gauge = _gauge(metric)
            gauge.add_metric([], value)
            yield gauge
        info = _gauge(_INFO)
        info.add_metric([version("customer-journey-streams")], 1)
        yield info


def _stands(processor: _Pipeline) -> _Standing:
    at, counts = processor.checkpoint, processor.checkpoint.counts
    by_outcome = tuple([(name, getattr(counts, name)) for name in OUTCOMES])
    return _Standing(
        by_outcome,
        counts.received,
        counts.forwarded,
        len(processor.progress.excluded),
        at.mark,
        at.rev,
        at.expired_corrections,
    )


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
