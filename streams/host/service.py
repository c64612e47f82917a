"""The partition agents as a service of the app. Its start returns when the cluster has answered; its end, wanted or not, is the process's."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mode import Service

from streams.errors import StreamsError, Unavailable
from streams.log.kafka.log import KafkaLog
from streams.settings.durations import duration_text

if TYPE_CHECKING:
    from streams.host.application import App

RETRY_S = 1.0  # between tries to reach a cluster that does not answer
BEAT_S = 0.5  # the loop shows that it turns


class Status(Protocol):
    """How far a worker is: what `streams.runtime.Worker.status` answers."""

    @property
    def joined(self) -> bool: ...
    @property
    def assigned(self) -> frozenset[int]: ...
    @property
    def opened(self) -> frozenset[int]: ...
    @property
    def restoring(
        self,
    ) -> Mapping[int, tuple[int, int]]: ...  # of a partition: state records read, and how many there are


class Nothing(NamedTuple):
    """The status of a worker that is not there yet."""

    joined: bool = False
    assigned: frozenset[int] = frozenset()
    opened: frozenset[int] = frozenset()
    restoring: Mapping[int, tuple[int, int]] = {}


class Hosted(Protocol):
    """A worker, as its host sees it."""

    async def run(self, stop: asyncio.Event) -> None: ...
    def status(self) -> Status: ...


class Journeys(Service):
    """Connects, and runs a worker until it is stopped."""

    def __init__(self, app: "App") -> None:
        super().__init__()
        self.app = app
        self.asked = asyncio.Event()  # the worker is to stop
        self.beat_s = time.monotonic()
        self._worker: Hosted | None = None
        self._log: KafkaLog | None = None
        self._running: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    def status(self) -> Status:
        return Nothing() if self._worker is None else self._worker.status()

    async def on_start(self) -> None:
        self._beating = asyncio.create_task(self._beat())
        self._log = await connect(self.app)
        self._worker = self.work(self._log)
        self._running = asyncio.create_task(self._run(self._worker), name="worker")

    def work(self, log: KafkaLog) -> Hosted:
        from streams.runtime.worker import Worker

        app = self.app
        return Worker(log, app.settings, app.rules, app.meters, app.lines)

    async def _run(self, worker: Hosted) -> None:
        try:
            await worker.run(self.asked)
            if not self.asked.is_set():
                raise AssertionError("the worker ended by itself, without an error")
        except Exception as error:
            self.app.end(error)

    async def _beat(self) -> None:
        while True:
            self.beat_s = time.monotonic()
            await asyncio.sleep(BEAT_S)

    async def on_stop(self) -> None:
        self.asked.set()
        if self._running is not None:
            await self._running
        if self._log is not None:
            await self._log.close()
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating


async def connect(app: "App") -> KafkaLog:
    """Tries for `kafka.start_timeout` when no broker answers, and says so. Raises StreamsError."""
    kafka, named = app.settings.kafka, app.named
    deadline = time.monotonic() + kafka.start_timeout / 1000
    said: str | None = None
    while True:
        left_s = max(deadline - time.monotonic(), 0.1)
        try:
            return await asyncio.wait_for(KafkaLog.connect(app.cluster, named.app, named.inputs), left_s)
        except (Unavailable, TimeoutError) as error:
            why = str(error) if isinstance(error, StreamsError) else f"no answer from {named.bootstrap}"
            if time.monotonic() + RETRY_S >= deadline:
                raise Unavailable(
                    f"{why}: tried for {duration_text(kafka.start_timeout)} (kafka.start_timeout)"
                ) from error
            if why != said:
                app.lines.warning("waiting", reason=why, tries_for=duration_text(kafka.start_timeout))
                said = why
        await asyncio.sleep(RETRY_S)
