"""Law: the published funnel is the sum of the tallies, for any interleaving of partitions and any restart.

A table that upserts totals and takes no notice of tombstones ends with the sum of what each partition counted
last, in windows that have expired too; a reader who does keep to tombstones has the cells that some partition
keeps, and no other.
"""

import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import FunnelTotal
from streams.core.funnels.cells import MEASURE_REVENUE, MEASURE_TRANSITIONS, counter_code
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.totals import FunnelTotals, Part, decode_parts, encode_parts
from streams.core.funnels.windows import ALL_TIME, BY_MINUTE, GREATEST, LEAST, Cell
from streams.core.journeys.journey_step import CONVERTED
from streams.core.processing.tally_text import TallyText
from streams.records import Output, Record
from tests.laws.test_journeys import LAW

PARTITIONS = 3
MOVE = counter_code(MEASURE_TRANSITIONS, 2, 0, 1)
CELLS: list[Cell] = [(ALL_TIME, 0, MOVE), (BY_MINUTE, 1, MOVE), (BY_MINUTE, 2, MOVE)]


class World:
    """Three partitions that publish tallies, a compacted topic of theirs, and whoever writes the totals."""

    def __init__(self) -> None:
        self.texts = [TallyText(n, Dimensions()) for n in range(PARTITIONS)]
        self.batches = [0] * PARTITIONS
        self.logs: list[list[Record]] = [[] for _ in range(PARTITIONS)]
        self.last: list[dict[bytes, int]] = [
            {} for _ in range(PARTITIONS)
        ]  # the last count, of gone ones too
        self.kept: list[set[bytes]] = [set() for _ in range(PARTITIONS)]
        self.topic: dict[bytes, Output] = {}  # what is published, by key, without tombstones
        self.sink: dict[str, FunnelTotal] = {}
        self.start()

    def start(self) -> None:
        """Another writer takes over. What the last one had not written is lost with it."""
        self.totals = FunnelTotals(PARTITIONS)
        self.positions = [0] * PARTITIONS
        for key, output in self.topic.items():
            self.totals.restore(Record(0, 0, key, output.value, output.headers))

    def count(self, partition: int, cell: Cell, n: int | None) -> None:
        """A partition publishes a counter; None: its window is no longer kept."""
        self.batches[partition] += 1
        (output,) = self.texts[partition].outputs([(cell, n)], self.batches[partition])
        assert output.key is not None
        name = output.key.partition(b"/")[2]
        if n is None:
            if name not in self.kept[partition]:
                return
            self.kept[partition].discard(name)
        else:
            self.last[partition][name] = n
            self.kept[partition].add(name)
        self.logs[partition].append(Record(0, 0, output.key, output.value))

    def compact(self, partition: int) -> None:
        """Only the last record of each key stays, and no tombstone."""
        if self.positions[partition] != len(self.logs[partition]):
            return  # a follower that may have missed a tombstone is another case: it opens anew
        last = {record.key: record for record in self.logs[partition]}
        self.logs[partition] = [record for record in last.values() if record.value is not None]
        self.positions[partition] = len(self.logs[partition])

    def read(self, partition: int, limit: int) -> None:
        """The writer reads on."""
        log, at = self.logs[partition], self.positions[partition]
        self.totals.take(partition, log[at : at + limit])
        self.positions[partition] = min(len(log), at + limit)
        if self.positions[partition] == len(log):
            self.totals.at_end(partition)

    def write(self) -> None:
        """The writer publishes."""
        if not self.totals.ready:
            return
        for output in self.totals.outputs():
            assert output.key is not None
            if output.value is None:
                del self.topic[output.key]
                continue
            self.topic[output.key] = output
            total = msgspec.json.decode(output.value, type=FunnelTotal)
            assert total.cell == output.key.decode()
            before = self.sink.get(total.cell)
            assert before is None or total.rev > before.rev
            self.sink[total.cell] = total

    def compare(self) -> None:
        """When everything has been read and written, totals are sums."""
        for partition in range(PARTITIONS):
            self.read(partition, 10**9)
        self.write()
        true: Counter[bytes] = Counter()
        for last in self.last:
            true.update(last)
        kept = set().union(*self.kept)
        assert kept == set(self.topic)
        for name in kept:
            total = msgspec.json.decode(self.topic[name].value or b"", type=FunnelTotal)
            assert total.count == true[name]
        assert {name: total.count for name, total in self.sink.items()} == {
            name.decode(): true[name] for name in {name for last in self.last for name in last}
        }


partitions = st.integers(0, PARTITIONS - 1)
minutes = st.sampled_from(CELLS[1:])


@LAW
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("count"), partitions, st.sampled_from(CELLS), st.integers(-5, 5)),
            st.tuples(st.just("read"), partitions, st.integers(1, 4)),
            st.tuples(st.just("write")),
            st.tuples(st.just("start")),
            st.tuples(st.just("compare")),
        ),
        max_size=40,
    ),
    st.lists(
        st.tuples(minutes, st.permutations(range(PARTITIONS))), max_size=2, unique_by=lambda pair: pair[0]
    ),
    st.randoms(use_true_random=False),
)
def test_totals_are_sums(ops: list[Any], expiring: list[Any], rnd: random.Random) -> None:
    """While partitions count, and after windows have expired in one partition before another.

    In between the writer is replaced, with what it has read and not written, and topics are compacted.
    """
    world = World()
    for op in ops:
        match op:
            case ("count", partition, cell, n):
                world.count(partition, cell, n)
            case ("read", partition, limit):
                world.read(partition, limit)
            case ("write",):
                world.write()
            case ("start",):
                world.start()
            case ("compare",):
                world.compare()
    world.compare()
    for cell, order in expiring:
        for partition in order:
            world.count(partition, cell, None)
            if rnd.random() < 0.3:
                world.compare()
            if rnd.random() < 0.3:
                world.start()
            if rnd.random() < 0.3:
                world.compare()
                world.compact(partition)
    world.compare()


def test_a_writer_that_starts_meets_no_half_of_a_total_that_is_gone() -> None:
    """Of a window that has expired everywhere one partition's tally may still be there, and not another's."""
    world = World()
    for partition, n in ((0, 5), (1, 7)):
        world.count(partition, CELLS[1], n)
    world.compare()
    for partition in (0, 1):
        world.count(partition, CELLS[1], None)
    world.compare()
    world.compact(0)
    world.start()
    world.compare()
    assert [12] == [total.count for total in world.sink.values()]


def test_a_total_that_expired_while_nobody_wrote_is_completed() -> None:
    """The next writer publishes its last count, and then its tombstone."""
    world = World()
    world.count(0, CELLS[1], 5)
    world.count(1, CELLS[1], 1)
    world.compare()
    world.count(0, CELLS[1], 6)
    world.count(0, CELLS[1], None)
    world.count(1, CELLS[1], None)
    world.start()
    world.compare()
    assert [7] == [total.count for total in world.sink.values()]
    assert not world.topic


@given(
    st.dictionaries(
        st.integers(0, 1023),
        st.builds(Part, st.integers(0, 2**50), st.integers(LEAST, GREATEST), st.booleans()),
    )
)
def test_parts_are_read_as_they_were_written(parts: dict[int, Part]) -> None:
    """Whatever partitions there are."""
    assert parts == decode_parts(encode_parts(parts))


@pytest.mark.parametrize("bound", [GREATEST, LEAST])
def test_a_total_has_64_bits(bound: int) -> None:
    """A sum of amounts stops at the bound, as those of the partitions do: columns of 64 bits take it."""
    world = World()
    revenue: Cell = (ALL_TIME, 0, counter_code(MEASURE_REVENUE, CONVERTED, 0, 0))
    for partition in range(PARTITIONS):
        world.count(partition, revenue, bound)
        world.read(partition, 1)
    world.write()
    assert [bound] == [total.count for total in world.sink.values()]
