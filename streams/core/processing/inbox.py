"""Messages between partitions: everything that one partition writes into another one's inbox, as one typed
union.

A message is the value of a record of the inbox topic. Each type has a tag with its version; a record that is
no message of this union was written by somebody else, or by a release whose messages this one does not know.
"""

import msgspec

from streams.records import Headers, Record


class Forwarded(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="forwarded/1"):
    """An item whose person another partition owns, as it was read, and where. The owner reads it by its own
    rules.
    """

    source: str  # `topic:partition`
    offset: int
    index: int  # of the item in its record
    time_ms: int  # when the record was appended; -1: not known
    format: str  # one of streams.core.ingest.formats.FORMATS
    headers: Headers  # those that the format needs
    value: bytes | None

    def record(self, key: bytes | None) -> Record:
        """The item as it was where it was read."""
        return Record(self.offset, self.time_ms, key, self.value, self.headers, self.index)


class WatermarkReport(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="watermark/1"):
    """How far a partition has come, for the partitions that wait for it."""

    partition: int
    watermark_ms: int  # of its own inputs
    idle: bool  # it has read them to their end, and nothing has come for a while
    started: bool = False  # first report since it started: peers that are idle must report again


Message = Forwarded | WatermarkReport

encode_message = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def decode_message(value: bytes | None) -> Message | None:
    """The message in a record of the inbox topic; None when there is none that this release knows."""
    try:
        return _decoder.decode(value or b"")
    except msgspec.MsgspecError:
        return None
