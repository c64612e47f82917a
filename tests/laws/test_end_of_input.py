"""How far time goes in a finite replay: what docs/journeys.md (Time) says, whatever the number of partitions,
wherever the replay was killed, and whoever's clock is wrong.
"""

import random
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.event import Event
from streams.core.processing.end_of_input import EndOfInput
from tests import oracle
from tests.laws.replays import outcome, replay
from tests.oracle import DAY, HOUR

START = 1_577_836_800_000  # 2020: the clocks that are years ahead are not beyond today
NAMES = ("Product Viewed", "Store Located", "Product Added", "Order Completed", "Scrolled")
SEEDS = range(6)


def read(person: str, at_ms: int) -> Event:
    return Event("e", at_ms, 0, person, None, "track", "Looked", {}, {})


def end_of(times: list[tuple[str, int]]) -> int:
    end = EndOfInput(None)
    for person, at_ms in times:
        end.note(read(person, at_ms))
    return end.at_ms


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50)), min_size=1, max_size=120), st.data())
def test_the_end_is_the_pages_in_any_order(drawn: list[tuple[int, int]], data: st.DataObject) -> None:
    """The third-latest time of different people, of few people the latest."""
    times = [(f"p{person}", START + at) for person, at in drawn]
    assert oracle.end_of_replay(times) == end_of(times) == end_of(data.draw(st.permutations(times)))


@pytest.mark.parametrize(("people", "end"), [(19, 190), (20, 180)])
def test_of_twenty_people_one_decides_nothing(people: int, end: int) -> None:
    """The newest events of two of 20 people are passed over, and of 19 people none is."""
    assert START + end == end_of([(f"p{n}", START + 10 * (n + 1)) for n in range(people)])


def test_no_event_no_end() -> None:
    """An input without an event moves no time."""
    assert -1 == EndOfInput(None).at_ms


def call(person: str, at_ms: int, id: str, name: str) -> dict[str, object]:
    stamp = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
    return {"type": "track", "messageId": id, "userId": person, "event": name, "timestamp": stamp}


def file_of_events(path: Path, rnd: random.Random, people: int) -> list[tuple[str, int]]:
    """Writes a file in order of time: two devices are years ahead, some records hold several events.

    Returns the person and time of each event.
    """
    times, lines = [], list[bytes]()
    for n in range(300):
        at_ms = START + n * 2 * HOUR + rnd.randrange(HOUR)
        calls = []
        for part in range(rnd.choice((1, 1, 1, 3))):
            person = f"p{rnd.randrange(people)}"
            times.append((person, at_ms + part))
            calls.append(call(person, at_ms + part, f"m{n}.{part}", rnd.choice(NAMES)))
        lines.append(msgspec.json.encode(calls[0] if len(calls) == 1 else {"batch": calls}))
    for n, person in enumerate(("p0", "ahead")):
        at_ms = START + (800 + n) * DAY
        times.append((person, at_ms))
        lines.append(msgspec.json.encode(call(person, at_ms, f"ahead{n}", "Product Viewed")))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return times


@pytest.mark.parametrize("seed", SEEDS)
async def test_neither_partitions_nor_a_kill_show(seed: int, tmp_path: Path) -> None:
    """Whatever the number of partitions, whether or not it was killed: time is at the page's end in each of
    them, the same transitions hold, and no event is late.
    """
    rnd = random.Random(seed)
    times = file_of_events(tmp_path / "clicks", rnd, rnd.choice((12, 40)))
    await replay([tmp_path / "clicks"], tmp_path / "one")
    one = await outcome(tmp_path / "one")
    assert {oracle.end_of_replay(times)} == one.watermarks
    for partitions in (2, 5):
        data_dir = tmp_path / str(partitions)
        await replay([tmp_path / "clicks"], data_dir, partitions, killed_after=rnd.randrange(1, 3))
        await replay([tmp_path / "clicks"], data_dir, partitions)
        assert one == await outcome(data_dir)
