"""All partitions of an app in one process, without a log: what they send to each other goes from one to the
other, and what they publish to whoever asked for it. So a benchmark or a test can run millions of events
through the whole computation, at any pace of each partition.

Nothing is kept: a partition that has read a record has forgotten it.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice
from time import process_time

import msgspec

from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import Rules
from streams.core.processing.parameters import IdentityParameters
from streams.core.processing.processor import Processor
from streams.records import Batch, Fetched, Output, Record
from streams.runtime.parameters import door_of_settings, parameters_of
from streams.settings.tables import Settings
from streams.topology import INBOX

OnBatch = Callable[[int, Batch], None]
"""What is called with each batch, and the partition that made it."""


def ignore_batch(partition: int, batch: Batch) -> None:
    """What to call with batches that nobody wants."""


class Member:
    """One partition, with what it has yet to read."""

    def __init__(
        self, number: int, partitions: int, rules: Rules, identity: IdentityParameters | None
    ) -> None:
        settings = Settings()
        parameters = msgspec.structs.replace(parameters_of(settings.fold), identity=identity)
        self.processor = Processor(number, parameters, b"fold", rules, door_of_settings(settings), partitions)
        self.processor.restore(None, ())
        self.input: deque[Record] = deque()
        self.inbox: deque[Record] = deque()
        self.sources = f"events:{number}", f"{INBOX.name}:{number}"
        self.processor.tracker.read_from(self.sources)
        self._offsets = [0, 0]  # of the next record of each source

    def put(self, key: bytes | None, value: bytes | None) -> None:
        """Appends a record to the input."""
        self.input.append(Record(self._offsets[0], -1, key, value))
        self._offsets[0] += 1

    def hear(self, output: Output) -> None:
        """Appends a record to the inbox."""
        self.inbox.append(Record(self._offsets[1], -1, output.key, output.value))
        self._offsets[1] += 1

    def fetch(self, most: int) -> Fetched:
        """The next records, at most so many of each source."""
        chunks, ended = [], []
        for source, queue in zip(self.sources, (self.input, self.inbox), strict=True):
            found = list(islice(queue, most))
            for _ in found:
                queue.popleft()
            if found:
                chunks.append((source, found))
            if not queue:
                ended.append(source)
        return Fetched(chunks, frozenset(ended))


class Cluster:
    """Some partitions of one app."""

    def __init__(
        self,
        partitions: int,
        rules: Rules,
        identity: IdentityParameters | None,
        on_batch: OnBatch = ignore_batch,
    ) -> None:
        """`identity`: None: it is off."""
        self.members = [Member(n, partitions, rules, identity) for n in range(partitions)]
        self.on_batch = on_batch
        self.spent_s = 0.0  # processor time of the computation

    def add(self, key: bytes | None, value: bytes | None) -> None:
        """Appends a record to the input's partition that its key chooses."""
        self.members[partition_of(key or b"", len(self.members))].put(key, value)

    @property
    def pending(self) -> int:
        """Records that are still to be read."""
        return sum(len(member.input) + len(member.inbox) for member in self.members)

    @property
    def to_read(self) -> int:
        """Records of the input that are still to be read."""
        return sum(len(member.input) for member in self.members)

    def step(self, number: int, most: int, *, reports: bool = False) -> None:
        """A batch of one partition: at most so many records of its input, and of its inbox.

        `reports`: it says to the others how far it has come, whether it is due or not.
        """
        member = self.members[number]
        fetched, processor = member.fetch(most), member.processor
        began_s = process_time()
        processor.take(fetched)
        while not processor.advance():
            pass
        if reports:
            processor.tracker.request_report()
        batch = processor.batch()
        self.spent_s += process_time() - began_s
        for output in batch.outputs:
            if output.topic == INBOX.name:
                assert output.partition is not None
                self.members[output.partition].hear(output)
        self.on_batch(number, batch)

    def drain(self, most: int) -> None:
        """Until nothing is left to read, and nobody has anything more to say."""
        quiet = 0
        while quiet <= QUIET_ROUNDS:
            for number in range(len(self.members)):
                self.step(number, most, reports=True)
            quiet = 0 if self.pending else quiet + 1


QUIET_ROUNDS = 5  # more than a partition takes to say that it is idle
