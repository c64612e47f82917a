"""Messages between partitions: all that one partition writes into the inbox of another, as one typed union.

A message is the value of a record in the inbox topic. Each type of message has a tag with its version. A
record that is none of them was written by another program, or by a release that this one does not know.
"""

import msgspec

from streams.records import DecodedRecord, Headers, Record


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


class WatermarkReport(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="watermark/1"):
    """How far a partition has come, for the partitions that wait for it."""

    partition: int
    watermark_ms: int  # of its own inputs
    idle: bool  # it has read them to their end, and nothing has come for a while
    started: bool = False  # its first report since a start: peers that are idle must report again


Message = Forwarded | WatermarkReport

encode_message = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def decode_message(value: bytes | None) -> Message | None:
    """The message that a record of the inbox holds; None if it is not one that this release knows."""
    try:
        return _decoder.decode(value or b"")
    except msgspec.MsgspecError:
        return None
