"""Two logs of the same events say the same, whatever their partitions; where they do not, it is shown."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from streams.cli.render.comparison import lines
from streams.log.memory import MemoryLog
from streams.log.port import Reader
from streams.queries.comparison import Comparison, Named, compare_logs
from streams.records import NewRecord, Record
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.queries.written import DAY, HOUR, RULES, SHOP, did, written

SKEW_MS = 300_000
ON_TIME = SHOP[:-1]  # nobody is late


async def compared(one: Reader, other: Reader) -> Comparison:
    return await compare_logs(Named("one", one), Named("other", other), SKEW_MS)


async def both(records: Sequence[bytes], others: Sequence[bytes], **settings: Any) -> Comparison:
    """What the comparison of two logs finds: one of one partition, and one of three."""
    return await compared(await written(records), await written(others, 3, **settings))


async def test_partitions_and_order_do_not_show() -> None:
    """Net transitions and counters are the same, in another order and over other partitions."""
    found = await both(ON_TIME, list(reversed(ON_TIME)), allowed_lateness="30d")
    assert (found.same, found.transition, found.counter) == (True, None, None)
    assert ("day", "all") == found.windows
    assert found.one.transitions == found.other.transitions > 0
    assert (0, 0) == (found.one.left_out, found.other.left_out)
    assert len(ON_TIME) == found.one.received == found.other.received


async def test_the_first_step_that_differs_is_shown() -> None:
    """Of two people whom only one log knows, the earlier one's step."""
    more = (did("u:hal", "look", 30), did("u:gus", "look", 2 * HOUR))
    found = await both(ON_TIME, (*more, *ON_TIME))
    assert not found.same
    assert found.transition is not None
    assert ("u:hal", "opened", 0, 1) == (
        found.transition.what["profile"], found.transition.what["kind"], found.transition.one,
        found.transition.other,
    )  # fmt: skip


async def test_a_late_event_differs_and_is_counted() -> None:
    """What is late depends on arrival: the last look came too late where everything is one partition."""
    found = await compared(await written(SHOP), await written(SHOP, allowed_lateness="30d"))
    assert (1, 0) == (found.one.late, found.other.late)
    assert not found.same
    assert found.transition is not None
    assert found.transition.what["at"].startswith("2024-05-02")


async def test_what_one_log_has_not_read_yet_is_left_out() -> None:
    """A log that ends earlier says nothing about later times, and the result is about the time before."""
    found = await both((*ON_TIME, did("u:hal", "look", 9 * DAY)), ON_TIME)
    assert found.same, (found.transition, found.counter)
    assert (found.one.left_out > 0, found.other.left_out) == (True, 0)
    assert ("day",) == found.windows


async def test_what_came_of_an_older_journey_later_is_left_out() -> None:
    """Bob's journey is as old as the others' and went on when only one log was still reading."""
    found = await both((*ON_TIME, did("u:bob", "cart", 9 * DAY)), ON_TIME)
    assert found.same, (found.transition, found.counter)


class BusyLog(MemoryLog):
    """A log of which an agent commits these records when a topic has been read for the first time."""

    def __init__(self, stored: MemoryLog, more: Sequence[bytes]) -> None:
        self.__dict__ |= stored.__dict__
        self._more = list(more)

    async def scan(
        self, topic: str, partition: int | None = None, key: bytes | None = None, **since: int | None
    ) -> AsyncIterator[tuple[int, Record]]:
        async for found in super().scan(topic, partition, key, **since):
            yield found
        more, self._more = self._more, []
        if more:
            await self.append([NewRecord(0, None, record, 2_000_000_000_000) for record in more])
            agent = await PartitionAgent.open(self, 0, Settings(allowed_lateness="30d"), RULES)
            await agent.catch_up()


async def test_agents_at_work_meanwhile() -> None:
    """What a log has at its checkpoint is compared, however often it is read: Hal's look is not in it yet.
    Counters that changed since are no difference.
    """
    settings: dict[str, Any] = {"allowed_lateness": "30d"}
    hal = did("u:hal", "look", 30)
    one = await written((hal, *ON_TIME), **settings)
    found = await compared(one, BusyLog(await written(ON_TIME, **settings), [hal]))
    assert found.transition is not None
    assert ("u:hal", 1, 0) == (found.transition.what["profile"], found.transition.one, found.transition.other)
    found = await compared(
        await written(ON_TIME, **settings), BusyLog(await written(ON_TIME, **settings), [hal])
    )
    assert (True, ("day",)) == (found.same, found.windows), (found.transition, found.counter)


async def test_fold_settings_that_differ_are_named() -> None:
    """They say why two logs of the same events differ; where none differs, none is named."""
    found = await both(ON_TIME, ON_TIME, patience={"buy": "90m"}, need=("properties.about",))
    assert not found.same
    assert [
        ("need", "none", "properties.about"),
        ("patience.buy", "1h", "90m"),
    ] == [(setting.key, setting.one, setting.other) for setting in found.settings]
    named = "need (none in one, properties.about in other); patience.buy (1h in one, 90m in other)"
    assert named in "\n".join(lines(found))
    alike = await both(ON_TIME, ON_TIME)
    assert () == alike.settings
    assert "settings" not in "\n".join(lines(alike))


async def test_counters_are_compared_too() -> None:
    """A counter that was lost is shown, though all transitions are there."""
    one, other = await written(ON_TIME), await written(ON_TIME)
    cells = other._stored[0].latest["tallies"]
    lost = next(key for key, cell in cells.items() if cell.value and b'"window":"day"' in cell.value)
    del cells[lost]
    found = await compared(one, other)
    assert found.transition is None
    assert found.counter is not None
    assert (found.counter.what["window"], found.counter.other) == ("day", 0)
    assert found.counter.one > 0


@pytest.mark.parametrize("empty", [True, False])
async def test_a_log_without_events_says_nothing(empty: bool) -> None:
    """There is nothing to compare, which is not the same as no difference."""
    found = await both((), () if empty else ON_TIME)
    assert (False, None, None) == (found.same, found.until, found.transition)
