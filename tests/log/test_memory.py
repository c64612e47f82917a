"""The log in memory can be crashed before and after every effect, and does the same thing every time."""

import pytest

from streams.errors import Fenced
from streams.log.memory import MemoryLog
from tests.contract.looking import Restored, fill, full_batch, input_ends, read, restored, seen


class Crash(Exception):
    """What the fault hook raises."""


class CrashAt:
    """Raises at a point, once `point` is set; remembers every point passed."""

    def __init__(self) -> None:
        self.point = ""
        self.passed: list[str] = []

    def __call__(self, point: str) -> None:
        self.passed.append(point)
        if point == self.point:
            raise Crash(point)


POINTS = [
    "open.before",
    "open.after",
    "append.before",
    "append.after",
    "read.before",
    "restore.before",
    "commit.before",
    "commit.write",
    "commit.after",
]


async def use(log: MemoryLog) -> None:
    """Every effect once."""
    session = await log.open(0)
    await fill(log, [b"b"])
    await restored(session)
    await read(session, 0, 1)
    await session.commit(full_batch(b"2"))


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_before_an_effect_leaves_it_undone_and_after_it_done(point: str) -> None:
    """The effects before the point are there, in full, and none after it."""
    faults = CrashAt()
    log = MemoryLog(faults=faults)
    held = await log.open(0)
    await fill(log, [b"a"])
    await held.commit(full_batch(b"1"))
    faults.passed.clear()
    faults.point = point
    with pytest.raises(Crash):
        await use(log)
    done = set(faults.passed)  # an effect is done once its `after` is reached
    faults.point = ""
    assert await input_ends(log) == [2 if "append.after" in done else 1]
    tag = b"2" if "commit.after" in done else b"1"
    if "open.after" in done:
        with pytest.raises(Fenced):
            await read(held, 0, 1)
    else:
        await read(held, 0, 1)
    assert await restored(await log.open(0)) == Restored(tag, {b"counter": tag})
    assert (await seen(log)).topics["current"] == [(0, b"k", tag, ())]


async def test_every_point_is_passed_in_order() -> None:
    """A simulator may count on these names."""
    faults = CrashAt()
    await use(MemoryLog(faults=faults))
    writes = len(full_batch(b"2").outputs) + len(full_batch(b"2").state) + 1
    assert faults.passed.count("commit.write") == writes  # the checkpoint is one of them
    order = ["open", "append", "restore", "read", "commit"]
    assert list(dict.fromkeys(faults.passed)) == [
        point for name in order for point in POINTS if point.startswith(name)
    ]
