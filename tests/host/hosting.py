"""Apps for the tests of the host: they ask no cluster, and a test steers their worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from streams.host.application import App
from streams.host.pages import Pages
from streams.host.process import Process
from streams.host.serve import run_app
from streams.host.service import WorkerService
from streams.runtime.status import WorkerStatus
from streams.runtime.worker import Worker
from streams.settings.host import AnnounceSettings, WebSettings
from streams.settings.kafka import KafkaSettings
from streams.settings.tables import Settings
from tests.runtime.group import LocalGroup, LocalMember

KAFKA = KafkaSettings(bootstrap="127.0.0.1:9", app="shop", inputs=("clicks",), grace="8s")
TWO = frozenset({0, 1})


class SteeredWorker(Worker):
    """A worker without a log. It runs until it is stopped, or fails with what it is given."""

    def __init__(self) -> None:
        self.current = WorkerStatus(joined=True, assigned=TWO, opened=TWO, restoring={})
        self.membership = LocalMember(LocalGroup(2), "steered")  # it is in no group
        self.failure: BaseException | None = None
        self.failing = asyncio.Event()
        self.closing_s = 0.0
        self.closed = False

    def status(self) -> WorkerStatus:
        return self.current

    async def run(self, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (stop, self.failing)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(self.closing_s)
        self.closed = True


class SteeredService(WorkerService):
    """A service whose worker needs no cluster."""

    async def open_worker(self) -> SteeredWorker:
        return SteeredWorker()


def settings(**given: Any) -> Settings:
    return Settings(**{"kafka": KAFKA, "web": WebSettings(port=0), "announce": AnnounceSettings(), **given})


def real_app(**given: Any) -> App:
    """An app whose worker connects to the cluster."""
    return App(Process(settings(**given)))


def app(**given: Any) -> App:
    """An app with a steered worker."""
    made = real_app(**given)
    made.worker_service = SteeredService(made.process)
    return made


@asynccontextmanager
async def running(made: App) -> AsyncIterator[tuple[SteeredWorker, str]]:
    """Runs the app until the end of the block. Gives its worker and the URL of its pages."""
    life = asyncio.create_task(run_app(made))
    try:
        while made.worker_service.worker is None and not life.done():
            await asyncio.sleep(0.01)
        worker = made.worker_service.worker
        assert isinstance(worker, SteeredWorker), made.process.failure
        assert isinstance(made.web, Pages)
        yield worker, made.web.address
    finally:
        made.process.end()
        assert await life
