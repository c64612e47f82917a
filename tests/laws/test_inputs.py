"""Several inputs of different speed in one partition: the slowest decides what is late, as docs/journeys.md
says, in the partition itself and in those to which it forwards.
"""

import random
from collections.abc import Mapping, Sequence

import pytest

from streams.core.ingest.door import door_of
from streams.core.processing.processor import Processor
from streams.records import Fetched, Record
from streams.topology import INBOX, source_name
from tests.core.processing.feeding import HORIZON, HOUR, PLAN, START, event, rules
from tests.simulation.watermarks import Watermarks

INPUTS = ("slow", "even", "fast")
SPEEDS = (HOUR, 6 * HOUR, 24 * HOUR)  # between two events of an input
EVENTS = 120
PEOPLE = [str(n) for n in range(1, 9)]  # of both partitions, and none of them over the cap
SEEDS = range(30)


class Reader:
    """A partition over inputs that are filled already, and its inbox."""

    def __init__(self, partition: int, partitions: int, inputs: Mapping[str, Sequence[bytes]]) -> None:
        self.processor = Processor(partition, PLAN, b"", rules(), door_of(0), partitions)
        self.processor.restore(None, [])
        self.inbox = source_name(INBOX.name, partition)
        self.left = {
            source_name(name, partition): [Record(n, -1, None, value) for n, value in enumerate(values)]
            for name, values in inputs.items()
        } | {self.inbox: []}
        self.sent_to_inbox = 0
        self.processor.tracker.read_from(self.left)

    def receive(self, key: bytes | None, value: bytes | None) -> None:
        self.left[self.inbox].append(Record(self.sent_to_inbox, -1, key, value))
        self.sent_to_inbox += 1

    def fetch(self, rnd: random.Random) -> Fetched:
        """Some records of some sources; those of which nothing is left have ended."""
        chunks = []
        for source, records in self.left.items():
            if records and (source == self.inbox or rnd.random() < 0.7):
                count = len(records) if source == self.inbox else rnd.randrange(1, 6)
                chunks.append((source, records[:count]))
                self.left[source] = records[count:]
        rnd.shuffle(chunks)
        return Fetched(chunks, frozenset(source for source, records in self.left.items() if not records))

    @property
    def done(self) -> bool:
        return not any(self.left.values())


def _times(rnd: random.Random, speed: int, disorder: int) -> list[int]:
    return [max(0, n * speed + rnd.randrange(speed) - rnd.choice((0, 0, disorder))) for n in range(EVENTS)]


def _events(name: str, times: Sequence[int], people: Sequence[str]) -> list[bytes]:
    return [event(at, f"{name}{n}", user=people[n % len(people)]) for n, at in enumerate(times)]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_event_is_late_by_the_slowest_input(seed: int) -> None:
    """Exactly the events that are older than the least watermark of the inputs allows are late; an input that
    was read to its end is not waited for.
    """
    rnd = random.Random(seed)
    speeds = rnd.sample(SPEEDS, len(INPUTS))
    times = {
        source_name(name, 0): _times(rnd, speed, rnd.choice((0, HORIZON, 2 * HORIZON)))
        for name, speed in zip(INPUTS, speeds, strict=True)
    }
    reader = Reader(0, 1, {name: _events(name, times[source_name(name, 0)], PEOPLE) for name in INPUTS})
    page, late = Watermarks(list(times)), 0
    while not reader.done:
        fetched = reader.fetch(rnd)
        reader.processor.take(fetched)
        unread = {source for source, _ in fetched.chunks}
        for source, records in fetched.chunks:
            page.ended(fetched.ended - unread)
            for record in records:
                at = START + times[source][record.offset]
                page.read(source, at)
                late += at < page.own - HORIZON
            unread.remove(source)
        page.ended(fetched.ended)
        page.after()
        assert reader.processor.population.watermark_ms == page.own
        assert reader.processor.checkpoint.counts.late == late
        reader.processor.advance()
        reader.processor.batch()


def test_some_of_these_events_are_late_and_most_are_not() -> None:
    """The law above has something to judge."""
    rnd = random.Random(1)
    reader = Reader(0, 1, {name: _events(name, _times(rnd, HOUR, 2 * HORIZON), PEOPLE) for name in INPUTS})
    while not reader.done:
        reader.processor.take(reader.fetch(rnd))
        reader.processor.batch()
    counts = reader.processor.checkpoint.counts
    assert 0 < counts.late < counts.received / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_late_where_every_input_is_in_order(seed: int) -> None:
    """However different the speeds: partitions wait for the slowest input of each other, too."""
    rnd = random.Random(seed)
    readers = [
        Reader(
            number,
            2,
            {
                name: _events(f"{name}{number}-", sorted(_times(rnd, speed, 0)), PEOPLE)
                for name, speed in zip(INPUTS, rnd.sample(SPEEDS, len(INPUTS)), strict=True)
            },
        )
        for number in range(2)
    ]
    while not all(reader.done for reader in readers):
        for reader in rnd.sample(readers, 2):
            reader.processor.tracker.request_report()
            # An input that was read to its end is not waited for; so that all are, none of them ends here.
            fetched = reader.fetch(rnd)
            reader.processor.take(Fetched(fetched.chunks, frozenset({reader.inbox})))
            reader.processor.advance()
            for output in reader.processor.batch().outputs:
                if output.topic == INBOX.name:
                    assert output.partition is not None
                    readers[output.partition].receive(output.key, output.value)
    counts = [reader.processor.checkpoint.counts for reader in readers]
    assert all(count.forwarded > EVENTS // 4 for count in counts)
    assert [count.late for count in counts] == [0, 0]
    assert sum(count.applied for count in counts) == 2 * len(INPUTS) * EVENTS
