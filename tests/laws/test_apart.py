"""Events that are counted apart are as good as none.

Law: whatever comes of some events comes of them without those of robots and of people who refused; only the
counts of how they ended and the time that has come differ. And that is so in one partition and in several.
"""

import asyncio
import random
from collections import Counter

import msgspec
import pytest

from streams.log.memory import MemoryLog
from streams.queries.funnel import Funnel, read_funnel
from streams.queries.verify import verify
from streams.settings.loading import load_settings
from tests.laws.test_forwarding import APART, alone, events, said, together

ENDINGS = {"robot": APART[0], "refused": APART[1]}


def ending(value: bytes) -> str | None:
    """How an event that is counted apart ends; None: it is none."""
    try:
        context = msgspec.json.decode(value)["context"]
    except msgspec.DecodeError:
        return None
    return next((name for name, clue in ENDINGS.items() if context == clue), None)


async def counters(log: MemoryLog) -> dict[str, int]:
    """Every counter over all time, added up over the partitions, without zeros."""
    last: dict[bytes, bytes] = {}
    async for _, record in log.scan("tallies"):
        assert record.key is not None
        last[record.key] = record.value or b""
    total: Counter[str] = Counter()
    for value in last.values():
        if value and (tally := msgspec.json.decode(value))["window"] == "all":
            total[tally["cell"]] += tally["count"]
    return {cell: n for cell, n in total.items() if n}


@pytest.mark.parametrize("seed", range(10))
def test_nothing_comes_of_them(seed: int) -> None:
    """Transitions, counters, people and dead letters are those of the other events alone."""

    async def law() -> None:
        rnd = random.Random(f"apart {seed}")
        settings = load_settings(batch=500)
        values = events(rnd, rnd.choice((60, 300)), rnd.choice((3, 30)), rnd.choice((2, 12)))
        apart = Counter(filter(None, map(ending, values)))
        # An event without intent stands where one was: time comes as far with it.
        bare = [value if ending(value) is None else _silent(value) for value in values]
        one, other = await alone(values, settings), await alone(bare, settings)
        many = await together(values, settings, rnd, 3, 0.0)
        expected, counted = await read_funnel(other), await read_funnel(one)
        assert apart == ended_apart(counted)
        assert expected.events.no_signal == counted.events.no_signal + apart.total()
        for name in ("received", "applied", "duplicate", "late", "rejected"):
            assert getattr(expected.events, name) == getattr(counted.events, name), name
        for log in (one, many):
            assert await said(other) == await said(log)
            assert await counters(other) == await counters(log)
            found = await read_funnel(log)
            assert (expected.profiles, expected.journeys) == (found.profiles, found.journeys)
            assert apart == ended_apart(found)
            assert (await verify(log, lambda done, total: None)).difference is None

    asyncio.run(law())


def ended_apart(found: Funnel) -> Counter[str]:
    return +Counter({name: getattr(found.events, name) for name in ENDINGS})


def _silent(value: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(value) | {"event": "Nothing", "context": {}})
