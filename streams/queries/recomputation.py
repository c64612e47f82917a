"""Computes the people of one partition again from its stored input, without increments, corrections or
timers.

It collects the set of events of each person and folds it once. It takes over only what depended on arrival
and was recorded for that reason: which items were late or rejected, and which rules and reader read each
record. Everything else must come out the same: the net transitions, every counter, and how many items ended
in which way.

Memory holds one slice of the people at a time. Each slice reads the whole input, because how far time had
come depends on all of it; the first slice that is read counts how items ended.

With identity on, whose an event of a device is follows from all links of the device. So in several slices
the links are read first, and a slice keeps the events of devices that had a user of it, too. What devices of
other partitions gave to the people of this one is taken from the inbox, as it was sent.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

from streams.core.ingest.event import Event, Items
from streams.core.journeys.finality import CopyTimes
from streams.core.journeys.signal import TIME, Signal, without_needs
from streams.core.processing.checkpoint import Checkpoint, Counts
from streams.core.processing.inbox import GiveMessage, LinkMessage, Redriven, TakeMessage, decode_message
from streams.core.processing.parameters import Parameters
from streams.core.processing.record_keys import is_device
from streams.core.processing.rulebook import Rulebook
from streams.log.port import Reader
from streams.queries.event_sets import CopyFate, PersonSets, copies_held
from streams.queries.given_events import Parting, UnmovedEvent
from streams.queries.known_links import EventLink, link_of
from streams.queries.known_receipts import KnownReceipts, ReceiptEnding
from streams.queries.moves import Moves
from streams.queries.origins import Origin, Origins
from streams.queries.slices import Slice
from streams.queries.stored_items import ItemReader, StoredItem, Unreadable, owner_of
from streams.records import Record
from streams.topology import is_inbox

REPORT_EVERY = 5_000  # items between two reports of progress


class Unchecked(NamedTuple):
    """A range of records that this release cannot check, because it does not have their reader."""

    source: str
    first: int  # offset of the first of these records
    last: int  # offset of the last one
    reader: str


class Letters(NamedTuple):
    """What ended in the topics of dead letters, by where it was read first."""

    late: Origins
    rejected: Origins
    redriven: KnownReceipts


class StoredPartition(NamedTuple):
    """What a partition has stored, up to one checkpoint."""

    reader: Reader
    partition: int
    checkpoint: Checkpoint
    parameters: Parameters
    book: Rulebook
    letters: Letters


class Recomputation:
    """One reading of a partition's input up to its checkpoint, which keeps the events of one slice."""

    def __init__(
        self, stored: StoredPartition, items: ItemReader, people: Slice, moves: Moves | None = None
    ) -> None:
        """`moves`: what devices gave, as this reading finds it; None: identity is off."""
        self.stored, self.slice, self.moves = stored, people, moves
        self.sets = PersonSets()  # of the people of the slice
        # How items ended. `applied`, `duplicate` and `unread_amounts` are of the slice, all others
        # of the whole partition.
        self.counts = Counts()
        self.unchecked: list[Unchecked] = []
        self.broken: str | None = None  # the first item that could not be recomputed, and why
        self.cut_sources: set[str] = set()  # what stood at their beginning is not stored any more
        self._items = items

    @property
    def size_bytes(self) -> int:
        """About how much memory its people and their events take."""
        return self.sets.size_bytes + (self.moves.size_bytes if self.moves is not None else 0)

    @property
    def is_divisible(self) -> bool:
        """True if it holds more people than one."""
        return len(self.sets.people) > 1

    async def read_input(self) -> AsyncIterator[int]:
        """Takes every stored record up to the checkpoint into its person's set.

        Yields the number of items read so far, every few thousand items.
        """
        if self.moves is not None and self.slice.of > 1 and not self.moves.links.is_whole:
            await self._read_links(self.moves)
        reported = read = 0
        for source, position in self.stored.checkpoint.sources.items():
            first_offset: int | None = None
            async for record in self.stored.reader.scan_source(source, position.offset):
                if first_offset is None:
                    first_offset = record.offset
                self._take_record(source, record)
                read = self.counts.received + self.counts.forwarded
                if read - reported >= REPORT_EVERY:
                    reported = read
                    yield read
            if position.offset and first_offset != 0:
                self.cut_sources.add(source)
        if self.moves is not None:
            self.moves.finish(self.sets)

    async def _read_links(self, moves: Moves) -> None:
        """Reads all links of the devices of the partition."""
        for source, position in self.stored.checkpoint.sources.items():
            async for record in self.stored.reader.scan_source(source, position.offset):
                if is_inbox(source):
                    message = decode_message(record.value)
                    if isinstance(message, LinkMessage):
                        self._take_link(moves, message)
                    continue
                found = self._items.read(source, record)
                for item in found if not isinstance(found, Unreadable) else ():
                    is_event = isinstance(item.outcome, Event) and item.outcome.apart is None
                    if is_event and item.origin not in self.stored.letters.rejected:
                        self._note_link(moves, item)
        moves.links.close()

    def _take_record(self, source: str, record: Record) -> None:
        if self.moves is not None and is_inbox(source):
            match decode_message(record.value):
                case LinkMessage() as link:
                    self._take_link(self.moves, link)
                case GiveMessage() as give if give.redriven is not None:
                    self._take_redriven_give(self.moves, give, give.redriven)
                case GiveMessage() | TakeMessage() as move:
                    self.moves.receive(move)
                case Redriven() as message if message.is_canonical:
                    receipts = self.stored.letters.redriven
                    self._count_redriven(receipts.get(_origin(message), message.command))
        found = self._items.read(source, record)
        if isinstance(found, Unreadable):
            note_unchecked(self.unchecked, source, record.offset, found.reader)
            return
        for item in found:
            self._take_item(item)

    def _take_item(self, item: StoredItem) -> None:
        """Counts an item by how it ends, and adds its event to the set of its person."""
        counts, origin, outcome = self.counts, item.origin, item.outcome
        if item.redriven_by is not None:
            self._take_redriven(item, item.redriven_by)
            return
        counts.received += 1
        if origin in self.stored.letters.rejected:
            counts.rejected += 1
            return
        if isinstance(outcome, Items):  # a record without items
            counts.no_signal += 1
            return
        if not isinstance(outcome, Event):
            why = "no partition wrote it" if outcome is None else f"{outcome.reason}: {outcome.detail}"
            place = f"item {origin.index} of record {origin.source} {origin.offset}"
            self.broken = self.broken or f"{place} cannot be read ({why}), and is not in the rejected topic"
            return
        if outcome.repairs and not item.forwarded:
            counts.count_repairs(outcome.repairs)
        if outcome.apart is not None:
            counts.count_apart(outcome.apart)
            return
        if self.moves is not None and not item.forwarded:
            self._note_link(self.moves, item)
        verdict, key = item.signals.classify(outcome), item.signals.key(outcome)
        if verdict is None:
            counts.no_signal += 1
            return
        if not item.forwarded and self._is_foreign(key):
            counts.received -= 1
            counts.forwarded += 1
            return
        left_out = self.stored.letters.late.left_out.get(origin, ())
        counts.narrowed += bool(left_out)
        if not left_out and origin in self.stored.letters.late:
            counts.late += 1
        elif self.slice.has(key):
            self._add(key, without_needs(item.signals.signal(outcome, verdict), left_out))
        elif self.moves is not None and is_device(key) and self.moves.is_lent(key):
            signal = without_needs(item.signals.signal(outcome, verdict), left_out)
            self.moves.lent.add(key, signal, self._copies(signal))

    def _note_link(self, moves: Moves, item: StoredItem, *, is_redriven: bool = False) -> None:
        """Takes the link that an event makes where it was read first or redriven, if it makes one."""
        assert isinstance(item.outcome, Event)
        assert self.stored.parameters.identity is not None
        link = link_of(item.outcome, item.signals.key(item.outcome), self.stored.parameters.identity)
        if link is None:
            return
        if self._is_foreign(link.device):
            if not is_redriven:
                moves.note_sent(link)
        elif item.origin.letter not in self.stored.letters.late.links:
            moves.links.add(link)

    def _take_link(self, moves: Moves, message: LinkMessage) -> None:
        """Takes a link that another partition read."""
        origin = Origin(message.source, message.offset, message.index)
        if origin not in self.stored.letters.late.links:
            moves.links.add(EventLink(message.device, message.user, message.at_ms, message.event))

    def _take_redriven(self, item: StoredItem, command: str) -> None:
        """Adds the event of a redriven item to the set of its person, if its receipt says that it counts."""
        receipt, outcome = self.stored.letters.redriven.get(item.origin, command), item.outcome
        if receipt is None:
            return
        if self.moves is not None and receipt.is_link:
            self._note_link(self.moves, item, is_redriven=True)
        if receipt.outcome == "forwarded":  # its owner counts it
            self._take_forwarded(item)
            return
        self._count_redriven(receipt)
        if receipt.outcome != "applied":  # nor does a duplicate change the set
            if self.moves is not None and receipt.outcome == "late" and isinstance(outcome, Event):
                self.moves.doubtful.add(item.signals.key(outcome))
            return
        verdict = item.signals.classify(outcome) if isinstance(outcome, Event) else None
        if not isinstance(outcome, Event) or verdict is None:
            place = f"item {item.origin.index} of record {item.origin.source} {item.origin.offset}"
            self.broken = self.broken or f"{place} was redriven and counts, but says nothing about intent"
            return
        key = item.signals.key(outcome)
        signal = without_needs(item.signals.signal(outcome, verdict, is_redriven=True), receipt.left_out)
        if self.moves is not None and is_device(key):
            self._take_redriven_device(self.moves, key, signal, receipt)
            return
        if not self.slice.has(key):
            return
        if self.moves is not None:
            self._note_unmoved(self.moves, key, signal, receipt)
            return
        if receipt.is_parted:
            self.sets.part(key, receipt.held_from_ms)
        self._add_copy(key, signal, self._held(signal, receipt))

    def _note_unmoved(self, moves: Moves, key: str, signal: Signal, receipt: ReceiptEnding) -> None:
        """Has a redriven event added that counts, once its profile has what devices gave before."""
        parted_ms, copies = receipt.held_from_ms, self._held(signal, receipt)
        moves.note_redriven(UnmovedEvent(key, signal, receipt.is_parted, parted_ms, copies))
        self.counts.unread_amounts += signal.has_unread_amount

    def _count_redriven(self, receipt: ReceiptEnding | None) -> None:
        if receipt is not None and receipt.outcome != "forwarded":
            endings = self.counts.redriven
            endings[receipt.outcome] = endings.get(receipt.outcome, 0) + 1

    def _take_redriven_give(self, moves: Moves, give: GiveMessage, message: Redriven) -> None:
        """Takes a redriven event that a device of another partition gave to a user of this one."""
        receipt = self.stored.letters.redriven.of_given(_origin(message), message.command)
        self._count_redriven(receipt)
        if receipt is not None and receipt.outcome == "applied" and self.slice.has(give.user):
            money = [signal.facts.money for signal in give.signals if signal.facts is not None]
            self.counts.unread_amounts += sum(amount is not None and amount.unread for amount in money)
        moves.receive(give, receipt)

    def _take_forwarded(self, item: StoredItem) -> None:
        """Adds a redriven event of a device that went to a user of another partition."""
        verdict = item.signals.classify(item.outcome) if isinstance(item.outcome, Event) else None
        if self.moves is None or verdict is None or not isinstance(item.outcome, Event):
            return
        key = item.signals.key(item.outcome)
        if is_device(key) and not self._is_foreign(key) and self.slice.has(key):
            signal = item.signals.signal(item.outcome, verdict, is_redriven=True)
            self.sets.add(key, signal, self._copies(signal))

    def _take_redriven_device(self, moves: Moves, key: str, signal: Signal, receipt: ReceiptEnding) -> None:
        """Adds a redriven event of a device, which belongs to whom the links say unless it is too old."""
        if receipt.is_unmoved:
            if self.slice.has(key):
                self._note_unmoved(moves, key, signal, receipt)
            return
        if receipt.is_parted:
            moves.note_redriven(Parting(key, signal.head >> TIME, receipt.held_from_ms))
        if self.slice.has(key):
            self._add_copy(key, signal, self._copies(signal))
        elif moves.is_lent(key):
            moves.lent.add(key, signal, self._copies(signal))

    def _is_foreign(self, key: str) -> bool:
        partitions = self.stored.reader.partitions
        return partitions > 1 and owner_of(key, partitions) != self.stored.partition

    def _add(self, key: str, signal: Signal) -> None:
        """Adds a copy of an event. The smallest stays; an id that was forgotten is a new event."""
        if self._add_copy(key, signal, self._copies(signal)) is CopyFate.DUPLICATE:
            self.counts.duplicate += 1
        else:  # also in place of a greater copy
            self.counts.applied += 1

    def _held(self, signal: Signal, receipt: ReceiptEnding) -> CopyTimes:
        return copies_held(signal, receipt.held_from_ms, self.stored.parameters.finality)

    def _copies(self, signal: Signal) -> CopyTimes:
        return self.stored.parameters.finality.copies(signal.head >> TIME)

    def _add_copy(self, key: str, signal: Signal, copies: CopyTimes) -> CopyFate:
        fate = self.sets.add(key, signal, copies)
        self.counts.unread_amounts += fate is not CopyFate.DUPLICATE and signal.has_unread_amount
        return fate


def _origin(message: Redriven) -> Origin:
    return Origin(message.source, message.offset, message.index, message.part)


def note_unchecked(unchecked: list[Unchecked], source: str, offset: int, reader: str) -> None:
    """Adds a record that cannot be checked to the ranges of such records."""
    last = unchecked[-1] if unchecked else None
    if last is not None and (last.source, last.reader) == (source, reader):
        unchecked[-1] = last._replace(last=offset)
    else:
        unchecked.append(Unchecked(source, offset, offset, reader))
