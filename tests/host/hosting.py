"""Apps for the tests of the host: settings that name a cluster which nobody asks, and a worker that is told what to say."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from streams.host.application import App
from streams.host.pages import Pages
from streams.host.serve import _live
from streams.host.service import Hosted, Journeys
from streams.settings.host import AnnounceSettings, WebSettings
from streams.settings.kafka import KafkaSettings
from streams.settings.tables import Settings

KAFKA = KafkaSettings(bootstrap="127.0.0.1:9", app="shop", inputs=("clicks",), grace="8s")


class Says(NamedTuple):
    """A status."""

    joined: bool = True
    assigned: frozenset[int] = frozenset({0, 1})
    opened: frozenset[int] = frozenset({0, 1})
    restoring: Mapping[int, tuple[int, int]] = {}


class Told:
    """A worker that runs until it is stopped, or fails with what it is given."""

    def __init__(self) -> None:
        self.says = Says()
        self.failure: BaseException | None = None
        self.fails = asyncio.Event()
        self.closing_s = 0.0
        self.closed = False

    def status(self) -> Says:
        return self.says

    async def run(self, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (stop, self.fails)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(self.closing_s)
        self.closed = True


class Without(Journeys):
    """A service whose worker needs no cluster."""

    async def on_start(self) -> None:
        self._beating = asyncio.create_task(self._beat())
        self._worker = self.told = Told()
        self._running = asyncio.create_task(self._run(self._worker))


def settings(**given: Any) -> Settings:
    return Settings(**{"kafka": KAFKA, "web": WebSettings(port=0), "announce": AnnounceSettings(), **given})


def app(**given: Any) -> App:
    """One whose worker is told what to do."""
    made = App(settings(**given))
    made.journeys = Without(made)
    return made


@asynccontextmanager
async def running(made: App) -> AsyncIterator[tuple[Told, str]]:
    """While it runs: its worker, and where its pages are. It is stopped in the end, unless it was before."""
    life = asyncio.create_task(_live(made))
    try:
        while made.journeys._worker is None and not life.done():
            await asyncio.sleep(0.01)
        worker: Hosted | None = made.journeys._worker
        assert isinstance(worker, Told), made.failure
        assert isinstance(made.web, Pages)
        yield worker, made.web.address
    finally:
        made.end()
        assert await life
