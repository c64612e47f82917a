"""How far a partition has come in event time, when it reads more than one source.

A source's own mark is the greatest event time read from it. The partition's horizon mark is the least of its sources' marks, since what a source
has yet to deliver may be as old as its mark; a source that was read to its end holds nobody up. With one source that is its mark.

Events of people who live in another partition are *handed over*. The first one that a partition hands over, or is handed, makes it *meshed*: from
then on every partition is a source of it, and tells it now and then how far it has come in its own inputs (a *mark*, through the handover topic,
behind what it handed over before). What partitions tell is only how far they are in their own inputs, so that no two wait for each other.
"""

from collections.abc import Iterable

import msgspec

from streams.records import Fetched

NEVER, NOTHING_LEFT = -1, 1 << 62  # a mark of who was not heard of yet; of who holds nobody up
TELL_EVENTS = 50_000  # read between two marks of a partition that has much to read: others hold back what is newer for so long
TELL_BATCHES = 200  # or so many batches, when each is small; the shell sees to it that a mark is not told too rarely by the clock (`nudge`)
QUIET_READS = 3  # empty reads in a row before a partition says that it has nothing left: it has other things to write while events come
MARK, FROM = "streams-mark", "streams-from"  # headers of the handover topic, always the last of a record
INBOX = "inbox:"  # begins the name of that source


class SourcePosition(msgspec.Struct, array_like=True):
    """Of one source."""

    offset: int = 0  # of the next record to read
    mark: int = NEVER  # greatest event time read from it, ms


class WatermarkReport(msgspec.Struct, array_like=True):
    """What a partition tells the others."""

    partition: int
    mark: int  # how far it has come in its own inputs, ms of event time
    quiet: bool  # it has read them to their end, and nothing has come for a while
    anew: bool = False  # it has just begun, and who was quiet when it ended may not be so now: whoever is tells it once more


class PeerProgress(msgspec.Struct, array_like=True):
    """What was heard of another partition."""

    mark: int = NEVER
    quiet: bool = False


encode_mark = msgspec.msgpack.Encoder().encode
decode_mark = msgspec.msgpack.Decoder(WatermarkReport).decode


class WatermarkTracker:
    """Where a partition stands in its sources, and where the others do."""

    def __init__(self, partition: int, partitions: int) -> None:
        self.partition, self.partitions = partition, partitions
        self.sources: dict[str, SourcePosition] = {}  # all that was ever read
        self.peers: dict[int, PeerProgress] = {}
        self.forwarding = False
        self.excluded: set[int] = set()  # partitions that have been silent for too long
        self.heard = 0  # marks
        self._own: list[str] = []  # the inputs that are read now
        self._ended: frozenset[str] = frozenset()
        self._told: WatermarkReport | None = None
        self._begun = False  # it has told something
        self._batches, self._events = 0, 0  # since then
        self._empty = 0  # looks in a row that found nothing in the inputs

    def restore(
        self, sources: dict[str, SourcePosition], peers: dict[int, PeerProgress], forwarding: bool
    ) -> None:
        """Nobody counts as quiet: while this one was away, its peers may have been away too, with much to hand over when they are back."""
        self.sources, self.peers, self.forwarding = (
            sources,
            {number: PeerProgress(peer.mark) for number, peer in peers.items()},
            forwarding,
        )

    def reads(self, names: Iterable[str]) -> None:
        """Which sources there are now. An input that is not among them any more holds nobody up."""
        for name in names:
            self.sources.setdefault(name, SourcePosition())
        self._own = [name for name in names if not name.startswith(INBOX)]

    @property
    def offsets(self) -> dict[str, int]:
        return {name: position.offset for name, position in self.sources.items()}

    @property
    def reach(self) -> int:
        """How far it has come in its own inputs."""
        least = min(
            [self.sources[name].mark for name in self._own if name not in self._ended], default=NOTHING_LEFT
        )
        return (
            least
            if least < NOTHING_LEFT
            else max([self.sources[name].mark for name in self._own], default=NEVER)
        )

    def others(self, source: str = "") -> int:
        """The least mark of whoever may hold something back, this source aside."""
        least = min(
            [self.sources[name].mark for name in self._own if name != source and name not in self._ended],
            default=NOTHING_LEFT,
        )
        for number in self.waiting_for:
            peer = self.peers.get(number)
            least = min(least, NEVER if peer is None else peer.mark)
        return least

    @property
    def mark(self) -> int:
        """The horizon mark as far as the sources allow; when all of them were read to their end, the greatest time of any."""
        least = self.others()
        if least < NOTHING_LEFT:
            return least
        return max(
            [*(self.sources[name].mark for name in self._own), *(peer.mark for peer in self.peers.values())],
            default=NEVER,
        )

    @property
    def waiting_for(self) -> list[int]:
        """Partitions that may still hand over something as old as their mark."""
        if not self.forwarding:
            return []
        return [
            n
            for n in range(self.partitions)
            if n != self.partition
            and n not in self.excluded
            and not (n in self.peers and self.peers[n].quiet)
        ]

    def looked(self, reading: Fetched) -> None:
        """Takes note of what a look at the sources gave: how many records, and which sources it reads to their end."""
        self._ended = reading.ended
        count = sum([len(records) for name, records in reading.chunks if not name.startswith(INBOX)])
        self._events += count
        self._empty = 0 if count else self._empty + 1

    def nudge(self) -> None:
        """Some time has passed since the others were told something."""
        self._batches = TELL_BATCHES

    def hear(self, said: WatermarkReport) -> None:
        self.forwarding = True
        self.heard += 1
        if said.partition != self.partition:
            self.excluded.discard(said.partition)
            self.peers[said.partition] = PeerProgress(said.mark, said.quiet)
            if (
                said.anew and self._told is not None and self._told.quiet
            ):  # who is not quiet tells soon anyway
                self._told = None

    @property
    def to_tell(self) -> WatermarkReport | None:
        """What the others are to be told now, if anything."""
        if not self.forwarding:
            return None
        now = WatermarkReport(self.partition, self.reach, self._empty >= QUIET_READS)
        told = self._told
        if told is None or now.quiet != told.quiet:
            return now
        return now if now != told and (self._batches >= TELL_BATCHES or self._events >= TELL_EVENTS) else None

    def tell(self) -> WatermarkReport | None:
        """What this batch tells the others, if anything."""
        self._batches += 1
        mark = self.to_tell
        if mark is not None:
            self._told, self._batches, self._events = mark, 0, 0
            if not self._begun:
                self._begun, mark = True, WatermarkReport(mark.partition, mark.mark, mark.quiet, anew=True)
        return mark
