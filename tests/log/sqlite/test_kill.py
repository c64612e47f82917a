"""kill -9: a real process that commits as fast as it can, killed at moments of chance's choosing.

After each kill the database opens, and outputs, state and checkpoint say the same number: at least the one
that the process last reported as committed.
"""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from streams.log.sqlite.log import SqliteLog
from tests.contract.looking import restored

KILLS = 10
KEYS = 50

WRITER = """
import asyncio, sys
from streams.log.sqlite import chunks
from streams.records import Batch, NewRecord, Output, StateRecord
from streams.log.sqlite.log import SqliteLog

chunks.COMPACT_BYTES = 200_000  # so that kills hit compactions too

async def main():
    log = SqliteLog(sys.argv[1])
    session = await log.open(0)
    checkpoint, state = await session.restore()
    counter = int(checkpoint or 0)
    while True:
        counter += 1
        tag = b"%d" % counter
        await log.append([NewRecord(0, b"k", tag, 0)] * 2)
        outputs = [
            Output(topic, b"k%d" % (counter % 50), tag, (("pad", b"x" * 300),))
            for topic in ("transitions", "current", "tallies")
        ] * 10
        state = [StateRecord(b"%d" % number, tag) for number in range(50)]
        state.append(StateRecord(b"pad", b"x" * 5_000))
        await session.commit(Batch(outputs, state, tag))
        print(counter, flush=True)

asyncio.run(main())
"""


@contextmanager
def writing(directory: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A process that commits until it is killed, and what it says."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def test_a_killed_writer_leaves_outputs_state_and_checkpoint_in_agreement(tmp_path: Path) -> None:
    """Ten kills in a row on one data directory, each process going on where the one before was killed."""
    chance = random.Random(7)
    counter = 0
    for _ in range(KILLS):
        with writing(tmp_path) as (process, out):
            committed = [int(out.readline()) for _ in range(1 + chance.randrange(100))]
            process.kill()
            lines = out.read().splitlines()  # the last one may be cut
        committed += [int(line) for line in lines[:-1]]
        # It went on where the one before was.
        assert committed == list(range(counter + 1, counter + 1 + len(committed)))
        counter = asyncio.run(_agreed(tmp_path, committed[-1]))


async def _agreed(directory: Path, at_least: int) -> int:
    log = SqliteLog(directory)
    (checkpoint,) = await log.checkpoints()
    assert checkpoint is not None
    counter = int(checkpoint)
    assert counter >= at_least
    transitions = [record.value async for _, record in log.scan("transitions")]
    assert transitions == [b"%d" % number for number in range(1, counter + 1) for _ in range(10)]
    appended = [record.value async for _, record in log.scan("events")]
    assert appended[0::2] == appended[1::2]  # an append is all or none
    # Each kill may leave one append whose batch was not committed.
    assert 2 * counter <= len(appended) <= 2 * (counter + KILLS)
    for topic in ("current", "tallies"):
        latest = {record.key: record.value async for _, record in log.scan(topic)}
        assert latest == {
            b"k%d" % (number % KEYS): b"%d" % number
            for number in range(max(1, counter - KEYS + 1), counter + 1)
        }
    state = (await restored(await log.open(0))).state
    assert state == {b"pad": b"x" * 5_000} | {b"%d" % number: checkpoint for number in range(KEYS)}
    await log.close()
    return counter


def test_a_second_process_fences_the_first_which_reports_it(tmp_path: Path) -> None:
    """One data directory, two processes: the older one stops at its next commit
    with `Fenced`, and nothing is corrupted.
    """

    async def take_over() -> None:
        log = SqliteLog(tmp_path)
        await log.open(0)
        await log.close()

    with writing(tmp_path) as (process, first):
        first.readline()
        asyncio.run(take_over())
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Fenced: Partition 0 of" in err
    asyncio.run(_agreed(tmp_path, int(out.splitlines()[-1]) if out else 1))
