"""Counts what a worker does, for Prometheus: one method per thing that happens. Nothing here asks a broker.

There are two kinds of figures:

- *of a partition*: how its items ended and where it stands. They are what its last commit says, so they are
  exact, they go on where they were when the partition is opened elsewhere, and a batch that failed never
  shows. `max by (partition)` over the workers, and then `sum`, is the truth of the app.
- *of this process*: latencies, deaths, reasons. They begin at zero when it starts.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from importlib.metadata import version
from typing import NamedTuple

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

from streams.clock import Clock
from streams.core.funnels.figures import JOURNEY_OUTCOMES, OPEN_MOMENTS
from streams.core.ingest.event import Reason
from streams.core.ingest.repairs import Repair
from streams.core.moments.verdict import CUE_NAMES, READ_INSTEAD
from streams.core.processing.checkpoint import OUTCOMES
from streams.core.processing.committed import Committed
from streams.core.processing.move_letters import LATE_LINK_WORD, MOVED_ENDINGS, UNLINKED_REASONS
from streams.core.processing.redriving import REDRIVEN_ENDINGS
from streams.telemetry import metrics
from streams.telemetry.clock_totals import ClockTotals
from streams.telemetry.identity_figures import identity_figures
from streams.telemetry.metric_spec import MetricSpec

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATE_REASONS = ("lateness", "over_cap")  # of the late topic

# They would be one more series per metric, with the time at which it began.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client has no types there


class Death(StrEnum):
    """Why an agent died."""

    FENCED = "fenced"  # another agent was opened on its partition
    UNAVAILABLE = "unavailable"  # the cluster did not do what it was asked for
    DEFECT = "defect"  # a fault of this program


class UserAgentLag(NamedTuple):
    """How far an agent of a user is behind in one partition of an output."""

    agent: str
    topic: str
    partition: int
    records: int


class Meters(Collector):
    """All figures of one worker, in a registry of their own."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock or Clock()
        self._steps: dict[int, Committed] = {}  # the last one of each partition
        self._open: set[int] = set()
        self._blocked: dict[int, Mapping[str, float]] = {}  # partition -> source -> since when
        self._restoring: dict[int, float] = {}
        self._assigned = 0
        # The lags of users' agents, asked for whenever Prometheus asks: the host sets it.
        self.user_agent_lags: Callable[[], Iterable[UserAgentLag]] = tuple
        self._stopped: list[str] = []
        self._funnel_cells: int | None = None  # None: this worker does not write the funnel
        self._funnel_written_ms: int | None = None
        self._batch_size = self._histogram(metrics.BATCH_SIZE)
        self._commit_latency = self._histogram(metrics.COMMIT_LATENCY)
        self._end_to_end_latency = self._histogram(metrics.END_TO_END_LATENCY)
        self._restore_seconds = self._histogram(metrics.RESTORE_SECONDS)
        self._clock_errors = ClockTotals()
        self._restored_records = self._counter(metrics.RESTORED_RECORDS)
        self._retracted = self._counter(metrics.RETRACTED)
        self._deaths = self._counters(metrics.AGENT_DEATHS, list(Death))
        self._person_questions = self._counters(metrics.PERSON_QUESTIONS, ("answered", "unavailable"))
        self._reasons = {
            "rejected": self._counters(metrics.REJECTED_ITEMS, list(Reason)),
            "late": self._counters(metrics.LATE_ITEMS, _LATE_REASONS),
            "unknown_name": self._counters(metrics.UNKNOWN_NAMES, READ_INSTEAD),
        }
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def assigned(self, partitions: Collection[int]) -> None:
        """The group has assigned these partitions to this worker, in place of what it had before."""
        self._assigned = len(partitions)

    def stopped(self, topic: str) -> None:
        """An input is read no more, because it was made anew."""
        self._stopped.append(topic)

    def funnel_opened(self, cells: int) -> None:
        """This worker writes the funnel from now on; so many counters are in it."""
        self._funnel_cells = cells

    def funnel_written(self, cells: int) -> None:
        """The funnel says all that the tallies say."""
        self._funnel_cells, self._funnel_written_ms = cells, self._clock.wall_ms()

    def funnel_closed(self) -> None:
        """This worker does not write the funnel any more, or cannot."""
        self._funnel_cells = None

    def restoring(self, partition: int, done: int, total: int) -> None:
        """So many of about `total` state records of a partition have been read."""
        self._restoring[partition] = min(done / total, 1.0) if total > 0 else 1.0

    def opened(self, partition: int, seconds: float, records: int) -> None:
        """An agent begins to read; restoring `records` state records took it `seconds`."""
        self._restoring.pop(partition, None)
        self._open.add(partition)
        self._restore_seconds.observe(seconds)
        self._restored_records.inc(records)

    def committed(self, step: Committed) -> None:
        """A partition has made a step, though it may have found nothing to do."""
        self._steps[step.partition] = step
        if not step.written:
            return
        self._commit_latency.observe(step.commit_s)
        self._retracted.inc(step.retracted)
        for clocks, counts in step.clock_errors.items():
            self._clock_errors.add(clocks, counts)
        for outcome, counters in self._reasons.items():
            for reason, count in step.reasons.get(outcome, {}).items():
                counters[reason].inc(count)
        if step.records:
            self._batch_size.observe(step.records)
            if step.oldest_ms >= 0:
                self._end_to_end_latency.observe(max(0.0, (self._clock.wall_ms() - step.oldest_ms) / 1000))

    def blocked(self, partition: int, since_s: Mapping[str, float]) -> None:
        """These sources of a partition have an open transaction, seen first at these (monotonic) times."""
        self._blocked[partition] = since_s

    def closed(self, partition: int) -> None:
        """The partition is given back. Its series end here, and go on where it is opened next."""
        self._open.discard(partition)
        self._blocked.pop(partition, None)
        self._steps.pop(partition, None)
        self._restoring.pop(partition, None)

    def died(self, partition: int, reason: Death) -> None:
        """The agent of a partition ended by an error."""
        self._deaths[reason].inc()
        self.closed(partition)

    def asked_for_person(self, *, is_answered: bool) -> None:
        """A question about a person was answered, or could not be now."""
        self._person_questions["answered" if is_answered else "unavailable"].inc()

    def render(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The figures that are looked up when Prometheus asks for them."""
        yield from self._of_partitions()
        yield self._clock_errors.metric()
        restore = _gauge(metrics.RESTORE_PROGRESS)
        for partition, ratio in sorted(self._restoring.items()):
            restore.add_metric([str(partition)], ratio)
        yield restore
        for described, value in ((metrics.OPEN_AGENTS, len(self._open)), (metrics.ASSIGNED, self._assigned)):
            gauge = _gauge(described)
            gauge.add_metric([], value)
            yield gauge
        behind = _gauge(metrics.USER_AGENT_LAG)
        for agent, topic, partition, records in sorted(self.user_agent_lags()):
            behind.add_metric([agent, topic, str(partition)], records)
        yield behind
        stopped = _gauge(metrics.STOPPED_INPUTS)
        for topic in self._stopped:
            stopped.add_metric([topic], 1)
        yield stopped
        yield from self._of_funnel()
        info = _gauge(metrics.BUILD_INFO)
        info.add_metric([version("customer-journey-streams")], 1)
        yield info

    def _of_funnel(self) -> Iterator[Metric]:
        cells, written_ms = self._funnel_cells, self._funnel_written_ms
        for described, value in (
            (metrics.FUNNEL_WRITER, int(cells is not None)),
            (metrics.FUNNEL_CELLS, cells),
            (metrics.FUNNEL_WRITTEN, None if written_ms is None else written_ms / 1000),
        ):
            gauge = _gauge(described)
            if value is not None:
                gauge.add_metric([], value)
            yield gauge

    def _of_partitions(self) -> Iterator[Metric]:
        lag, watermark = _gauge(metrics.LAG), _gauge(metrics.WATERMARK_LAG)
        hidden, transaction = _gauge(metrics.HIDDEN_RECORDS), _gauge(metrics.OPEN_TRANSACTION)
        excluded, events = _gauge(metrics.EXCLUDED), _sum(metrics.EVENTS_BY_OUTCOME)
        settled, holding = _gauge(metrics.SETTLED_LAG), _gauge(metrics.HOLDING)
        received, forwarded = _sum(metrics.RECEIVED), _sum(metrics.FORWARDED)
        repaired, narrowed = _sum(metrics.REPAIRED), _sum(metrics.NARROWED)
        redriven, late_links = _sum(metrics.REDRIVEN_ITEMS), _sum(metrics.LATE_LINKS)
        moved, unlinked = _sum(metrics.MOVED_EVENTS), _sum(metrics.UNLINKED_EVENTS)
        transitions, expired = _sum(metrics.TRANSITIONS_WRITTEN), _sum(metrics.EXPIRED_CORRECTIONS)
        by_moment = _gauge(metrics.OPEN_JOURNEYS), _gauge(metrics.STALLED_JOURNEYS)
        by_outcome, cues = _gauge(metrics.JOURNEYS_BY_OUTCOME), _gauge(metrics.CUES_SEEN)
        refunds, updates = _gauge(metrics.UNMATCHED_REFUNDS), _gauge(metrics.UNMATCHED_UPDATES)
        unread = _sum(metrics.UNREAD_AMOUNTS)
        now_ms = self._clock.wall_ms()
        for partition, step in sorted(self._steps.items()):
            number = str(partition)
            for source, records in sorted(step.lags.items()):
                lag.add_metric([number, source], records)
                hidden.add_metric(
                    [number, source], step.hidden[source].offsets if source in step.hidden else 0
                )
            for source, since_s in sorted(self._blocked.get(partition, {}).items()):
                transaction.add_metric([number, source], self._clock.monotonic_s() - since_s)
            if step.watermark_ms >= 0:
                watermark.add_metric([number], (now_ms - step.watermark_ms) / 1000)
            if step.settled_mark_ms >= 0:
                settled.add_metric([number], (step.watermark_ms - step.settled_mark_ms) / 1000)
            excluded.add_metric([number], step.excluded)
            holding.add_metric([number], step.holding)
            received.add_metric([number], step.totals.received)
            for outcome in OUTCOMES:
                events.add_metric([number, outcome], getattr(step.totals, outcome))
            forwarded.add_metric([number], step.totals.forwarded)
            for kind in Repair:
                repaired.add_metric([number, kind.value], step.totals.repaired.get(kind.value, 0))
            for ending in REDRIVEN_ENDINGS:
                redriven.add_metric([number, ending], step.totals.redriven.get(ending, 0))
            for ending in MOVED_ENDINGS:
                moved.add_metric([number, ending], step.totals.moves.get(ending, 0))
            for reason in UNLINKED_REASONS:
                unlinked.add_metric([number, reason], step.totals.moves.get(reason, 0))
            late_links.add_metric([number], step.totals.moves.get(LATE_LINK_WORD, 0))
            narrowed.add_metric([number], step.totals.narrowed)
            unread.add_metric([number], step.totals.unread_amounts)
            refunds.add_metric([number], step.journeys.unmatched_refunds)
            updates.add_metric([number], step.journeys.unmatched_updates)
            transitions.add_metric([number], step.rev)
            for gauge, counts in zip(by_moment, (step.journeys.open, step.journeys.stalled), strict=True):
                for moment, count in zip(OPEN_MOMENTS, counts, strict=True):
                    gauge.add_metric([number, moment], count)
            for outcome in JOURNEY_OUTCOMES:
                by_outcome.add_metric([number, outcome], getattr(step.journeys, outcome))
            for matched, counts in (("true", step.journeys.cues), ("false", step.journeys.unmatched_cues)):
                for cue, count in zip(CUE_NAMES, counts, strict=True):
                    cues.add_metric([number, cue, matched], count)
            expired.add_metric([number], step.expired_corrections)
        yield from (lag, hidden, transaction, watermark, settled, excluded, holding)
        yield from (received, events, forwarded, repaired, redriven, narrowed, transitions, expired)
        yield from (moved, late_links, unlinked)
        yield from (*by_moment, by_outcome, cues, refunds, updates, unread)
        yield from identity_figures(step for _, step in sorted(self._steps.items()))

    def _counter(self, described: MetricSpec) -> Counter:
        return Counter(described.name, described.about, described.labels, registry=self.registry)

    def _counters(self, described: MetricSpec, words: Collection[str]) -> dict[str, Counter]:
        """One counter per word, from the start: a rate does not see the first value of a series."""
        counter = self._counter(described)
        return {str(word): counter.labels(word) for word in words}

    def _histogram(self, described: MetricSpec) -> Histogram:
        return Histogram(
            described.name,
            described.about,
            described.labels,
            buckets=described.buckets,
            registry=self.registry,
        )


def _gauge(described: MetricSpec) -> GaugeMetricFamily:
    return GaugeMetricFamily(described.name, described.about, labels=described.labels)


def _sum(described: MetricSpec) -> CounterMetricFamily:
    return CounterMetricFamily(described.name, described.about, labels=described.labels)
