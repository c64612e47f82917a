"""What a crowd of listening pages costs the stream, and how long the API takes meanwhile:
`python -m benchmarks.crowd`.

A file of events is replayed at full speed: alone, beside a dashboard that nobody looks at, and beside one
with a crowd of listeners and a visitor who asks for one thing after another. In turn, some rounds of them;
the least counts of what the stream takes, since all of it shares the machine.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import aiohttp

from benchmarks.generate import events
from benchmarks.kafka.measure import line, look, quantile
from benchmarks.listeners import listen, process

PEOPLE, HOURS = 20_000, 48
ASKED = ("", "api/funnel", "api/cohorts", "api/moves", "api/dwell", "api/people", "api/progress")
ASKED_EVERY_S = 0.03
P99_MS, COST = 50.0, 1.05  # the goals
FIRST_S = 3.0  # the visitor comes when all listeners are there


class Turn(NamedTuple):
    """One replay."""

    wall_s: float
    cpu_s: float  # of the stream
    page_cpu_s: float  # of the dashboard, while the replay ran
    waits_s: list[float]  # how long each answer took


async def turn(file: Path, directory: Path, listeners: int | None) -> Turn:
    """Replays the file; `listeners`: None without a dashboard."""
    data = directory / "data"
    waits: list[float] = []
    began_s = time.perf_counter()
    running = process(
        "replay", file, "--data-dir", data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    async with AsyncExitStack() as stack:
        page, crowd, tasks = None, None, list[asyncio.Task[None]]()
        if listeners is not None:
            while not (data / "log.sqlite").exists():
                await asyncio.sleep(0.05)
            page = process("dashboard", "--data-dir", data, "--port", 0, stderr=subprocess.PIPE)
            stack.callback(page.wait)
            stack.callback(page.terminate)
            assert page.stderr is not None
            said = await asyncio.to_thread(page.stderr.readline)
            address = said.partition(": ")[2].partition(" ")[0]
            if listeners:
                options = ("--at", address, "--listeners", str(listeners))
                crowd = subprocess.Popen([sys.executable, "-m", "benchmarks.crowd", *options])
                stack.callback(crowd.wait)
                stack.callback(crowd.kill)
                client = await stack.enter_async_context(aiohttp.ClientSession())
                tasks.append(asyncio.create_task(_visit(client, address, waits)))
            for task in tasks:
                stack.callback(task.cancel)
        _, status, used = await asyncio.to_thread(os.wait4, running.pid, 0)
        wall_s = time.perf_counter() - began_s
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            raise RuntimeError(f"the replay ended with exit code {running.returncode}")
        for task in tasks:
            if task.done():
                task.result()
        if crowd is not None and crowd.poll() is not None:
            raise RuntimeError("a listener was sent away")
        page_cpu_s = look(page.pid).cpu_s if page else 0.0
    return Turn(wall_s, used.ru_utime + used.ru_stime, page_cpu_s, waits)


async def listening(address: str, listeners: int) -> None:
    """Listens, until it is killed: in a process of its own, so that it holds up no question."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as client:
        taken = [0] * listeners
        await asyncio.gather(*[listen(client, address, taken, n) for n in range(listeners)])


async def _visit(client: aiohttp.ClientSession, address: str, waits: list[float]) -> None:
    """One question after another."""
    await asyncio.sleep(FIRST_S)
    while True:
        for path in ASKED:
            began_s = time.perf_counter()
            async with client.get(address + path) as answer:
                await answer.read()
                assert answer.status in (200, 503), f"{path}: {answer.status}"
            waits.append(time.perf_counter() - began_s)
            await asyncio.sleep(ASKED_EVERY_S)


async def measure(count: int, listeners: int, rounds: int) -> None:
    """Prints what each kind of turn took, and the times of the answers."""
    kinds: dict[str, int | None] = {
        "alone": None,
        "with a dashboard": 0,
        f"with {listeners} listeners": listeners,
    }
    turns: dict[str, list[Turn]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "events.jsonl"
        file.write_bytes(b"\n".join(record.value or b"" for record in events(count, PEOPLE, HOURS)) + b"\n")
        for number in range(rounds):
            for kind, crowd in kinds.items():
                with tempfile.TemporaryDirectory(dir=made) as directory:
                    turns[kind].append(await turn(file, Path(directory), crowd))
                print(f"round {number + 1} of {rounds}, {kind}: {turns[kind][-1].wall_s:.1f} s", flush=True)
    print(f"\n{count:,} events, replayed at full speed")
    alone = min(one.cpu_s for one in turns["alone"])
    for kind, found in turns.items():
        wall_s, cpu_s = min(one.wall_s for one in found), min(one.cpu_s for one in found)
        line(f"{kind}: events/s", f"{count / wall_s:,.0f}")
        share = max(one.page_cpu_s / one.wall_s for one in found)
        line("  processor of the stream, us an event", f"{1e6 * cpu_s / count:.1f}")
        line("  times that of the stream alone", f"{cpu_s / alone:.3f}", f"< {COST}", cpu_s < COST * alone)
        line("  cores of the dashboard", f"{share:.2f}")
        waits = sorted(wait_s for one in found for wait_s in one.waits_s)
        if waits:
            p50, p99 = (1000 * quantile(waits, part) for part in (0.5, 0.99))
            line(
                f"  {len(waits)} answers, p50 / p99, ms",
                f"{p50:.1f} / {p99:.1f}",
                f"< {P99_MS:g}",
                p99 < P99_MS,
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Some minutes."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.crowd")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at", metavar="ADDRESS", help="only listen, at this address")
    given = parser.parse_args(arguments)
    if given.at:
        asyncio.run(listening(given.at, given.listeners))
    else:
        asyncio.run(measure(given.events, given.listeners, given.rounds))


if __name__ == "__main__":
    main()
