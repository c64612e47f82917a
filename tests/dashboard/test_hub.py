"""What listeners are sent: the newest, once made, and nothing twice."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message

from streams.dashboard.asked import Asked
from streams.dashboard.event_stream import EventStream
from streams.dashboard.hub import MAX_LISTENERS, OVERVIEW_EVERY_S, Hub
from streams.log.memory import MemoryLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.dashboard.asking import AskedDashboard, StillClock, asked, shown
from tests.queries.written import RULES, SHOP, did

ALL = Asked()


class SteppingClock(StillClock):
    """Its seconds are those that a test lets pass."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def monotonic_s(self) -> float:
        return self.seconds


class Shop:
    """A dashboard, its hub at a clock of its own, and somebody who processes."""

    def __init__(self, log: MemoryLog, dashboard: AskedDashboard, agent: PartitionAgent) -> None:
        self.log, self.dashboard, self.agent, self.clock = log, dashboard, agent, SteppingClock()
        self.hub = Hub(dashboard.model, self.clock)

    @classmethod
    async def open(cls) -> "Shop":
        log = await shown(SHOP)
        return cls(log, await asked(log), await PartitionAgent.open(log, 0, Settings(), RULES))

    async def happens(self, *records: bytes) -> None:
        """Something is processed, and the dashboard reads it."""
        await self.log.append([NewRecord(0, None, record, 2_000_000_000_000) for record in records])
        await self.agent.catch_up()
        while not await self.dashboard.following.turn():
            pass


def read(message: bytes) -> list[tuple[str, Any]]:
    """The events of a message, by name."""
    found = []
    for text in message.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


async def test_a_listener_gets_the_figures_and_then_what_is_new() -> None:
    """Moves at once, figures a moment later; nothing when nothing has changed."""
    shop = await Shop.open()
    messages = shop.hub.messages(ALL)
    first = await anext(messages)
    assert first.startswith(b"retry: ")
    assert ["overview"] == [name for name, _ in read(first)]
    await shop.happens(did("u:gil", "look", 6 * 1440), did("u:gil", "cart", 6 * 1440 + 1))
    list(shop.hub.tick())
    ((name, steps),) = read(await anext(messages))
    assert ("steps", ["opened", "advanced"]) == (
        name,
        [step["kind"] for step in steps if step["profile"] == "u:gil"],
    )
    shop.clock.seconds += OVERVIEW_EVERY_S
    list(shop.hub.tick())
    ((name, overview),) = read(await anext(messages))
    assert ("overview", 2) == (name, overview["people"]["buy"]["open"])  # dan is there, too
    waiting = asyncio.ensure_future(anext(messages))
    list(shop.hub.tick())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await messages.aclose()


async def test_the_newest_wins() -> None:
    """Who takes nothing for a while gets one message of each kind, however much has happened."""
    shop = await Shop.open()
    messages = shop.hub.messages(ALL)
    await anext(messages)
    for minute in range(4):
        await shop.happens(did(f"u:new-{minute}", "look", 6 * 1440 + minute))
        shop.clock.seconds += OVERVIEW_EVERY_S
        list(shop.hub.tick())
    found = read(await anext(messages))
    assert ["steps", "overview"] == [name for name, _ in found]
    assert "u:new-3" in {step["profile"] for step in found[0][1]}
    assert 4 <= found[1][1]["people"]["know"]["open"]
    await messages.aclose()


async def test_figures_are_made_once_for_all() -> None:
    """Listeners who ask for the same get the same bytes; those who ask for other things do not."""
    shop = await Shop.open()
    streams = [shop.hub.messages(ALL) for _ in range(3)]
    other = shop.hub.messages(Asked(where=(("device", "tv"),)))
    for stream in (*streams, other):
        await anext(stream)
    assert 4 == shop.hub.listeners
    await shop.happens(did("u:gil", "look", 6 * 1440))
    shop.clock.seconds += OVERVIEW_EVERY_S
    list(shop.hub.tick())
    first, second, third = [await anext(stream) for stream in streams]
    assert first is second is third or first == second == third
    assert [0] == [
        overview["people"]["know"]["open"]
        for name, overview in read(await anext(other))
        if name == "overview"
    ]
    for stream in (*streams, other):
        await stream.aclose()
    assert 0 == shop.hub.listeners


async def test_who_comes_back_gets_what_was_missed() -> None:
    """By the id of the last message; one of another process brings the figures alone."""
    shop = await Shop.open()
    messages = shop.hub.messages(ALL)
    first = await anext(messages)
    await messages.aclose()
    (last_id,) = [line[4:] for line in first.decode().splitlines() if line.startswith("id: ")]
    await shop.happens(did("u:gil", "look", 6 * 1440))
    for given, expected in (
        (last_id, ["steps", "overview"]),
        ("x-1", ["overview"]),
        (f"{last_id}9", ["overview"]),
    ):
        again = shop.hub.messages(ALL, given)
        assert expected == [name for name, _ in read(await anext(again))]
        await again.aclose()


async def test_a_move_that_is_taken_back_is_sent() -> None:
    """So that a page takes it back too."""
    shop = await Shop.open()
    await shop.happens(did("u:gil", "look", 6 * 1440), did("u:gil", "cart", 6 * 1440 + 30))
    messages = shop.hub.messages(ALL)
    await anext(messages)
    list(shop.hub.tick())
    await anext(messages)
    await shop.happens(did("u:gil", "cart", 6 * 1440 + 10))
    list(shop.hub.tick())
    (steps,) = [value for name, value in read(await anext(messages)) if name == "steps"]
    assert {"retract", "assert"} == {step["op"] for step in steps}
    await messages.aclose()


async def test_all_streams_end_when_it_is_closed() -> None:
    """A process that stops need not wait for its listeners."""
    shop = await Shop.open()
    messages = shop.hub.messages(ALL)
    await anext(messages)
    waiting = asyncio.ensure_future(anext(messages, None))
    await asyncio.sleep(0)
    shop.hub.close()
    assert await waiting is None
    await shop.hub.run()


async def test_a_listener_that_takes_nothing_is_dropped() -> None:
    """Its message waits in no queue of ours."""
    shop = await Shop.open()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    stream = EventStream(shop.hub.messages(ALL), shop.hub.drop, write_s=0.01)
    await stream({"type": "http"}, receive, send)
    assert (1, 0) == (shop.hub.dropped, shop.hub.listeners)


async def test_the_stream_is_asked_for_like_everything_else() -> None:
    """Through the application, for as long as the listener stays."""
    dashboard = await asked(await shown(SHOP))
    async with dashboard.listening("/api/stream?range=7d") as messages:
        assert (await messages.get()).startswith("retry: ")
        assert (await messages.get()).startswith("event: overview\n")
        assert 1 == dashboard.hub.listeners
    assert 0 == dashboard.hub.listeners


async def test_there_is_room_for_so_many() -> None:
    """The next one is asked to come again."""
    dashboard = await asked(await shown(SHOP))
    streams = [dashboard.hub.messages(ALL) for _ in range(MAX_LISTENERS)]
    for stream in streams:
        await anext(stream)
    answer = await dashboard.get("/api/stream")
    assert (503, "2") == (answer.status, answer.headers["retry-after"])
    for stream in streams:
        await stream.aclose()


@pytest.mark.parametrize("turns", [0, 1])
async def test_until_all_was_read_there_are_no_figures(turns: int) -> None:
    """A page shows how far the reading is instead."""
    dashboard = AskedDashboard(await shown(SHOP))
    await dashboard.following.start(Settings().fold)
    for _ in range(turns):
        while not await dashboard.following.turn():
            pass
    messages = dashboard.hub.messages(ALL)
    assert [["loading", "overview"][turns]] == [name for name, _ in read(await anext(messages))]
    await messages.aclose()


class SlowClock(SteppingClock):
    """Every look at it takes as long as figures of a great shop take to be made."""

    def monotonic_s(self) -> float:
        self.seconds += 0.3
        return self.seconds


async def test_figures_that_take_long_come_less_often() -> None:
    """The rest of the machine is for whoever processes, however many different figures are asked for."""
    shop = await Shop.open()
    shop.hub = Hub(shop.dashboard.model, SlowClock())
    streams = [shop.hub.messages(Asked(where=where)) for where in ((), (("device", "tv"),))]
    for stream in streams:
        await anext(stream)
    ticks = 0
    await shop.happens(did("u:gil", "look", 6 * 1440))
    waiting = asyncio.ensure_future(anext(streams[1]))
    while not waiting.done():
        list(shop.hub.tick())
        ticks += 1
        await asyncio.sleep(0)
    assert ["overview"] == [name for name, _ in read(waiting.result()) if name == "overview"]
    assert ticks * 0.3 > 2 * OVERVIEW_EVERY_S
    for stream in streams:
        await stream.aclose()
