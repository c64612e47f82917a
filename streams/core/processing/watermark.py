"""How far a partition has come in event time, when it reads more than one source.

The watermark of a source is the greatest event time read from it. The watermark of the partition is the least
of those, because what a source has yet to deliver may be as old as its watermark. A source that was read to
its end holds nothing back. With one source, the watermark of the partition is the source's.

Events of people whom another partition owns are *forwarded* to its inbox. The first one that a partition
forwards or receives turns *forwarding* on: from then on every other partition is a source of it, and reports
now and then how far it has come in its own inputs. The report goes through the inbox too, behind what was
forwarded before it. A partition reports its own inputs only, so no two partitions wait for each other.

A finite input has an end, beyond which no watermark goes, and while it is read, a limit.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from streams.core.journeys.finality import FinalityDelay
from streams.core.processing.inbox import (
    PassMessage,
    ProgressMessage,
    WaitingMessage,
    WatermarkReport,
    report_to_others,
    waiting_messages,
)
from streams.records import Fetched, Output
from streams.topology import is_inbox

UNKNOWN_MS = -1  # watermark of a source or peer that is not known yet
UNBOUNDED_MS = 1 << 62  # watermark of a source or peer that holds nothing back
# A busy partition reports after so many events or batches, whichever comes first: until then the others must
# hold back what is newer. The partition agent also asks for reports by the clock (`request_report`).
REPORT_EVENTS = 50_000
REPORT_BATCHES = 200
# Empty reads in a row before a partition reports that it is idle. One would be too few: while events come, a
# read finds none now and then, and each change is a report to all.
IDLE_READS = 3


class SourcePosition(msgspec.Struct, array_like=True):
    """How far one source was read."""

    offset: int = 0  # of the next record to read
    watermark_ms: int = UNKNOWN_MS


class PeerProgress(msgspec.Struct, array_like=True):
    """What another partition has reported."""

    watermark_ms: int = UNKNOWN_MS  # of its own inputs
    idle: bool = False
    own_watermark_ms: int = UNKNOWN_MS
    # An operator lets the settled mark pass it while it is excluded. Its next report ends that.
    passed: bool = False


_NO_REPORT = PeerProgress()  # of a peer that has not reported yet


class TimeState(NamedTuple):
    """How far time has come. When it differs from an earlier one, there is something to commit."""

    watermark_ms: int
    timers_fired_ms: int
    done: int  # profiles and devices that time has changed, or that were looked at for it


class WatermarkTracker:
    """How far a partition has come in its sources, and how far the others have."""

    def __init__(self, partition: int, partitions: int) -> None:
        """`partitions`: of the app, in all."""
        self.partition, self.partitions = partition, partitions
        self.sources: dict[str, SourcePosition] = {}  # all that were ever read
        self.peers: dict[int, PeerProgress] = {}
        self.forwarding = False  # events are forwarded to or from this partition
        self.end_ms = UNBOUNDED_MS  # of the finite input that is read: see `end_of_input`
        self.limit_ms = UNBOUNDED_MS  # the watermark of the partition goes no further
        self.excluded: set[int] = set()  # peers that were silent for too long, so that nobody waits for them
        self.reports_received = 0
        self.was_away = False  # it was silent for so long that peers may have excluded it
        # Of peers that have begun to wait for this partition: their own watermark (ms) by then.
        self.waiting_peers: dict[int, int] = {}
        # The batch of its first report since which none has said that it is idle. -1: there is none.
        self._active_since = -1
        self._began_to_wait: dict[int, int] = {}  # for which peers, and the batch of their report
        # The watermark of this partition, once all that had to move by then was sent; UNKNOWN_MS: identity is
        # off, and nobody asks.
        self.own_watermark_ms = UNKNOWN_MS
        self._inputs: list[str] = []  # the inputs that are read now
        self._ended: frozenset[str] = frozenset()
        self._reported: WatermarkReport | None = None  # the last one
        self._started = False  # a report was made since the start
        self._batches, self._events = 0, 0  # since the last report
        self._empty_reads = 0  # of the inputs, in a row

    def restore(
        self, sources: dict[str, SourcePosition], peers: Mapping[int, PeerProgress], forwarding: bool
    ) -> None:
        """Begins from a checkpoint. No peer counts as idle: while this partition was away, peers may have
        been away too.
        """
        self.sources, self.forwarding = sources, forwarding
        self.peers = {number: msgspec.structs.replace(peer, idle=False) for number, peer in peers.items()}

    def read_from(self, names: Iterable[str]) -> None:
        """Sets the sources that are read now. An input that is not among them any more holds nothing back."""
        for name in names:
            self.sources.setdefault(name, SourcePosition())
        self._inputs = [name for name in names if not is_inbox(name)]

    @property
    def offsets(self) -> dict[str, int]:
        """The next offset of every source."""
        return {name: position.offset for name, position in self.sources.items()}

    @property
    def inputs_ms(self) -> int:
        """The watermark of its own inputs: what it reports to the others."""
        waiting = [self.sources[name].watermark_ms for name in self._inputs if name not in self._ended]
        if waiting:
            return min(waiting)
        return max([self.sources[name].watermark_ms for name in self._inputs], default=UNKNOWN_MS)

    def held_back_ms(self, reading: str = "") -> int:
        """How far the watermark may go while the source `reading` is read: up to the least watermark of the
        other sources and peers that may still deliver something old, and up to the limit.
        """
        return min(self.limit_ms, self._least_ms(reading))

    def _least_ms(self, reading: str = "") -> int:
        least_ms = UNBOUNDED_MS
        for name in self._inputs:
            if name != reading and name not in self._ended:
                least_ms = min(least_ms, self.sources[name].watermark_ms)
        for number in self.waiting_for:
            peer = self.peers.get(number)
            least_ms = min(least_ms, UNKNOWN_MS if peer is None else peer.watermark_ms)
        return least_ms

    @property
    def watermark_ms(self) -> int:
        """The watermark that the sources allow; when all were read to their end, the greatest time of any.
        It is never beyond the limit.
        """
        least_ms = self._least_ms()
        if least_ms == UNBOUNDED_MS:
            inputs = [self.sources[name].watermark_ms for name in self._inputs]
            peers = [peer.watermark_ms for peer in self.peers.values()]
            least_ms = max([*inputs, *peers], default=UNKNOWN_MS)
        return min(least_ms, self.limit_ms)

    @property
    def waiting_for(self) -> list[int]:
        """Peers that may still forward something as old as their watermark."""
        if not self.forwarding:
            return []
        return [
            number
            for number in range(self.partitions)
            if number != self.partition
            and number not in self.excluded
            and not (number in self.peers and self.peers[number].idle)
        ]

    @property
    def expected(self) -> list[int]:
        """Peers that report before long if they are alive: those that this partition waits for and, with
        identity on, those whose own watermark is behind its own.
        """
        waiting = set(self.waiting_for)
        return [
            number
            for number in range(self.partitions)
            if number != self.partition and (number in waiting or self._is_behind(number))
        ]

    def _is_behind(self, number: int) -> bool:
        peer = self.peers.get(number)
        return (UNKNOWN_MS if peer is None else peer.own_watermark_ms) < self.own_watermark_ms

    @property
    def peers_settled_ms(self) -> int:
        """The least watermark of their own that the other partitions have reported: what is still to come
        from them is not older than it by more than the finality delay. An excluded peer counts like any
        other, unless an operator lets the settled mark pass it.
        """
        least_ms = UNBOUNDED_MS
        for number in range(self.partitions):
            peer = self.peers.get(number)
            if number == self.partition or (peer is not None and peer.passed and number in self.excluded):
                continue
            least_ms = min(least_ms, UNKNOWN_MS if peer is None else peer.own_watermark_ms)
        return least_ms

    @property
    def holding(self) -> list[int]:
        """Excluded peers that hold the settled mark back: as long as they do, nothing becomes final."""
        return [
            number
            for number in sorted(self.excluded)
            if self._is_behind(number) and not self.peers.get(number, _NO_REPORT).passed
        ]

    def is_waited_for(self, number: int, at_ms: int, delay: FinalityDelay) -> bool:
        """True if what is sent now to the partition of this number, dated `at_ms`, cannot be late there.

        A peer goes no further than the last report of this partition that it has taken, once it has begun to
        wait. It may have been further by then: it says so.
        """
        then_ms = self.waiting_peers.get(number)
        if then_ms is None or self._reported is None or self.was_away:
            return False
        return at_ms >= max(then_ms, self._reported.watermark_ms) - delay.allowed_lateness_ms

    def note_fetch(self, fetched: Fetched) -> None:
        """Takes note of how many records a read brought, and of the sources of which nothing is left.

        One of which it brought the last records holds back until these are taken (`note_taken`): other
        sources come first, and must not make them late.
        """
        self._ended = fetched.ended.difference([name for name, _ in fetched.chunks])
        count = sum([len(records) for name, records in fetched.chunks if not is_inbox(name)])
        self._events += count
        self._empty_reads = 0 if count else self._empty_reads + 1

    def note_taken(self, name: str, fetched: Fetched) -> None:
        """Takes note that all records of a source that a read brought were taken."""
        if name in fetched.ended:
            self._ended |= {name}

    def request_report(self) -> None:
        """Has the next batch report, because some time has passed since the last one did."""
        self._batches = REPORT_BATCHES

    def receive(self, report: ProgressMessage) -> None:
        """Takes the report of another partition, its word that it waits, or what an operator says of one."""
        self.forwarding = True
        if isinstance(report, WaitingMessage):
            if 0 <= self._active_since <= report.batch:
                self.waiting_peers[report.partition] = report.watermark_ms
            return
        if isinstance(report, PassMessage):
            if (number := report.partition) in self.excluded:  # else it has reported a moment ago
                peer = self.peers.get(number, _NO_REPORT)
                self.peers[number] = msgspec.structs.replace(peer, passed=True)
            return
        self.reports_received += 1
        if report.partition != self.partition:
            if not report.idle and (report.started or report.partition not in self.waiting_for):
                self._began_to_wait[report.partition] = report.batch
            self.excluded.discard(report.partition)
            self.peers[report.partition] = PeerProgress(
                report.watermark_ms, report.idle, report.own_watermark_ms
            )
            # Active partitions report by themselves; an idle one has to report again to a peer
            # that has just started.
            if report.started and self._reported is not None and self._reported.idle:
                self._reported = None

    @property
    def pending_report(self) -> WatermarkReport | None:
        """The report that is due now, if any."""
        if not self.forwarding:
            return None
        now, last = self._report_now(), self._reported
        if last is None or now.idle != last.idle:
            return now
        due = self._batches >= REPORT_BATCHES or self._events >= REPORT_EVENTS
        return now if due and now != last else None

    def _report_now(self) -> WatermarkReport:
        idle = self._empty_reads >= IDLE_READS
        return WatermarkReport(self.partition, self.inputs_ms, idle, own_watermark_ms=self.own_watermark_ms)

    def take_messages(self, batch: int) -> list[Output]:
        """What the open batch, of this number, says to other partitions of how far this one has come. Call it
        once per batch.
        """
        messages = report_to_others(self._take_report(batch), self.partitions)
        if self.own_watermark_ms != UNKNOWN_MS:  # in a new app it is not known before all have reported
            began, self._began_to_wait = self._began_to_wait, {}
            messages += waiting_messages(self.partition, began, self.own_watermark_ms)
        return messages

    def _take_report(self, batch: int) -> WatermarkReport | None:
        self._batches += 1
        report = self.pending_report
        if report is None:
            return None
        self._reported, self._batches, self._events = report, 0, 0
        if report.idle:
            self.waiting_peers, self._active_since = {}, -1
        elif self._active_since < 0:
            self._active_since = batch
        started, self._started = not self._started, True
        return msgspec.structs.replace(report, started=started, batch=batch)
