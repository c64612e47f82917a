"""The last part of the demo, if it is wanted: a live page, and generated shoppers who come meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.cli.page_process import live_page
from streams.cli.stopping import StopRequest
from streams.clock import Clock

if TYPE_CHECKING:
    from streams.sources.incidents import Incident

LIVE_PEOPLE, LIVE_SEED = 1_500, 11
# 25 days, which take some seconds; a dozen purchases a day, so that one sees it when they stop.
BEFORE_EVENTS, BEFORE_EVERY_MS = 45_000, 48_000
HISTORY_MS = BEFORE_EVENTS * BEFORE_EVERY_MS
MOMENT_S = 0.5  # between two events, on average: something moves all the time, and one can follow it


async def show_live(
    data_dir: Path, events_before: int = BEFORE_EVENTS, incidents: "Sequence[Incident]" = ()
) -> None:
    """Processes what shoppers did in the last weeks, and what they do now, until it is stopped.

    `data_dir`: a new directory. The page is that of `streams dashboard`.
    """
    from streams.cli.options import input_format, rules_of
    from streams.runtime.embedded import Embedded, Progress
    from streams.settings.tables import Settings
    from streams.sources.finite_input import FiniteInput

    settings = Settings(data_dir=data_dir, identity={"on": True}, dimensions=_dimensions())
    history = data_dir.with_suffix(".jsonl")
    with StopRequest() as stop:

        def on_progress(progress: Progress) -> None:
            stop.check("the demo is half done; start it again")

        _write_history(history, events_before, incidents)
        embedded = await Embedded.open(settings, rules_of(settings))
        try:
            format = input_format(None, (), None, settings, is_finite=True)
            await embedded.replay(FiniteInput([history], format), on_progress)
        finally:
            await embedded.close()
        embedded = await Embedded.open(settings, rules_of(settings))
        try:
            with live_page(True, None, ["--data-dir", data_dir]):
                async for value in _shoppers(stop.event, incidents):
                    await embedded.append([(value, ())])
                    await embedded.step(idle_s=0)
        finally:
            await embedded.close()


def _dimensions() -> Mapping[str, Any]:
    """The settings by which the page shows what brought people to the shop."""
    from streams.sources.visitors import CHANNELS

    return {"channel": {"path": "context.campaign.medium", "values": [name for name, _ in CHANNELS]}}


def _write_history(path: Path, events: int, incidents: "Sequence[Incident]") -> None:
    """Writes what happened in the last weeks into a file, one event a line: about so many events."""
    from streams.sources.generator import Shop
    from streams.sources.rhythm import Rhythm, paced

    shop = Shop(LIVE_SEED, 1000 / BEFORE_EVERY_MS, LIVE_PEOPLE, incidents, Rhythm())
    now_ms = Clock().wall_ms()
    times = paced(now_ms - events * BEFORE_EVERY_MS, now_ms, BEFORE_EVERY_MS, shop.busy)
    made = [record for at_ms in times for record in shop.sends(at_ms)]
    path.write_bytes(b"".join([record.value + b"\n" for record in made if record.key]))


async def _shoppers(stop: asyncio.Event, incidents: "Sequence[Incident]") -> AsyncIterator[bytes]:
    """What shoppers do now, event by event, until `stop` is set."""
    from streams.sources.generator import Shop

    clock = Clock()
    # Other events each time, of the same people. They come at any time, so that one always sees some.
    shop = Shop(clock.wall_ms(), 1 / MOMENT_S, LIVE_PEOPLE, incidents)
    while not stop.is_set():
        for record in shop.sends(clock.wall_ms()):
            if record.key:
                yield record.value
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), random.expovariate(1 / MOMENT_S))
