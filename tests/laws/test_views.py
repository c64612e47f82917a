"""Law: the read model is what the topics say, at every prefix, however it came to be fed.

Records come out of real partitions, with late events, retractions, timers, counters that fall to zero and
windows that expire; a view may sleep through a compaction and read a partition anew.
"""

import asyncio
from collections import Counter
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import Current, Tally
from streams.core.funnels.figures import OPEN_MOMENTS
from streams.core.funnels.windows import BY_DAY, BY_HOUR, BY_MINUTE, WINDOWS
from streams.core.moments.rules import default_rules
from streams.log.memory import MemoryLog
from streams.log.tail import TailPosition
from streams.queries.cell_table import CellSum, CellTable
from streams.queries.funnel_window import CellWindow
from streams.queries.instants import ms_of
from streams.queries.views.feeding import ViewFeed
from streams.queries.views.people import InMoment, journeys_in_moments
from streams.records import Batch, Output
from tests.core.processing.feeding import DAY, HOUR, MINUTE, START, Feed, event
from tests.laws.test_journeys import LAW

PARTITIONS = 2
NAMES = ("Product Viewed", "Store Located", "Product Added", "Checkout Started", "Order Completed")
DEVICES = ("mobile", "desktop")
RULES = default_rules()

events = st.tuples(
    st.just("event"),
    st.integers(0, PARTITIONS - 1),
    st.sampled_from(NAMES),
    st.sampled_from("abc"),
    st.integers(0, 4 * 60),  # half hours before the time that has come
    st.sampled_from(DEVICES),
)
operations = st.lists(
    st.one_of(
        *[events] * 5,
        st.tuples(st.just("wait"), st.sampled_from((HOUR, 5 * HOUR, 4 * DAY, 45 * DAY, 410 * DAY))),
        st.tuples(st.just("read")),
        st.tuples(st.just("compact"), st.integers(0, PARTITIONS - 1)),
    ),
    max_size=25,
)


class Topics:
    """Partitions that publish to a log, and a view of it."""

    def __init__(self) -> None:
        self.log = MemoryLog(PARTITIONS)
        self.feeds = [Feed(RULES) for _ in range(PARTITIONS)]
        self.cells = CellTable()
        self.feed = ViewFeed(self.log, [self.cells])
        self.now, self.events = 10 * DAY, 0

    async def publish(self, partition: int, since: int) -> None:
        session = await self.log.open(partition)
        outputs = [_of(partition, output) for output in self.feeds[partition].outputs[since:]]
        await session.commit(Batch(outputs, [], b"c"))

    async def event(self, partition: int, name: str, user: str, age: int, device: str) -> None:
        feed, self.events = self.feeds[partition], self.events + 1
        since = len(feed.outputs)
        told = event(max(0, self.now - age * 30 * MINUTE), f"e{self.events}", name, user=f"{user}{partition}")
        value = msgspec.json.decode(told) | {"context": {"device": {"type": device}}}
        feed.take(msgspec.json.encode(value))
        await self.publish(partition, since)

    async def wait(self, ms: int) -> None:
        self.now += ms
        for partition, feed in enumerate(self.feeds):
            since = len(feed.outputs)
            feed.finish(self.now)
            await self.publish(partition, since)

    def compact(self, partition: int) -> None:
        """The log forgets tombstones; a view that has not read them must read anew."""
        for topic in self.log._stored[partition].compacted.values():
            topic.compact()

    async def tallies(self) -> list[Tally]:
        return [
            msgspec.json.decode(record.value, type=Tally)
            async for _, record in self.log.scan("tallies")
            if record.value is not None
        ]

    async def check(self) -> None:
        """Every window and every breakdown is the plain sum of the last records."""
        await self.feed.catch_up()
        last = await self.tallies()
        assert summed(self.cells.sums()) == expected(last, "all")
        at_ms = START + self.now
        for length, step in ((BY_MINUTE, MINUTE), (BY_HOUR, HOUR), (BY_DAY, DAY)):
            start, end = at_ms - at_ms % step - 30 * step, at_ms - at_ms % step + step
            window = CellWindow(length, start, end)
            within = [t for t in last if t.window == WINDOWS[length] and start <= ms_of(t.start or "") < end]
            assert summed(self.cells.sums(window)) == expected(within, WINDOWS[length])
            for device in DEVICES:
                some = [tally for tally in within if tally.dimensions["device"] == device]
                found = self.cells.sums(window, {"device": device})
                assert summed(found) == expected(some, WINDOWS[length])
        assert journeys_in_moments(self.cells.sums()) == await self.people()

    async def people(self) -> dict[str, InMoment]:
        """Who is where, as `current` has it."""
        found = {moment: Counter[str]() for moment in OPEN_MOMENTS}
        for topic in ("current", "current_devices"):
            async for _, record in self.log.scan(topic):
                for need in msgspec.json.decode(record.value or b"", type=Current).needs:
                    if need.moment is not None:
                        found[need.moment].update({"open": 1, "stalled": need.stalled})
        return {moment: InMoment(n["open"], n["stalled"]) for moment, n in found.items()}


def _of(partition: int, output: Output) -> Output:
    """The record as the partition would write it: both feeds believe to be partition 0."""
    key, value = output.key, output.value
    if output.topic == "tallies" and key is not None:
        key = b"%d/" % partition + key.partition(b"/")[2]
        value = value and value.replace(b'"partition":0', b'"partition":%d' % partition, 1)
    return msgspec.structs.replace(output, key=key, value=value)


def _name(cell: CellSum | Tally) -> tuple[Any, ...]:
    names = [name for name in CellSum.__struct_fields__ if name not in ("dimensions", "count")]
    return (*[getattr(cell, name) for name in names], *cell.dimensions.items())


def summed(cells: list[CellSum]) -> dict[tuple[Any, ...], int]:
    found = {_name(cell): cell.count for cell in cells}
    assert len(found) == len(cells), "each is there once"
    return found


def expected(tallies: list[Tally], window: str) -> dict[tuple[Any, ...], int]:
    found = Counter[tuple[Any, ...]]()
    for tally in tallies:
        if tally.window == window:
            found[_name(tally)] += tally.count
    return {name: n for name, n in found.items() if n}


async def _live(ops: list[Any]) -> None:
    topics = Topics()
    for op in ops:
        match op:
            case ("event", *about):
                await topics.event(*about)
            case ("wait", ms):
                await topics.wait(ms)
            case ("read",):
                await topics.check()
            case ("compact", partition):
                topics.compact(partition)
    await topics.check()


@LAW
@given(operations)
def test_sums_are_those_of_the_last_records(ops: list[Any]) -> None:
    """Over all time and in windows, whole and by dimension; and people per moment are those of `current`."""
    asyncio.run(_live(ops))


def test_what_is_gone_while_the_view_sleeps_goes() -> None:
    """A partition that was compacted meanwhile is read anew, and keeps what it had until the end of that."""

    async def run() -> None:
        topics = Topics()
        await topics.event(0, NAMES[0], "a", 0, "mobile")
        await topics.check()
        before = len(topics.cells)
        await topics.wait(410 * DAY)
        topics.compact(0)
        tail = await topics.log.tail("tallies", 0, topics.feed.positions["tallies", 0])
        assert tail.anew
        topics.cells.read_anew("tallies", 0)
        assert before == len(topics.cells)
        topics.feed.positions["tallies", 0] = TailPosition(0)
        await topics.check()
        assert before > len(topics.cells)

    asyncio.run(run())
