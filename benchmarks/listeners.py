"""Whether the dashboard's memory stays flat while pages listen and the log grows:
`python -m benchmarks.listeners --minutes 60`.

A worker processes generated shoppers, a dashboard is served as users serve it, and listeners take what comes.
Each line has the resident memory of the dashboard's process.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from streams.sources.generator import Shop

LISTENERS = 50
EVENTS_A_SECOND = 100
SHOPPERS = 2_000
EVERY_S = 0.25  # between two writes to the file that the worker follows
RUN = "from streams.cli import main; main()"
FORGOTTEN = 0.2  # of the time, at the beginning: caches fill


def process(*arguments: object, **options: object) -> "subprocess.Popen[str]":
    """A command of the program."""
    words = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.Popen(words, text=True, **options)  # type: ignore[call-overload, no-any-return]


def resident_bytes(pid: int) -> int:
    """The resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no memory")


async def listen(client: aiohttp.ClientSession, address: str, taken: list[int], number: int) -> None:
    """Takes what comes; a third of the listeners ask for other figures."""
    ranges = ("24h", "7d", "28d")
    async with client.get(f"{address}api/stream?range={ranges[number % len(ranges)]}") as answer:
        async for line in answer.content:
            taken[number] += len(line)


async def feed(file: Path, until_s: float) -> int:
    """Lets shoppers come, at their speed."""
    shop, count = Shop(1, EVENTS_A_SECOND, SHOPPERS), 0
    with file.open("ab") as out:
        while (now_s := time.time()) < until_s:
            for n in range(int(EVENTS_A_SECOND * EVERY_S)):
                made = shop.next(int(now_s * 1000) + n)
                if made.key:
                    out.write(made.value + b"\n")
                    count += 1
            out.flush()
            await asyncio.sleep(EVERY_S)
    return count


async def measure(minutes: float, listeners: int) -> None:
    """Prints the memory now and then, and by how much it grew."""
    with tempfile.TemporaryDirectory() as made:
        file, data = Path(made) / "events.jsonl", Path(made) / "data"
        file.touch()
        running = process("run", file, "--data-dir", data, stderr=subprocess.DEVNULL)
        while not (data / "log.sqlite").exists():
            await asyncio.sleep(0.1)
        page = process("dashboard", "--data-dir", data, "--port", 0, stderr=subprocess.PIPE)
        try:
            assert page.stderr is not None
            address = page.stderr.readline().partition(": ")[2].partition(" ")[0]
            await _watch(page.pid, address, file, minutes, listeners)
        finally:
            for one in (page, running):
                one.terminate()
                one.wait()


async def _watch(pid: int, address: str, file: Path, minutes: float, listeners: int) -> None:
    begun_s, until_s = time.time(), time.time() + 60 * minutes
    feeding = asyncio.create_task(feed(file, until_s))
    taken, sizes = [0] * listeners, list[int]()
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as client:
        tasks = [asyncio.create_task(listen(client, address, taken, n)) for n in range(listeners)]
        for number in range(20):
            await asyncio.sleep(max(0.0, begun_s + 60 * minutes * (number + 1) / 20 - time.time()))
            sizes.append(resident_bytes(pid))
            print(f"{time.time() - begun_s:8.0f} s {sizes[-1] / 2**20:8.1f} MiB", flush=True)
            assert not any(task.done() for task in tasks), "a listener was dropped"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    count = await feeding
    settled = sizes[int(len(sizes) * FORGOTTEN)]
    print(f"{count:8,} events, {listeners} listeners, {sum(taken) / 2**20:.1f} MiB sent to them")
    grown, times = (sizes[-1] - settled) / 2**20, sizes[-1] / settled
    print(f"{grown:8.1f} MiB grown since a fifth of the time ({times:.3f} times)")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line now and then, and two at the end."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.listeners")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    given = parser.parse_args(arguments)
    asyncio.run(measure(given.minutes, given.listeners))


if __name__ == "__main__":
    main()
