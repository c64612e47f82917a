"""A shop whose events are processed while a page looks."""

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.views import records
from streams.log.sqlite.log import SqliteLog
from streams.records import Batch
from streams.sources.generator import Shop
from streams.topology import TRANSITIONS
from tests.cli.running import event, process

EVENTS, PEOPLE, SEED, EVERY_MS = 4_000, 200, 5, 300_000
BACKLOG_EVENTS = 3_000  # they are hours old when they come
DESKTOP, PHONE = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}
CARDS = "['figures','flow','purchases','revenue','parts','hours','latest','stays','cues'].every("
DRAWN = CARDS + "id => document.getElementById(id).textContent.length > 10)"


class Site:
    """A data directory, a file that grows, and where the page is."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.directory, self.data, self.feed = directory, directory / "data", directory / "feed.jsonl"
        self.feed.touch()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"

    def fill(self) -> None:
        """Processes what happened in the last days."""
        source = self.directory / "before.jsonl"
        source.write_bytes(b"".join(_made(EVENTS, EVERY_MS, 0)))
        assert 0 == process("replay", source, "--data-dir", self.data, stderr=subprocess.DEVNULL).wait()

    async def store_counters(self, cells: int, seed: int) -> None:
        """Adds counters of long ago, others with each seed. Nobody else writes meanwhile."""
        log = SqliteLog(self.data)
        session = await log.open(0)
        checkpoint, _ = await session.restore()
        assert checkpoint is not None
        await session.commit(Batch(records(cells, 1, seed), [], checkpoint))
        await log.close()

    def run(self, **environment: str) -> "subprocess.Popen[bytes]":
        """Processes what comes, until it is ended."""
        return process(
            "run", self.feed, "--data-dir", self.data, stderr=subprocess.DEVNULL, env=os.environ | environment
        )

    def dashboard(self) -> "subprocess.Popen[bytes]":
        """Serves the page, until it is ended."""
        return process("dashboard", "--data-dir", self.data, "--port", self.port, stderr=subprocess.DEVNULL)

    async def answers(self) -> None:
        """Returns when the server answers."""
        while True:
            try:
                _, writing = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writing.close()
                return

    def happens(self, who: str) -> None:
        """Somebody looks at a product, now."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self.feed.open("a") as feed:
            made = event(
                who, "Product Viewed", "00:00:00", timestamp=stamp, messageId=f"{who}-{time.time_ns()}"
            )
            feed.write(json.dumps(made) + "\n")

    def happened(self) -> None:
        """What happened some hours ago comes now, all at once."""
        with self.feed.open("ab") as feed:
            feed.write(b"".join(_made(BACKLOG_EVENTS, 1_000, 3 * 3_600_000)))

    async def committed_ms(self, who: str) -> int:
        """When the step of somebody was committed."""
        reader = SqliteLog.read_only(self.data)
        try:
            async for _, record in reader.scan(TRANSITIONS.name, key=who.encode()):
                return record.time_ms
        finally:
            await reader.close()
        raise AssertionError(f"nothing was published about {who}")


def _made(count: int, every_ms: int, ago_ms: int) -> list[bytes]:
    """Lines of generated shoppers, the last of them so long ago."""
    shop, end_ms = Shop(SEED, 1000 / every_ms, PEOPLE), time.time_ns() // 1_000_000 - ago_ms
    made = [shop.next(end_ms - every_ms * (count - n)) for n in range(count)]
    return [record.value + b"\n" for record in made if record.key]


@asynccontextmanager
async def ending(*processes: "subprocess.Popen[bytes]") -> AsyncGenerator[None]:
    """Ends the processes afterwards."""
    try:
        yield
    finally:
        for one in processes:
            one.terminate()
            one.wait()
