"""The live part of the demo: shoppers come while the page is looked at."""

import asyncio
import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from streams.cli.demo_live import show_live
from tests.kafka.waiting import eventually_async

EVENTS_BEFORE = 300


async def test_something_moves_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows what was before, then what happens now; Ctrl-C ends all of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("STREAMS_DASHBOARD__PORT", str(port))
    demo = asyncio.create_task(show_live(tmp_path / "live", EVENTS_BEFORE))

    def received() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/progress") as answer:
                return sum(one["received"] for one in json.load(answer)["partitions"])
        except OSError:
            return 0

    async def has_begun() -> bool:
        return await asyncio.to_thread(received) > 0

    async def has_moved() -> bool:
        return await asyncio.to_thread(received) > before

    await eventually_async(has_begun, "the page shows what was before")
    before = await asyncio.to_thread(received)
    await eventually_async(has_moved, "something has moved")
    os.kill(os.getpid(), signal.SIGINT)
    await demo
    assert 0 == received()
