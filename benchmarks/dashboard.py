"""What a start of the dashboard and a person's story cost: `python -m benchmarks.dashboard`.

A data directory is filled with counters of hours, as a busy shop has them, and with the steps of many people.
The steps are those of generated shoppers, many times over under other names, so that each person's lie far
apart. Figures are processor time, of this process alone.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import process_time

from benchmarks.views import records
from streams.clock import Clock
from streams.core.moments.rules import default_rules
from streams.core.processing.state_keys import PROFILE
from streams.dashboard.asked import Asked
from streams.dashboard.following import Following
from streams.dashboard.model import LiveModel
from streams.dashboard.stories import StoriesOfLog
from streams.log.memory import MemoryLog
from streams.log.sqlite.log import SqliteLog
from streams.log.sqlite.reader import SqliteReader
from streams.records import Batch, NewRecord, Output, Record, StateRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.identity import IdentitySettings
from streams.settings.tables import Settings
from streams.sources.generator import Shop
from streams.topology import PROGRESS, TALLIES, TRANSITIONS

WRITTEN_AT_ONCE = 10_000  # records of one commit
SHOPPERS, EVENTS, EVERY_MS = 200, 4_000, 600_000
STORIES = 400  # people who are asked for
HEAD = b"x" * 60  # about what a few signals take
HALF, MOST = 0.5, 0.99


async def shoppers() -> MemoryLog:
    """A small shop that was processed."""
    log, shop = MemoryLog(1), Shop(1, 1000 / EVERY_MS, SHOPPERS)
    times_ms = range(1_700_000_000_000, 1_700_000_000_000 + EVERY_MS * EVENTS, EVERY_MS)
    await log.append([NewRecord(0, None, shop.next(at_ms).value, at_ms) for at_ms in times_ms])
    settings = Settings(identity=IdentitySettings(on=False))  # nobody's steps become somebody else's
    agent = await PartitionAgent.open(log, 0, settings, default_rules())
    await agent.catch_up()
    await agent.step(checkpoint=True)
    return log


async def written(directory: Path, cells: int, steps: int, profiles: int) -> Sequence[str]:
    """Fills a data directory; returns the people in it who have steps. `profiles`: that are in the state."""
    small, log = await shoppers(), SqliteLog(directory, 1)
    session = await log.open(0)
    (checkpoint,) = await small.checkpoints()
    assert checkpoint is not None
    before = [record async for _, record in small.scan(TRANSITIONS.name)]
    kept = [
        Output(topic, record.key, record.value)
        for topic in (PROGRESS.name, TALLIES.name)
        async for _, record in small.scan(topic)
    ]
    times = max(1, steps // len(before))
    outputs = [*kept, *records(cells, 1)]
    for record in before:
        outputs += [_renamed(record, n) for n in range(times)]
        while len(outputs) >= WRITTEN_AT_ONCE:
            await session.commit(Batch(outputs[:WRITTEN_AT_ONCE], [], checkpoint))
            outputs = outputs[WRITTEN_AT_ONCE:]
    await session.commit(Batch(outputs, [], checkpoint))
    heads = [StateRecord(PROFILE + b"d:device-%d\0" % number, HEAD) for number in range(profiles)]
    for at in range(0, profiles, WRITTEN_AT_ONCE):
        await session.commit(Batch([], heads[at : at + WRITTEN_AT_ONCE], checkpoint))
    await log.close()
    return [f"{(record.key or b'').decode()}-{n}" for record in before for n in range(times)]


def _renamed(record: Record, number: int) -> Output:
    """The step of somebody else."""
    key, value = record.key or b"", record.value or b""
    mark = b"-%d" % number
    value = value.replace(b':%b"' % key, b':%b%b"' % (key, mark))
    return Output(TRANSITIONS.name, key + mark, value, record.headers)


async def start(reader: SqliteReader) -> None:
    """Prints how long a start takes, until there are figures and until all was read."""
    model = LiveModel("bench", reader.partitions)
    following = Following(reader, model, Clock(), print)
    begun_s = process_time()
    await following.start(Settings().fold)
    first_s = known_s = -1.0
    while not model.is_ready:
        await following.turn()
        now_s = process_time() - begun_s
        first_s = now_s if first_s < 0 and model.has_begun else first_s
        known_s = now_s if known_s < 0 and model.known_from_ms is not None else known_s
    ready_s = process_time() - begun_s
    begun_s = process_time()
    model.overview(Asked(), Clock().wall_ms())
    figures_s = process_time() - begun_s
    print(f"{first_s:12.3f} s until who is under way is known")
    print(f"{known_s:12.3f} s until the figures of a day are known, and those over all time")
    print(f"{ready_s:12.3f} s until all is known: {len(model.cells):,} counters")
    print(f"{len(model.cells) / ready_s:12,.0f} counters a second, of all that was read")
    print(f"{figures_s * 1e3:12.1f} ms to make the figures of the page")


async def tell(reader: SqliteReader, people: Sequence[str]) -> None:
    """Prints what stories cost."""
    stories = StoriesOfLog(reader)
    begun_s = process_time()
    await stories.index()
    ready_s = process_time() - begun_s
    spent_ms = []
    for who in Random(1).choices(people, k=STORIES):
        begun_s = process_time()
        found = await stories.story(who, None, None)
        spent_ms.append((process_time() - begun_s) * 1e3)
        assert found is not None, who
    spent_ms.sort()
    half, most = (spent_ms[int(share * (len(spent_ms) - 1))] for share in (HALF, MOST))
    print(f"{ready_s:12.3f} s to find out where steps and people stand: {len(people):,} steps")
    begun_s = process_time()
    for number in range(STORIES):
        assert await stories.story(f"nobody-{number}", None, None) is None, number
    unknown_ms = (process_time() - begun_s) * 1e3 / STORIES
    print(f"{half:12.1f} ms a story, median")
    print(f"{most:12.1f} ms a story, p99")
    print(f"{unknown_ms:12.1f} ms a name that nobody has")


async def measure(cells: int, steps: int, profiles: int, directory: Path | None) -> None:
    """Prints all figures."""
    with tempfile.TemporaryDirectory(dir=directory) as made:
        path = Path(made) / "data"
        people = await written(path, cells, steps, profiles)
        reader = SqliteLog.read_only(path)
        await start(reader)
        await tell(reader, people)
        await reader.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.dashboard")
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=84_000)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args(arguments)
    asyncio.run(measure(given.cells, given.steps, given.profiles, given.dir))


if __name__ == "__main__":
    main()
