"""Messages between partitions: all that one partition writes into the inbox of another, as one typed union.

A message is the value of a record in the inbox topic. Each type of message has a tag with its version. A
record that is none of them was written by another program, or by a release that this one does not know.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.receipt import DeadLetterTopic
from streams.core.journeys.signal import REF_AT
from streams.core.processing.travelling import TravellingSignal
from streams.records import DecodedRecord, Headers, Output, Record
from streams.topology import INBOX

NOT_SENT_ON = -1
UNKNOWN_MESSAGE = "a record in the inbox topic that no partition of this release wrote"


class Forwarded(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="forwarded/1"):
    """An item on its way to the partition that owns its person, as it was read, and where it was read.

    The owner partition reads it by its own rules and through its own door.
    """

    source: str  # `topic:partition`
    offset: int
    index: int  # of the item in that record
    time_ms: int  # when the record was appended; -1: not known
    headers: Headers  # those that decide how it is read
    value: bytes | None
    original: bytes | None = None  # of what the value was before it was decoded: enough for a dead letter

    def record(self, key: bytes | None) -> Record:
        """The item, as the forwarding partition had it. `key`: the key of the record in the inbox."""
        if self.original is None:
            return Record(self.offset, self.time_ms, key, self.value, self.headers, self.index)
        return DecodedRecord(
            self.offset, self.time_ms, key, self.value, self.headers, self.index, original=self.original
        )


class Redriven(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="redriven/1"):
    """The item of a dead letter, which is to be read once more, and which command redrives it.

    It goes to the partition that wrote the dead letter. If the item belongs to another one, that partition
    sends it on. A dead letter may be read as several items now: these are its parts.
    """

    command: str
    letter: DeadLetterTopic  # where its dead letter lies
    letter_offset: int  # in that topic, in the partition that wrote it
    first_letter: int  # the first offset that was still kept there when it was sent
    source: str  # where it was read first, `topic:partition`
    offset: int
    index: int
    time_ms: int  # when its record was appended; -1: not known
    sent_ms: int  # when it was redriven: it counts as sent then
    headers: Headers  # those that decide how it is read
    value: bytes
    sent_on_by: int = NOT_SENT_ON  # the partition that wrote the dead letter, if that one has sent it on
    part: int = 0  # of the items that the dead letter was read as, once it is sent on
    parts: int = 1  # how many these are
    is_canonical: bool = False  # it is an event in canonical form, which no reader reads

    @property
    def is_sent_on(self) -> bool:
        """True if it comes from the partition that wrote the dead letter, and not from a command."""
        return self.sent_on_by != NOT_SENT_ON

    def record(self) -> Record:
        """The item, as it was read first."""
        return Record(self.offset, self.time_ms, None, self.value, self.headers, self.index)


class WatermarkReport(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="watermark/1"):
    """How far a partition has come, for the partitions that wait for it."""

    partition: int
    watermark_ms: int  # of its own inputs
    idle: bool  # it has read them to their end, and nothing has come for a while
    started: bool = False  # its first report since a start: peers that are idle must report again
    # Its own watermark: all that had to move by then was sent before. -1: identity is off.
    own_watermark_ms: int = -1
    batch: int = 0  # of its sender: by `WaitingMessage` it learns that a partition has taken it


class WaitingMessage(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="waiting/1"):
    """A partition has begun to wait for the one to which this goes, by a report of it."""

    partition: int  # the one that waits
    batch: int  # of that report
    watermark_ms: int  # of the partition that waits, by then: it may have gone on before


class LinkMessage(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="link/1"):
    """A user was on a device: from the partition that read it to the one that owns the device."""

    device: str  # the key of the profile
    user: str  # likewise
    at_ms: int
    event: str  # the id of the event that says so
    source: str  # where it was read, `topic:partition`
    offset: int
    index: int  # of the item in that record
    is_redriven: bool = False  # the item was redriven, perhaps to another partition than the one that read it


class GiveMessage(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="give/1"):
    """Events of a device for the user to whom they belong: all of one batch."""

    user: str  # the key of the profile
    device: str  # likewise
    signals: tuple[TravellingSignal, ...]
    is_new: bool = False  # they have just come, and were nobody's before
    # Of the partition that sent it: with `batches` of a checkpoint a reader knows what it covers.
    batch: int = 0
    redriven: Redriven | None = None  # it is the item of this dead letter, which has no receipt yet


class TakeMessage(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="take/1"):
    """Events of a device that no longer belong to a user: all of one batch."""

    user: str
    device: str
    events: tuple[bytes, ...]  # of each its time and its id within the device (`facts_key`)
    batch: int = 0  # as of `GiveMessage`

    @property
    def refs(self) -> list[bytes]:
        """The ids of the events within the device."""
        return [name[REF_AT:] for name in self.events]


class PassMessage(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="pass/1"):
    """An operator lets the settled mark pass a partition, wherever that is excluded."""

    partition: int


MoveMessage = GiveMessage | TakeMessage
ProgressMessage = WatermarkReport | WaitingMessage | PassMessage
Message = Forwarded | Redriven | ProgressMessage | LinkMessage | MoveMessage

encode_message = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


# How the messages about devices begin, after the byte that says how many fields they have.
_TAG_AT, _TAG_BYTES = 1, 5
_CONNECTING = frozenset(
    [
        encode_message(message)[_TAG_AT : _TAG_AT + _TAG_BYTES]
        for message in (
            LinkMessage("", "", 0, "", "", offset=0, index=0),
            GiveMessage("", "", ()),
            TakeMessage("", "", ()),
        )
    ]
)  # fmt: skip


def waiting_messages(partition: int, batches: Mapping[int, int], watermark_ms: int) -> list[Output]:
    """What a partition says to those for whom it has begun to wait.

    `batches`: by partition, of the report that it has taken. `watermark_ms`: its own.
    """
    return [
        Output(INBOX.name, None, encode_message(WaitingMessage(partition, batch, watermark_ms)), (), number)
        for number, batch in batches.items()
    ]


def report_to_others(report: WatermarkReport | None, partitions: int) -> list[Output]:
    """A watermark report, once for each other partition."""
    if report is None:
        return []
    message = encode_message(report)
    others = [number for number in range(partitions) if number != report.partition]
    return [Output(INBOX.name, None, message, (), number) for number in others]


class InboxRead(NamedTuple):
    """What was found at the beginning of an inbox, up to the first redriven item."""

    runs: dict[str, list[Record]]  # forwarded items, by the source that they were read from first
    links: list[LinkMessage]
    moves: list[MoveMessage]  # in the order in which they were sent
    reports: list[ProgressMessage]  # in the order in which they were sent
    # Records that no partition of this app and release wrote, each with what tells it.
    unknown: list[tuple[Record, str]]
    waiting: int  # records from the first redriven item on


def read_messages(records: Sequence[Record], fault_of: Callable[[Message], str | None]) -> InboxRead:
    """Sorts the records of an inbox by what they hold.

    `fault_of`: what is wrong with a message; None: nothing is.
    """
    found = InboxRead({}, [], [], [], [], 0)
    for number, record in enumerate(records):
        message = decode_message(record.value)
        if message is None:
            found.unknown.append((record, UNKNOWN_MESSAGE))
            continue
        if (fault := fault_of(message)) is not None:
            found.unknown.append((record, fault))
            continue
        match message:
            case Redriven():
                return found._replace(waiting=len(records) - number)
            case WatermarkReport() | WaitingMessage() | PassMessage() as report:
                found.reports.append(report)
            case LinkMessage() as link:
                found.links.append(link)
            case GiveMessage() | TakeMessage() as move:
                found.moves.append(move)
            case Forwarded() as item:
                found.runs.setdefault(item.source, []).append(item.record(record.key))
    return found


def may_connect(value: bytes | None) -> bool:
    """A quick look: False if a record of the inbox holds no link and no move. Most are forwarded items."""
    return value is not None and value[_TAG_AT : _TAG_AT + _TAG_BYTES] in _CONNECTING


def decode_message(value: bytes | None) -> Message | None:
    """The message that a record of the inbox holds; None if it is not one that this release knows."""
    try:
        return _decoder.decode(value or b"")
    except msgspec.MsgspecError:
        return None
