"""What all partitions of a log have read, and what was recorded of it: for who reads it by other rules."""

from collections.abc import Sequence
from typing import NamedTuple

from streams.core.moments.rules import Rules
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.parameters import Parameters
from streams.core.processing.rulebook import Rulebook
from streams.errors import ConfigError, InputError
from streams.log.port import Reader
from streams.queries.known_receipts import KnownReceipts
from streams.queries.origins import Origin, Origins
from streams.queries.stored_items import ItemReader, owner_of, read_rulebook, stored_rules
from streams.runtime.parameters import parameters_of
from streams.settings.fold import FoldSettings
from streams.topology import LATE, REJECTED


class ReadPartition(NamedTuple):
    """What one partition has read, up to its checkpoint."""

    number: int
    checkpoint: Checkpoint
    book: Rulebook
    items: ItemReader
    redriven: KnownReceipts


class StoredInput:
    """All that was ever read, and the dead letters of all partitions."""

    def __init__(
        self,
        reader: Reader,
        parameters: Parameters,
        partitions: Sequence[ReadPartition],
        late: Origins,
        rejected: Origins,
    ) -> None:
        self.reader, self.parameters, self.partitions = reader, parameters, partitions
        self.late, self.rejected = late, rejected
        self._timers_fired_ms = {each.number: each.checkpoint.timers_fired_ms for each in partitions}

    @classmethod
    async def load(cls, reader: Reader) -> "StoredInput":
        """Reads all but the input. Raises InputError if nothing was processed yet."""
        stored = [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
        known = [(number, checkpoint) for number, checkpoint in enumerate(stored) if checkpoint is not None]
        if not known:
            raise InputError("nothing has been processed yet: there is nothing to compare rules by")
        parameters = parameters_of(FoldSettings.model_validate_json(known[0][1].fold))
        partitions = []
        for number, checkpoint in known:
            book = await read_rulebook(reader, number, checkpoint)
            receipts = await KnownReceipts.load(reader, number, checkpoint)
            partitions.append(ReadPartition(number, checkpoint, book, ItemReader(parameters, book), receipts))
        late = await Origins.load(reader, LATE.name, None)
        return cls(reader, parameters, partitions, late, await Origins.load(reader, REJECTED.name, None))

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        receipts = sum(partition.redriven.size_bytes for partition in self.partitions)
        return self.late.size_bytes + self.rejected.size_bytes + receipts

    @property
    def received(self) -> int:
        """How many items were read."""
        return sum(partition.checkpoint.counts.received for partition in self.partitions)

    @property
    def applied(self) -> int:
        """How many items are events that count."""
        return sum(partition.checkpoint.counts.applied for partition in self.partitions)

    def is_late(self, item: Origin) -> bool:
        """True if an item came too late to count when it was read first."""
        return item in self.late and item not in self.late.left_out

    def counts_redriven(self, item: Origin) -> bool:
        """True if an item counts because it was redriven."""
        return any(item in partition.redriven.applied for partition in self.partitions)

    def timers_fired_ms(self, key: str) -> int:
        """Up to which time silence has been judged of the person with this profile key."""
        return self._timers_fired_ms.get(owner_of(key, self.reader.partitions), -1)

    def rules_in_force(self) -> Rules:
        """The rules by which the newest records were read. A partition that was idle since they were put in
        force does not know of them, and is passed over if another one has been under its rules before.

        Raises ConfigError if that leaves no rules, or several.
        """
        books = [(partition.book, partition.checkpoint.eras) for partition in self.partitions]
        histories = [[book.versions[era.rules] for era in eras] for book, eras in books]
        latest = {history[-1].version: history[-1].text for history in histories}
        left = {
            known.version
            for history in histories
            for known in history
            if known.version != history[-1].version
        }
        if len(latest) > 1:
            latest = {version: text for version, text in latest.items() if version not in left} or latest
        if len(latest) > 1:
            raise ConfigError(
                f"current: the partitions are under different rules now ({', '.join(sorted(latest))}): "
                "ask again when all workers run with the same, or name a file"
            )
        return stored_rules(*latest.values())

    @property
    def cut_letters(self) -> tuple[str, ...]:
        """The topics of dead letters of which the oldest are deleted."""
        if not self.reader.drops_old_records:
            return ()
        counts = [partition.checkpoint.counts for partition in self.partitions]
        late, rejected = sum(n.late + n.narrowed for n in counts), sum(n.rejected for n in counts)
        cut = (LATE.name, self.late.count < late), (REJECTED.name, self.rejected.count < rejected)
        return tuple(name for name, is_cut in cut if is_cut)
