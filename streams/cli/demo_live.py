"""The last part of the demo, if it is wanted: a live page, and generated shoppers who come meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
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
APPENDED_AT_ONCE = 10_000  # events: about as many as a batch
MOMENT_S = 0.5  # between two events, on average: something moves all the time, and one can follow it


async def show_live(
    data_dir: Path, events_before: int = BEFORE_EVENTS, incidents: "Sequence[Incident]" = ()
) -> None:
    """Processes what shoppers did in the last weeks, and what they do now, until it is stopped.

    `data_dir`: a new directory. The page is that of `streams dashboard`.
    """
    from streams.cli.options import rules_of
    from streams.runtime.embedded import Embedded
    from streams.settings.tables import Settings

    settings = Settings(data_dir=data_dir, identity={"on": True}, dimensions=_dimensions())
    with StopRequest() as stop:
        embedded = await Embedded.open(settings, rules_of(settings))
        try:
            # They are in order of time but for a few, which are late: nothing has to be looked at before.
            before = _before(events_before, incidents)
            while values := list(islice(before, APPENDED_AT_ONCE)):
                await embedded.append([(value, ()) for value in values])
                await embedded.step(idle_s=0)
                stop.check("the demo is half done; start it again")
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


def _before(events: int, incidents: "Sequence[Incident]") -> Iterator[bytes]:
    """What happened in the last weeks, event by event: about so many events."""
    from streams.sources.generator import Shop
    from streams.sources.rhythm import Rhythm, paced

    shop = Shop(LIVE_SEED, 1000 / BEFORE_EVERY_MS, LIVE_PEOPLE, incidents, Rhythm())
    now_ms = Clock().wall_ms()
    for at_ms in paced(now_ms - events * BEFORE_EVERY_MS, now_ms, BEFORE_EVERY_MS, shop.busy):
        yield from [record.value for record in shop.sends(at_ms) if record.key]


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
