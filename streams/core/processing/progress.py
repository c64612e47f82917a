"""Writes how far a partition has come: its record in `<app>.progress`.

Whoever writes it has a clock and knows what is left to read; all else is known here.
"""

from collections.abc import Mapping
from typing import Protocol

import schemas
from streams.core.funnels.under_way import UnderWay
from streams.core.journeys.population import Population
from streams.core.processing.checkpoint import OUTCOMES, Checkpoint
from streams.core.processing.json_text import encode_json, rfc3339
from streams.core.processing.publisher import MOMENT_LABELS, Publisher
from streams.core.processing.watermark import WatermarkTracker
from streams.records import Output
from streams.topology import PROGRESS


class ProgressingPartition(Protocol):
    """What it takes of a partition to say how far it has come. A Processor has it."""

    partition: int
    checkpoint: Checkpoint
    population: Population
    publisher: Publisher
    tracker: WatermarkTracker
    under_way: UnderWay


def progress_record(partition: ProgressingPartition, written_ms: int, lags: Mapping[str, int]) -> Output:
    """The record that belongs to the batch that was just made. `written_ms`: the wall clock; `lags`: records
    still to be read, per source, where the log knows.
    """
    population, checkpoint = partition.population, partition.checkpoint
    now_ms, under_way, names = population.timers_fired_ms, partition.under_way, partition.publisher.dimensions
    under_way.look(population.profiles, population.unlooked, now_ms)
    population.unlooked = set()
    counts = checkpoint.counts
    progress = schemas.PartitionProgress(
        partition=partition.partition,
        written_at=rfc3339(written_ms),
        watermark=_instant(population.watermark_ms),
        timers_fired=_instant(now_ms),
        lag=sum(lags.values()) if lags else None,
        sources=tuple(
            [
                schemas.SourceProgress(name, _instant(source.watermark_ms), source.offset, lags.get(name))
                for name, source in partition.tracker.sources.items()
            ]
        ),
        received=counts.received,
        outcomes={name: getattr(counts, name) for name in OUTCOMES},
        reasons={outcome: dict(reasons) for outcome, reasons in checkpoint.reasons.items()},
        forwarded=counts.forwarded,
        under_way=tuple(
            [
                schemas.JourneysUnderWay(
                    moment=MOMENT_LABELS[moment],
                    dimensions=names.names(dims),
                    open=found.open,
                    stalled=found.stalled,
                    active_5m=found.active_short,
                    active_30m=found.active_long,
                )
                for (moment, dims), found in under_way.counts(now_ms).items()
            ]
        ),
        rev=checkpoint.batches,
    )
    return Output(PROGRESS.name, progress_key(partition.partition), encode_json(progress))


def progress_key(partition: int) -> bytes:
    """The key of a partition's record."""
    return b"%d" % partition


def _instant(ms: int) -> str | None:
    return rfc3339(ms) if ms >= 0 else None
