"""What the receipts of a partition say of redriven items, for who computes the partition again."""

import msgspec

from schemas import Receipt
from streams.core.ingest.times import parse_time
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.redriving import receipt_key
from streams.log.port import Reader
from streams.queries.origins import Origin
from streams.topology import REDRIVEN, source_name

_RECEIPT_BYTES = 600  # about what a receipt takes here, its key included

_decode = msgspec.json.Decoder(Receipt).decode


class ReceiptEnding(msgspec.Struct, frozen=True, gc=False):
    """How a redriven item ended."""

    outcome: str
    held_from_ms: int  # see `streams.core.journeys.population.Taken`
    is_parted: bool
    left_out: tuple[str, ...]
    is_link: bool
    is_unmoved: bool  # it stays its device's own


class KnownReceipts:
    """The receipts of one partition, up to one checkpoint.

    An item has two of them if the partition sent it on, and it came back as an event that a device of another
    partition gave to a user of this one: one says that it was forwarded, and one how it ended.
    """

    def __init__(self) -> None:
        self._endings: dict[bytes, ReceiptEnding] = {}
        self._forwarded: dict[bytes, ReceiptEnding] = {}
        self.applied: set[Origin] = set()  # items that count
        self.unmoved: set[Origin] = set()  # of those, the ones that stay their device's own
        self.first_offset = 0  # of the first record of the topic; above 0: retention took its beginning

    @classmethod
    async def load(cls, reader: Reader, partition: int, checkpoint: Checkpoint) -> "KnownReceipts":
        """Reads all receipts of a partition that the checkpoint covers."""
        found = cls()
        is_first = True
        async for _, record in reader.scan(REDRIVEN.name, partition):
            if is_first:
                found.first_offset, is_first = record.offset, False
            if record.key is None or record.value is None:
                continue
            receipt = _decode(record.value)
            if receipt.rev <= checkpoint.batches:
                if receipt.outcome == "applied":
                    source = source_name(receipt.topic, receipt.partition)
                    item = Origin(source, receipt.offset, receipt.index, receipt.part)
                    found.applied.add(item)
                    if receipt.unmoved:
                        found.unmoved.add(item)
                held_from = None if receipt.held_from is None else parse_time(receipt.held_from)
                held_from_ms = -1 if held_from is None else held_from[0]
                of_outcome = found._forwarded if receipt.outcome == "forwarded" else found._endings
                of_outcome[record.key] = ReceiptEnding(
                    receipt.outcome,
                    held_from_ms,
                    receipt.parted,
                    receipt.left_out,
                    receipt.link,
                    receipt.unmoved,
                )
        return found

    def get(self, item: Origin, command: str) -> ReceiptEnding | None:
        """What became of an item that a command sent to this partition, or another one sent on; None if it
        has no receipt here.
        """
        key = _key(item, command)
        return self._forwarded.get(key) or self._endings.get(key)

    def of_given(self, item: Origin, command: str) -> ReceiptEnding | None:
        """How an item ended that a device of another partition gave; None if it has no receipt here."""
        return self._endings.get(_key(item, command))

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return _RECEIPT_BYTES * (len(self._endings) + len(self._forwarded))


def _key(item: Origin, command: str) -> bytes:
    return receipt_key(item.source, item.offset, item.index, item.part, command)
