"""Redrives dead letters: sends their items to the inboxes, and waits for the receipts.

A dead letter is sent to the partition that wrote it, under the id of the command. Each item gets one receipt
for the command, in the transaction in which it was taken. So a command that is killed has sent what it has
sent, and the workers take it when they run; and another command finds what was taken, and leaves it alone.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NamedTuple

import msgspec

from schemas import Receipt
from schemas.receipt import DeadLetterTopic
from streams.clock import Clock
from streams.core.ingest.event import MAX_RECORD_BYTES
from streams.core.ingest.headers import SCHEMA_HEADER
from streams.core.ingest.times import parse_time
from streams.core.ingest.unreadable import UNREADABLE_HEADER
from streams.core.processing.dead_letters import COUNTED_REASONS, REFUSED_DETAIL, is_canonical
from streams.core.processing.inbox import Redriven, encode_message
from streams.errors import Unavailable
from streams.log.port import Log, Reader
from streams.log.tail import TailPosition
from streams.queries.origins import Origin, origin_of
from streams.queries.time_range import EVER, TimeRange
from streams.records import Headers, Output, Record
from streams.topology import INBOX, LATE, REDRIVEN, REJECTED, Topic, source_name

# One append to the inboxes: few enough that a command that is stopped has sent little more than it counted.
SENT_AT_ONCE = 500
RECEIPTS_AT_ONCE = 10_000  # read at a time, of one partition: a few megabytes
NOT_WHOLE, NO_BYTES, REDRIVEN_BEFORE = "cut", "no bytes", "redriven before"
COUNTS = "counts"  # but not in all of its needs, or not as a link

_decode_receipt = msgspec.json.Decoder(Receipt).decode
_decode_pairs = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


Decode = Callable[[list[Record]], Awaitable[list[Record]]]


class Wanted(NamedTuple):
    """Which dead letters to redrive."""

    letter: DeadLetterTopic
    reasons: frozenset[str] = frozenset()  # none: whatever the reason
    times: TimeRange = EVER  # when they were put aside

    @property
    def topic(self) -> Topic:
        return LATE if self.letter == "late" else REJECTED


class Redrove(msgspec.Struct):
    """What a command has done, as far as it has come."""

    command: str
    sent: Counter[str] = msgspec.field(default_factory=Counter[str])  # dead letters by their reason
    passed_over: Counter[str] = msgspec.field(default_factory=Counter[str])  # dead letters not sent, and why
    ended: Counter[str] = msgspec.field(default_factory=Counter[str])  # items by how they ended
    # Those refused again: by how they ended, and the reason.
    reasons: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter[tuple[str, str]])
    of_new_people: int = 0  # applied items of people of whom nothing was held
    left_out: int = 0  # applied items that do not count in all of their needs
    counters: Counter[str] = msgspec.field(default_factory=Counter[str])  # changes by the name of the cell
    waiting: Counter[int] = msgspec.field(default_factory=Counter[int])  # dead letters by partition

    def wire(self) -> dict[str, object]:
        """As a JSON-ready dict."""
        return {
            "command": self.command,
            "sent": dict(self.sent.most_common()),
            "passed_over": dict(self.passed_over.most_common()),
            "ended": dict(self.ended.most_common()),
            "refused": {reason: count for (_, reason), count in self.reasons.most_common()},
            "of_new_people": self.of_new_people,
            "left_out": self.left_out,
            "counters": {cell: change for cell, change in sorted(self.counters.items()) if change},
            "under_way": {str(partition): count for partition, count in sorted(self.waiting.items())},
        }

    def add(self, receipt: Receipt) -> None:
        """Counts an item that has ended."""
        self.ended[receipt.outcome] += 1
        if receipt.reason is not None:
            self.reasons[receipt.outcome, receipt.reason] += 1
        self.of_new_people += receipt.new_person
        self.left_out += bool(receipt.left_out)
        for moved in receipt.counters:
            self.counters[moved.cell] += moved.change


class Receipts:
    """The receipts of an app, as far as they were read."""

    def __init__(self, reader: Reader, command: str) -> None:
        self._reader, self._command = reader, command
        self._positions: list[TailPosition | None] = [None] * reader.partitions
        self._done: set[Origin] = set()  # items that count
        self._parts: dict[Origin, int] = {}  # of dead letters that were read as several items: how many
        # Of this command: by dead letter, the receipts of its items that have ended, by part.
        self.own: defaultdict[Origin, dict[int, Receipt]] = defaultdict(dict)

    async def read_on(self) -> list[Receipt]:
        """Reads what has come. Returns the receipts of this command, of items that have ended."""
        new: list[Receipt] = []
        left = list(range(self._reader.partitions))
        while left:
            # All at once: a broker holds back the answer that there is nothing.
            tails = await asyncio.gather(
                *[
                    self._reader.tail(REDRIVEN.name, number, self._positions[number], RECEIPTS_AT_ONCE)
                    for number in left
                ]
            )
            for number, tail in zip(left, tails, strict=True):
                self._positions[number] = tail.position
                new += [receipt for record in tail.records if (receipt := self._take(record)) is not None]
            left = [number for number, tail in zip(left, tails, strict=True) if not tail.at_end]
        return new

    def _take(self, record: Record) -> Receipt | None:
        if record.value is None:
            return None
        receipt = _decode_receipt(record.value)
        source = source_name(receipt.topic, receipt.partition)
        item = Origin(source, receipt.offset, receipt.index, receipt.part)
        if receipt.outcome in ("applied", "duplicate", "already"):
            self._done.add(item)
        if receipt.parts > 1:
            self._parts[item.letter] = max(receipt.parts, self._parts.get(item.letter, 1))
        if receipt.command != self._command or receipt.outcome == "forwarded":
            return None
        own = self.own[item.letter]
        is_new = receipt.part not in own  # a reader may have to begin anew
        own[receipt.part] = receipt
        return receipt if is_new else None

    def counts(self, letter: Origin) -> bool:
        """True if every item of a dead letter counts: nothing of it is left to redrive."""
        parts = range(self._parts.get(letter, 1))
        return all(Origin(letter.source, letter.offset, letter.index, part) in self._done for part in parts)

    def has_ended(self, letter: Origin) -> bool:
        """True if every item of a dead letter of this command has ended."""
        own = self.own.get(letter, {})
        return bool(own) and len(own) == max(receipt.parts for receipt in own.values())


class Redrive:
    """One command."""

    def __init__(self, log: Log, command: str, clock: Clock, decode: Decode | None = None) -> None:
        """`decode`: decodes records as whoever reads them from an input does; None: nobody decodes any."""
        self.done = Redrove(command)
        self._log, self._clock, self._decode = log, clock, decode
        self._receipts = Receipts(log, command)
        self._waiting: dict[Origin, int] = {}  # the partition that each dead letter was sent to

    async def send(self, wanted: Wanted, on_sent: Callable[[int], None]) -> None:
        """Sends the dead letters that are there. `on_sent` is called with how many were sent so far."""
        await self._receipts.read_on()
        messages: list[Output] = []
        # Asked for first: what is deleted meanwhile is refused only where another command says so.
        firsts = await self._log.first_offsets(wanted.topic.name)
        async for partition, letter in self._wanted(wanted):
            origin, in_canonical_form = origin_of(letter, partition), is_canonical(letter)
            item = _item(letter, origin)
            if not in_canonical_form:
                item = await self._as_read(item)
            message = Redriven(
                command=self.done.command,
                letter=wanted.letter,
                letter_offset=letter.offset,
                first_letter=firsts[partition],
                source=origin.source,
                offset=item.offset,
                index=item.index,
                time_ms=item.time_ms,
                sent_ms=self._clock.wall_ms(),
                headers=item.headers,
                value=item.value or b"",
                is_canonical=in_canonical_form,
            )
            messages.append(Output(INBOX.name, None, encode_message(message), (), partition))
            self._waiting[origin] = partition
            self.done.waiting[partition] += 1
            if len(messages) >= SENT_AT_ONCE:
                await self._log.send(messages)
                messages = []
                on_sent(len(self._waiting))
        if messages:
            await self._log.send(messages)
        on_sent(len(self._waiting))

    async def _as_read(self, item: Record) -> Record:
        """The item as it would be read from its input now."""
        if self._decode is None:
            return item
        # Whoever decoded it may have marked it: what was unknown then may be known now.
        headers = tuple([header for header in item.headers if header[0] != UNREADABLE_HEADER])
        unmarked = msgspec.structs.replace(item, headers=headers)
        (decoded,) = await self._decode([unmarked])
        # More than a record may have would not fit into an inbox. As it came, it is refused.
        is_decoded = decoded is not unmarked and len(decoded.value or b"") <= MAX_RECORD_BYTES
        return decoded if is_decoded else item

    def _wanted(self, wanted: Wanted) -> AsyncIterator[tuple[int, Record]]:
        return letters_to_send(self._log, wanted, self.done, self._receipts)

    async def wait(
        self, pause: Callable[[], Awaitable[None]], timeout_s: float, on_ended: Callable[[int], None]
    ) -> None:
        """Waits for the receipts. `pause` is awaited where none has come; `on_ended` is called with how many
        dead letters have ended.

        Raises Unavailable when none has come for so many seconds: `done` holds what has, and what is under
        way.
        """
        total, came_s = len(self._waiting), self._clock.monotonic_s()
        while True:
            new = await self._receipts.read_on()
            for receipt in new:
                self.done.add(receipt)
            if new:
                came_s = self._clock.monotonic_s()
                self._waiting = {
                    origin: partition
                    for origin, partition in self._waiting.items()
                    if not self._receipts.has_ended(origin)
                }
                on_ended(total - len(self._waiting))
            self.done.waiting = Counter(self._waiting.values())
            if not self._waiting:
                return
            if not new:
                if self._clock.monotonic_s() - came_s > timeout_s:
                    raise Unavailable(_under_way(self.done.waiting, timeout_s))
                await pause()


async def count_wanted(reader: Reader, wanted: Wanted) -> Redrove:
    """Counts what `Redrive.send` would send, and sends nothing."""
    receipts, found = Receipts(reader, ""), Redrove("")
    await receipts.read_on()
    async for _ in letters_to_send(reader, wanted, found, receipts):
        pass
    return found


async def letters_to_send(
    reader: Reader, wanted: Wanted, done: Redrove, receipts: Receipts
) -> AsyncIterator[tuple[int, Record]]:
    """The dead letters to send, each with the partition that wrote it; counts them, and those passed over."""
    async for partition, letter in reader.scan(wanted.topic.name, since_ms=wanted.times.since_ms):
        if not wanted.times.has(letter.time_ms):
            continue
        headers = dict(letter.headers)
        reason = headers["reason"].decode()
        if wanted.reasons and reason not in wanted.reasons:
            continue
        if reason in COUNTED_REASONS:
            done.passed_over[COUNTS] += 1
        elif receipts.counts(origin_of(letter, partition)):
            done.passed_over[REDRIVEN_BEFORE] += 1
        elif "cut" in headers:
            done.passed_over[NOT_WHOLE] += 1
        elif headers.get("detail") == REFUSED_DETAIL.encode():
            done.passed_over[NO_BYTES] += 1
        else:
            done.sent[reason] += 1
            yield partition, letter


def _item(letter: Record, origin: Origin) -> Record:
    """What a dead letter holds, with what it takes to read it."""
    headers = dict(letter.headers)
    appended = parse_time(headers.get("appended", b"").decode())
    time_ms = -1 if appended is None else appended[0]
    return Record(origin.offset, time_ms, None, letter.value, _decisive(headers), origin.index)


def _decisive(headers: Mapping[str, bytes]) -> Headers:
    """The headers that decided how the item was read."""
    schema: Headers = ((SCHEMA_HEADER, headers[SCHEMA_HEADER]),) if SCHEMA_HEADER in headers else ()
    pairs = _decode_pairs(headers.get("read_with", b"[]"))
    return (*schema, *((name, text.encode()) for name, text in pairs))


def _under_way(waiting: Mapping[int, int], timeout_s: float) -> str:
    where = ", ".join(f"{count:,} in partition {partition}" for partition, count in sorted(waiting.items()))
    return (
        f"{sum(waiting.values()):,} of the dead letters are still under way ({where}): no receipt came for "
        f"{timeout_s:g} s. They are in the inbox and will be taken once: start the workers, or wait. The "
        "same command then says which were redriven before"
    )
