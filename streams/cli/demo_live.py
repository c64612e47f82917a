"""The last part of the demo, if it is wanted: a live page, and generated shoppers who come meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from streams.cli.page_process import live_page
from streams.cli.stopping import StopRequest
from streams.clock import Clock

LIVE_PEOPLE, LIVE_SEED = 600, 11
BEFORE_EVENTS, BEFORE_EVERY_MS = 18_000, 2 * 60_000  # 25 days, which take some seconds
MOMENT_S = 0.5  # between two events, on average: something moves all the time, and one can follow it


async def show_live(data_dir: Path, events_before: int = BEFORE_EVENTS) -> None:
    """Processes what shoppers did in the last weeks, and what they do now, until it is stopped.

    `data_dir`: a new directory. The page is that of `streams dashboard`.
    """
    from streams.cli.options import input_format, rules_of
    from streams.runtime.embedded import Embedded, Progress
    from streams.settings.tables import Settings
    from streams.sources.finite_input import FiniteInput

    settings = Settings(data_dir=data_dir, identity={"on": True})
    history = data_dir.with_suffix(".jsonl")
    with StopRequest() as stop:

        def on_progress(progress: Progress) -> None:
            stop.check("the demo is half done; start it again")

        _write_history(history, events_before)
        embedded = await Embedded.open(settings, rules_of(settings))
        try:
            format = input_format(None, (), None, settings, is_finite=True)
            await embedded.replay(FiniteInput([history], format), on_progress)
        finally:
            await embedded.close()
        embedded = await Embedded.open(settings, rules_of(settings))
        try:
            with live_page(True, None, ["--data-dir", data_dir]):
                async for value in _shoppers(stop.event):
                    await embedded.append([(value, ())])
                    await embedded.step(idle_s=0)
        finally:
            await embedded.close()


def _write_history(path: Path, events: int) -> None:
    """Writes what happened in the last weeks into a file, one event a line."""
    from streams.sources.generator import Shop

    shop, now_ms = Shop(LIVE_SEED, 1000 / BEFORE_EVERY_MS, LIVE_PEOPLE), Clock().wall_ms()
    made = [shop.next(now_ms - n * BEFORE_EVERY_MS) for n in range(events, 0, -1)]
    path.write_bytes(b"".join([record.value + b"\n" for record in made if record.key]))


async def _shoppers(stop: asyncio.Event) -> AsyncIterator[bytes]:
    """What shoppers do now, event by event, until `stop` is set."""
    from streams.sources.generator import Shop

    clock = Clock()
    shop = Shop(clock.wall_ms(), 1 / MOMENT_S, LIVE_PEOPLE)  # other events each time, of the same people
    while not stop.is_set():
        record = shop.next(clock.wall_ms())
        if record.key:
            yield record.value
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), random.expovariate(1 / MOMENT_S))
