"""Takes redriven items: each is read once more at the partition that owns its person, and gets a receipt.

The partition that wrote the dead letter takes an item first, and sends it on if another one owns its person.
Each remembers the items that it took or sent on, so an item counts at most once: even if the rules change in
between, or two commands redrive it at the same time. An item is remembered for as long as its dead letter is
kept. From then on no command finds it; and a message that was sent before is refused by the offset of its
dead letter, however late it comes.
"""

from collections.abc import Generator, Mapping, Sequence
from hashlib import blake2b
from typing import get_args

import msgspec

from schemas.receipt import MovedCounter, Receipt, RedrivenOutcome
from streams.core.ingest.event import Apart, Event, Rejection
from streams.core.ingest.partition import partition_of
from streams.core.ingest.reading import ReadOutcome
from streams.core.journeys.folding import DUPLICATE, FINAL
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.redriving import RedrivenEvent
from streams.core.processing.canonical import read_canonical
from streams.core.processing.inbox import Redriven, decode_message, encode_message
from streams.core.processing.items import read_redriven
from streams.core.processing.json_text import encode_json, rfc3339
from streams.core.processing.places import place_at, source_code
from streams.core.processing.record_keys import person_key
from streams.core.processing.redriven_events import (
    OwnerPartition,
    ReadEvent,
    is_resent,
    is_unmovable,
    take_link,
    take_signal,
)
from streams.core.processing.source_headers import source_place
from streams.core.processing.state_keys import ItemFate, redriven_record
from streams.records import Output, Record, StateRecord
from streams.topology import INBOX, REDRIVEN, is_inbox, source_name, split_source

ITEM_HASH_BYTES = 16  # two of a billion items have the same hash with a chance of 1e-21
ITEMS_PER_TURN = 100  # taken before others get their turn: each may fold a whole journal
FINAL_REASON = "final"
OWNER_CHANGED = "owner_changed"
LETTER_GONE = "letter_gone"  # its dead letter is not kept any more, nor what became of it
APART: Mapping[Apart, RedrivenOutcome] = {Apart.REFUSED: "refused", Apart.ROBOT: "robot"}
REDRIVEN_ENDINGS = tuple(word for word in get_args(RedrivenOutcome) if word != "forwarded")  # those counted


def receipt_key(source: str, offset: int, index: int, part: int, command: str) -> bytes:
    """The key of a receipt: the item, and the command that redrove it."""
    return f"{source}:{offset}:{index}:{part} {command}".encode()


class RedrivenFates:
    """The items that were redriven to a partition."""

    def __init__(self) -> None:
        self.fates: dict[bytes, ItemFate] = {}  # by hash of the item; as many as dead letters are kept
        self.changed: list[StateRecord] = []  # what the open batch has to write of them
        self.receipts: list[Output] = []

    def take_first(
        self, processor: OwnerPartition, chunks: Sequence[tuple[str, list[Record]]]
    ) -> Generator[None, None, Sequence[tuple[str, list[Record]]]]:
        """Takes the redriven items at the beginning of the inbox. Returns the records that are left."""
        left: list[tuple[str, list[Record]]] = []
        for source, records in chunks:
            taken = 0
            for record in records if is_inbox(source) else ():
                message = decode_message(record.value)
                if not isinstance(message, Redriven):
                    break
                self.take(processor, message)
                taken += 1
                if taken % ITEMS_PER_TURN == 0:
                    yield
            if taken:
                processor.tracker.sources[source].offset = records[taken - 1].offset + 1
            if taken < len(records):
                left.append((source, records[taken:]))
        return left

    def take(self, processor: OwnerPartition, message: Redriven) -> None:
        """Takes the items of one dead letter. What the batch has changed before must be published."""
        kept, letters = processor.checkpoint.kept_letters, _letters(processor, message)
        if message.letter_offset < kept.get(letters, 0):
            self._end(processor, message, message.record(), "rejected", LETTER_GONE)
            return
        if message.first_letter > kept.get(letters, 0):
            kept[letters] = message.first_letter
            self._forget(letters, message.first_letter)
        if message.is_canonical:
            self._take_canonical(processor, message)
            return
        found = read_redriven(processor.readers.of(message.source), message, message.sent_ms)
        parts = message.parts if message.is_sent_on else len(found)
        for item in found:
            one = msgspec.structs.replace(message, part=item.part, parts=parts)
            self._take_item(processor, one, item.record, item.outcome)

    def _forget(self, letters: str, first: int) -> None:
        """Forgets what became of the dead letters before this offset, which are not kept any more."""
        gone = [
            name
            for name, fate in self.fates.items()
            if fate.letters == letters and fate.letter_offset < first
        ]
        for name in gone:
            del self.fates[name]
            self.changed.append(redriven_record(name, None))

    def _take_item(
        self, processor: OwnerPartition, message: Redriven, item: Record, outcome: ReadOutcome
    ) -> None:
        if isinstance(outcome, Rejection):
            found = processor.signals.rejection(outcome)
            self._end(processor, message, item, "rejected", found.reason.value)
            return
        if isinstance(outcome, Event) and outcome.apart is not None:
            self._end(processor, message, item, APART[outcome.apart])
            return
        verdict = processor.signals.classify(outcome) if isinstance(outcome, Event) else None
        if not isinstance(outcome, Event) or verdict is None:
            is_link = isinstance(outcome, Event) and take_link(processor, message.source, outcome, item)
            self._end(processor, message, item, "no_signal", is_link=is_link)
            return
        signal = processor.signals.signal(outcome, verdict, _place(processor, message), is_redriven=True)
        self._take_event(processor, message, item, ReadEvent(processor.signals.key(outcome), signal, outcome))

    def _take_canonical(self, processor: OwnerPartition, message: Redriven) -> None:
        """Takes an event of a device that is given as what is known of it."""
        book, item = processor.rulebook, message.record()
        versions = len(book.versions)
        found = read_canonical(message.value, processor.parameters.dimensions, book)
        if len(book.versions) > versions:
            processor.publisher.rules_changed()
        if isinstance(found, Rejection):
            self._end(processor, message, item, "rejected", found.reason.value)
        elif found.signal is None:
            self._end(processor, message, item, "no_signal")
        else:
            self._take_event(
                processor, message, item, ReadEvent(found.device, found.signal, None, found.user)
            )

    def _take_event(
        self, processor: OwnerPartition, message: Redriven, item: Record, read: "ReadEvent"
    ) -> None:
        partitions = processor.tracker.partitions
        owner = partition_of(person_key(read.key), partitions) if partitions > 1 else processor.partition
        name, letters = _hash_of(message), _letters(processor, message)
        fate = self.fates.get(name)
        if owner != processor.partition:
            if message.is_sent_on or (fate is not None and fate.sent_to != owner):
                self._end(processor, message, item, "rejected", OWNER_CHANGED)
                return
            self._remember(name, ItemFate(letters, message.letter_offset, None, owner))
            self._send_on(processor, message, item, owner)
            return
        if fate is not None and fate.taken_by is None:
            self._end(processor, message, item, "rejected", OWNER_CHANGED)
            return
        if fate is not None and not is_resent(processor, read):
            if fate.taken_by != message.command:  # else its receipt is there
                self._end(processor, message, item, "already")
            return
        taken = take_signal(processor, message, item, read)
        if isinstance(taken, int) or taken.outcome != FINAL:
            self._remember(name, ItemFate(letters, message.letter_offset, message.command))
        if isinstance(taken, int):  # the partition that owns its user writes the receipt
            receipt = _receipt(message, item, "forwarded")
            self._write(processor, msgspec.structs.replace(receipt, forwarded_to=taken))
            return
        if taken.given_to is None and taken.outcome not in (FINAL, DUPLICATE):
            processor.checkpoint.counts.unread_amounts += read.signal.has_unread_amount
        is_link = read.event is not None and take_link(processor, message.source, read.event, item)
        self.end_taken(
            processor, message, item, taken, is_link=is_link, is_unmoved=is_unmovable(processor, read)
        )

    def end_taken(
        self,
        processor: OwnerPartition,
        message: Redriven,
        item: Record,
        taken: RedrivenEvent,
        *,
        is_link: bool = False,
        is_unmoved: bool = False,
    ) -> None:
        """Publishes what an item has changed, and writes its receipt."""
        if taken.outcome == FINAL:
            self._end(processor, message, item, "late", FINAL_REASON, is_link=is_link)
            return
        if taken.outcome == DUPLICATE:
            self._end(processor, message, item, "duplicate", is_link=is_link)
            return
        windows = processor.windows
        before, windows.delta = windows.delta, {}
        # (Of an event in canonical form nobody knows where it was read.)
        processor.publish(None if message.is_canonical else source_place(message.source))
        delta, windows.delta = windows.delta, before
        for cell, change in delta.items():
            before[cell] = before.get(cell, 0) + change
        moved = processor.tallies.moved(delta, processor.population.settled_mark_ms)
        self._write(
            processor,
            msgspec.structs.replace(
                _receipt(message, item, "applied", is_link=is_link),
                new_person=taken.is_new,
                held_from=rfc3339(taken.held_from_ms) if taken.held_from_ms >= 0 else None,
                parted=taken.is_parted,
                unmoved=is_unmoved,
                left_out=taken.outcome.needs if isinstance(taken.outcome, LeftOut) else (),
                counters=tuple([MovedCounter(name, change) for name, change in sorted(moved.items())]),
            ),
        )

    def _end(
        self,
        processor: OwnerPartition,
        message: Redriven,
        item: Record,
        outcome: RedrivenOutcome,
        reason: str | None = None,
        *,
        is_link: bool = False,
    ) -> None:
        self._write(processor, _receipt(message, item, outcome, reason, is_link=is_link))

    def _send_on(self, processor: OwnerPartition, message: Redriven, item: Record, owner: int) -> None:
        assert item.value is not None, "a dead letter has bytes"
        sent = msgspec.structs.replace(message, value=item.value, sent_on_by=processor.partition)
        processor.open.send(Output(INBOX.name, None, encode_message(sent), (), owner))
        receipt = _receipt(message, item, "forwarded")
        self._write(processor, msgspec.structs.replace(receipt, forwarded_to=owner))

    def _write(self, processor: OwnerPartition, receipt: Receipt) -> None:
        if receipt.outcome != "forwarded":
            counts = processor.checkpoint.counts.redriven
            counts[receipt.outcome] = counts.get(receipt.outcome, 0) + 1
        receipt = msgspec.structs.replace(receipt, rev=processor.checkpoint.batches + 1)
        source = f"{receipt.topic}:{receipt.partition}"
        key = receipt_key(source, receipt.offset, receipt.index, receipt.part, receipt.command)
        self.receipts.append(Output(REDRIVEN.name, key, encode_json(receipt)))

    def _remember(self, name: bytes, fate: ItemFate) -> None:
        if self.fates.get(name) != fate:
            self.fates[name] = fate
            self.changed.append(redriven_record(name, fate))

    def drain(self) -> tuple[list[Output], list[StateRecord]]:
        """The receipts and state records of the open batch; begins the next one."""
        drained = self.receipts, self.changed
        self.receipts, self.changed = [], []
        return drained


def _receipt(
    message: Redriven,
    item: Record,
    outcome: RedrivenOutcome,
    reason: str | None = None,
    *,
    is_link: bool = False,
) -> Receipt:
    topic, partition = split_source(message.source)
    return Receipt(
        command=message.command,
        letter=message.letter,
        topic=topic,
        partition=partition,
        offset=item.offset,
        index=item.index,
        outcome=outcome,
        reason=reason,
        part=message.part,
        parts=message.parts,
        link=is_link,
        left_out=(),
        counters=(),
        rev=0,
    )


def _place(processor: OwnerPartition, message: Redriven) -> bytes:
    """Where a redriven item was read first."""
    return place_at(source_code(processor.checkpoint.read_from, message.source), message.offset)


def _letters(processor: OwnerPartition, message: Redriven) -> str:
    """Where the dead letter of a message lies."""
    writer = message.sent_on_by if message.is_sent_on else processor.partition
    return source_name(message.letter, writer)


def _hash_of(message: Redriven) -> bytes:
    name = f"{message.source}:{message.offset}:{message.index}:{message.part}".encode()
    return blake2b(name, digest_size=ITEM_HASH_BYTES).digest()
