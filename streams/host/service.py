"""The partition agents as a Faust service, so that Faust starts and stops them together with everything else.

Its start returns when the cluster has answered. When the worker ends, wanted or not, the process ends.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from mode import Service

from streams.errors import Unavailable
from streams.host.person_desk import PersonDesk
from streams.host.process import Process
from streams.log.kafka.lifecycle import SHORTEST_TRY_S, Waiting
from streams.log.kafka.log import KafkaLog
from streams.queries.worker_client import WorkerClient
from streams.runtime.status import WorkerStatus
from streams.runtime.worker import Worker

if TYPE_CHECKING:
    from streams.log.kafka.registry.decoding import RecordDecoder  # its libraries are an extra

BEAT_S = 0.5  # between two signs of life of the event loop


class WorkerService(Service):
    """Connects to the cluster and runs a worker until it is stopped."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.process = process
        self.stop_requested = asyncio.Event()
        self.last_beat_s = process.clock.monotonic_s()
        self.worker: Worker | None = None  # None until the cluster has answered
        self.desk: PersonDesk | None = None  # likewise
        token = process.settings.web.token
        self._others = WorkerClient(None if token is None else token.get_secret_value())
        self._log: KafkaLog | None = None
        self._running: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    def status(self) -> WorkerStatus:
        """How far the worker is."""
        return WorkerStatus() if self.worker is None else self.worker.status()

    async def on_start(self) -> None:
        self._beating = asyncio.create_task(self._beat())
        worker = await self.open_worker()
        for prepare in self.process.before_work:
            await prepare()
        has_tenants = self.process.settings.fold.tenant is not None
        self.desk = PersonDesk(worker, self.process.advertised, self._others.ask, has_tenants=has_tenants)
        self.worker = worker
        self._running = asyncio.create_task(self._run(self.worker), name="worker")

    async def open_worker(self) -> Worker:
        """A worker on the cluster, once that has answered."""
        process = self.process
        self._log = await connect(process)
        if process.decoder is not None:
            await self._check(process.decoder)
            self._log.decoder = process.decoder
        return Worker.on_kafka(
            self._log,
            process.settings,
            process.rules,
            meters=process.meters,
            logger=process.logger,
            address=process.advertised,
        )

    async def _check(self, decoder: "RecordDecoder") -> None:
        """Asks whether the registry lets us in. One that does not answer holds up nothing but the records
        that need it. Raises Refused.
        """

        def on_waiting(reason: str) -> None:
            self.process.logger.warning("waiting", reason=reason)

        decoder.on_waiting = on_waiting
        try:
            await decoder.check()
        except Unavailable as error:
            on_waiting(str(error))

    async def _run(self, worker: Worker) -> None:
        try:
            await worker.run(self.stop_requested)
            if not self.stop_requested.is_set():
                raise AssertionError("the worker ended by itself, without an error")
        except Exception as error:
            self.process.end(error)

    async def _beat(self) -> None:
        while True:
            self.last_beat_s = self.process.clock.monotonic_s()
            await asyncio.sleep(BEAT_S)

    async def on_stop(self) -> None:
        self.stop_requested.set()
        if self._running is not None:
            await self._running
        await self._others.close()
        if self._log is not None:
            await self._log.close()
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating


async def connect(process: Process) -> KafkaLog:
    """The log, once the cluster answers. Retries for `kafka.start_timeout`. Raises StreamsError."""
    deployment, waiting = process.deployment, Waiting(process.settings.kafka.start_timeout)
    logged: str | None = None
    while True:
        connecting = KafkaLog.connect(process.cluster, deployment.app, deployment.inputs)
        try:
            return await asyncio.wait_for(connecting, max(waiting.left_s, SHORTEST_TRY_S))
        except (Unavailable, TimeoutError) as error:
            failed = waiting.failed(f"the cluster at {deployment.bootstrap} cannot be used", error)
        if failed.detail != logged:
            process.logger.warning("waiting", reason=failed.detail)
            logged = failed.detail
        await asyncio.sleep(failed.pause_s)
