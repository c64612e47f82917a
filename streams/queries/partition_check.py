"""Compares one partition, as its last checkpoint left it, with what its stored input gives.

All that is compared belongs to one checkpoint, which is read first; an agent may go on meanwhile. What was
published after it is known by its `rev`, and input beyond its offsets is not read.
"""

from collections.abc import Callable, Sequence

from streams.core.funnels.cells import count_step
from streams.core.funnels.windows import Windows
from streams.core.processing.checkpoint import OUTCOMES, Checkpoint, Counts
from streams.core.processing.publisher import Publisher
from streams.core.processing.tally_text import TallyText
from streams.log.port import Reader
from streams.queries.known_links import KnownLinks
from streams.queries.known_receipts import KnownReceipts
from streams.queries.moves import Moves
from streams.queries.moves_check import SentMoves, difference_in_moves
from streams.queries.origins import Origins
from streams.queries.owners_check import OwnersCheck
from streams.queries.people_check import PeopleCheck
from streams.queries.published_counters import PublishedCounters
from streams.queries.published_steps import StepReader
from streams.queries.published_transitions import CORRECTED, read_published
from streams.queries.recomputation import Letters, Recomputation, StoredPartition, Unchecked
from streams.queries.slices import Slice, planned_slices, read_in_slices
from streams.queries.stored_items import ItemReader, read_rulebook
from streams.runtime.parameters import parameters_of
from streams.settings.fold import FoldSettings
from streams.topology import CUES, LATE, REDRIVEN, REJECTED, is_inbox, source_name

STEPS_PER_ROLL_UP = 10_000


class PartitionCheck:
    """The comparison of one partition. After `run`, its attributes say what was compared."""

    def __init__(self, stored: StoredPartition, counters: PublishedCounters) -> None:
        self.stored, self.counters = stored, counters
        self.publisher = Publisher(stored.partition, stored.parameters.dimensions, stored.book)
        self.people = PeopleCheck(stored, self.publisher)
        self.owners = OwnersCheck(stored, self.publisher)
        self.text = TallyText(stored.partition, stored.parameters.dimensions)
        self.slices = 0  # how often the input was read to its end
        self.records = 0
        self.unchecked: list[Unchecked] = []
        self.cut: set[str] = set()  # topic partitions whose beginning is gone
        self._items = ItemReader(stored.parameters, stored.book)
        self._copies = Counts()  # `applied` and `duplicate` of all slices so far
        self._is_whole = True  # every slice so far had all of the input and all dead letters
        self._all_sure = True  # no cap has decided whose events are
        identity = stored.parameters.identity
        self._links = None if identity is None else KnownLinks(identity.spans)

    @classmethod
    async def load(cls, reader: Reader, partition: int, checkpoint: Checkpoint) -> "PartitionCheck":
        """Reads all but the input. The counters come first: each batch changes them."""
        counters = await PublishedCounters.load(reader, partition, checkpoint)
        letters = Letters(
            await Origins.load(reader, LATE.name, partition),
            await Origins.load(reader, REJECTED.name, partition),
            await KnownReceipts.load(reader, partition, checkpoint),
        )
        parameters = parameters_of(FoldSettings.model_validate_json(checkpoint.fold))
        book = await read_rulebook(reader, partition, checkpoint)
        return cls(StoredPartition(reader, partition, checkpoint, parameters, book, letters), counters)

    @property
    def size_bytes(self) -> int:
        """About how much memory the counters and the dead letters take."""
        letters = self.stored.letters
        return self.counters.size_bytes + sum(known.size_bytes for known in letters)

    async def run(self, memory_bytes: int, on_progress: Callable[[int, int], None]) -> str | None:
        """The first difference, or None.

        `memory_bytes` bounds what people take at a time; one person is always held. `on_progress` is called
        with the items read and about how many there are to read.
        """
        if difference := self._difference_in_letters():
            return difference
        counts, difference = self.stored.checkpoint.counts, None

        async def compare(reading: Recomputation) -> bool:
            nonlocal difference
            difference = await self._compare(reading)
            return difference is None and not self.unchecked

        await read_in_slices(
            planned_slices(counts.applied, memory_bytes),
            counts.received + counts.forwarded,
            memory_bytes,
            lambda people: Recomputation(self.stored, self._items, people, self._moves_of(people)),
            compare,
            on_progress,
        )
        if difference is not None or self.unchecked:
            return difference
        return self._difference_in_copies() or await self._difference_in_counters()

    def _moves_of(self, people: Slice) -> Moves | None:
        stored, identity = self.stored, self.stored.parameters.identity
        if identity is None or self._links is None:
            return None
        place, counts = (stored.partition, stored.reader.partitions), stored.checkpoint.counts.moves
        return Moves(identity, stored.book, people, place, self._links, counts)

    def _difference_in_letters(self) -> str | None:
        for topic, origins in ((LATE, self.stored.letters.late), (REJECTED, self.stored.letters.rejected)):
            if (at := origins.doubled) is not None:
                return f"item {at.index} of record {at.source} {at.offset} is in the {topic.name} topic twice"
        return None

    async def _compare(self, reading: Recomputation) -> str | None:
        """The first difference in what was read for one slice."""
        if not self.slices:
            self.records, self.unchecked = reading.counts.received, reading.unchecked
        self.slices += 1
        self._copies.applied += reading.counts.applied
        self._copies.duplicate += reading.counts.duplicate
        self._copies.unread_amounts += reading.counts.unread_amounts
        if self.unchecked:
            return None
        difference = self._difference_in_items(reading)
        if difference is not None and not self._was_cut(reading):
            return difference
        is_whole = difference is None
        self._is_whole = self._is_whole and is_whole
        if reading.moves is not None:
            self._all_sure = self._all_sure and not reading.moves.unsure
            if is_whole and (difference := await self._difference_in_moves(reading, reading.moves)):
                return difference
        self.publisher.rules_changed()  # an event that was given may have brought a rule
        difference = await self.people.compare(reading, is_whole=is_whole)
        self.cut |= {source_name(topic, self.stored.partition) for topic in self.people.lost}
        return difference

    async def _difference_in_moves(self, reading: Recomputation, moves: Moves) -> str | None:
        """The first difference in what was sent to other partitions about the devices of one slice, and in
        whose they are.
        """
        stored = self.stored
        if stored.reader.partitions > 1:
            sent = SentMoves(stored.reader, stored.partition, stored.checkpoint, reading.slice)
            await sent.read()
            if difference := difference_in_moves(moves, sent):
                return difference
        if any(map(is_inbox, reading.cut_sources)):  # links that others read may be missing
            return None
        return await self.owners.compare(reading.slice, moves)

    def _difference_in_items(self, reading: Recomputation) -> str | None:
        """The first count of items that differs from the checkpoint's. None if all are equal."""
        if reading.broken:
            return reading.broken
        stored, now = self.stored.checkpoint.counts, reading.counts
        names = [
            "received",
            *(name for name in OUTCOMES if name not in ("applied", "duplicate")),
            "forwarded",
            "repaired",
            "narrowed",
        ]
        pairs = [(name, getattr(stored, name), getattr(now, name)) for name in names]
        pairs += [
            (f"redriven: {ending}", stored.redriven.get(ending, 0), now.redriven.get(ending, 0))
            for ending in sorted({*stored.redriven, *now.redriven})
        ]
        return _difference(pairs)

    def _was_cut(self, reading: Recomputation) -> bool:
        """True if retention explains why items or dead letters are missing; notes in what."""
        if not self.stored.reader.drops_old_records:
            return False
        stored, now = self.stored.checkpoint.counts, reading.counts
        missing = _read(stored) - _read(now)
        cut = set(reading.cut_sources) if missing > 0 else set()
        for topic, origins, count in (
            (LATE, self.stored.letters.late, stored.late + stored.narrowed),
            (REJECTED, self.stored.letters.rejected, stored.rejected),
        ):
            if origins.count < count and (origins.first_offset or not origins.count):
                cut.add(source_name(topic.name, self.stored.partition))
        receipts = source_name(REDRIVEN.name, self.stored.partition)
        if stored.redriven != now.redriven and self.stored.letters.redriven.first_offset:
            cut.add(receipts)
        self.cut |= cut
        explained = missing == 0 or receipts in cut or bool(cut & reading.cut_sources)
        broken = reading.broken is not None and source_name(REJECTED.name, self.stored.partition) not in cut
        letters = all(
            origins.count >= count or source_name(topic.name, self.stored.partition) in cut
            for topic, origins, count in (
                (LATE, self.stored.letters.late, stored.late + stored.narrowed),
                (REJECTED, self.stored.letters.rejected, stored.rejected),
            )
        )
        return bool(cut) and explained and not broken and letters

    def _difference_in_copies(self) -> str | None:
        if not self._is_whole:
            return None
        stored, now = self.stored.checkpoint.counts, self._copies
        if len([position for position in self.stored.checkpoint.sources.values() if position.offset]) > 1:
            # Which of two copies came first is known only within one source. The sum of both is always known.
            stored_sum = stored.applied + stored.duplicate
            return _difference([("applied or duplicate", stored_sum, now.applied + now.duplicate)])
        return _difference(
            [
                ("applied", stored.applied, now.applied),
                ("duplicate", stored.duplicate, now.duplicate),
                ("unread_amounts", stored.unread_amounts, now.unread_amounts),
            ]
        )

    async def _difference_in_counters(self) -> str | None:
        """Compares the counters with the sum over the steps of all people or, where some could not be
        computed again, over the published transitions and cues.
        """
        if self._is_whole and self._all_sure:
            return self.counters.difference(self.people.windows, self.text)
        windows, steps = Windows(), StepReader(self.stored.parameters.dimensions)
        n = 0
        stored = self.stored
        for topic in CORRECTED:
            async for published in read_published(stored.reader, stored.partition, stored.checkpoint, topic):
                step = steps.read_cue(published.value) if topic is CUES else steps.read(published.value)
                count_step(step, published.sign, windows.delta)
                n += 1
                if n % STEPS_PER_ROLL_UP == 0:
                    windows.roll_up(self.stored.checkpoint.settled_mark_ms)
        return self.counters.difference(windows, self.text, self.people.complete_from_ms)


def _read(counts: Counts) -> int:
    """Items that were read, those that were redriven once more."""
    return counts.received + counts.forwarded + sum(counts.redriven.values())


def _difference(pairs: Sequence[tuple[str, int, int]]) -> str | None:
    for name, counted, recomputed in pairs:
        if counted != recomputed:
            return f"items {name}: {counted} counted, {recomputed} recomputed"
    return None
