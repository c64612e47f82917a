"""Takes one redriven event into its profile: at once, or by way of whoever has the device that sent it."""

from typing import NamedTuple, Protocol

from streams.core.funnels.windows import Windows
from streams.core.identity.redriving import given_again, user_given_to
from streams.core.ingest.event import Event
from streams.core.journeys.folding import DUPLICATE, FINAL
from streams.core.journeys.population import Population
from streams.core.journeys.redriving import RedrivenEvent, redrive_event
from streams.core.journeys.signal import TIME, Signal
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.connecting import Connector
from streams.core.processing.inbox import Redriven
from streams.core.processing.open_batch import OpenBatch
from streams.core.processing.parameters import Parameters
from streams.core.processing.publisher import Publisher
from streams.core.processing.readers import Readers
from streams.core.processing.record_keys import is_device
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.signals import Signals
from streams.core.processing.source_headers import SourcePlace
from streams.core.processing.tally_text import TallyText
from streams.core.processing.watermark import WatermarkTracker
from streams.records import Record


class OwnerPartition(Protocol):
    """What it takes of a partition to take a redriven item. A Processor has it."""

    partition: int
    readers: Readers
    signals: Signals
    tracker: WatermarkTracker
    checkpoint: Checkpoint
    population: Population
    windows: Windows
    tallies: TallyText
    parameters: Parameters
    rulebook: Rulebook
    publisher: Publisher
    connector: Connector | None
    open: OpenBatch

    def publish(self, place: SourcePlace | None = None) -> None:
        """Publishes what has changed since the last call."""


class ReadEvent(NamedTuple):
    """A redriven event, as it was read."""

    key: str  # of the profile that it names
    signal: Signal
    event: Event | None  # None: it came in canonical form
    late_of: str | None = None  # of an event in canonical form: whose profile had no room for it


def is_resent(processor: OwnerPartition, read: ReadEvent) -> bool:
    """True if an event of a device is to be given once more: its user may have had no room for it."""
    connector = processor.connector
    return connector is not None and given_again(connector.devices, read.key, read.signal) is not None


def is_unmovable(processor: OwnerPartition, read: ReadEvent) -> bool:
    """True if an event of a device is so old that it is the device's own, whatever links there are."""
    oldest_ms = processor.population.watermark_ms - processor.population.finality.change_ms
    return processor.connector is not None and is_device(read.key) and read.signal.head >> TIME < oldest_ms


def take_signal(
    processor: OwnerPartition, message: Redriven, item: Record, read: ReadEvent
) -> RedrivenEvent | int:
    """How a redriven event ended, or the partition that owns its user and will say so."""
    connector = processor.connector
    if connector is None or not is_device(read.key):
        return redrive_event(processor.population, read.key, read.signal, item)
    taken = connector.redrive(processor, (read.key, read.signal, item), message)
    if (
        isinstance(taken, RedrivenEvent)
        and taken.outcome == DUPLICATE
        and read.late_of is not None
        and user_given_to(connector.devices, read.key, read.signal.ref) == read.late_of
    ):
        return RedrivenEvent(FINAL)  # it is known as given, and counts nowhere
    return taken


def take_link(processor: OwnerPartition, source: str, event: Event, item: Record) -> bool:
    """Takes the link of a redriven event. False: it makes none, or is late as one."""
    connector, key = processor.connector, processor.signals.key(event)
    return connector is not None and connector.redriven_link(processor, event, key, (source, item))
