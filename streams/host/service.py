"""The partition agents as a Faust service, so that Faust starts and stops them together with everything else.

Its start returns when the cluster has answered. When the worker ends, wanted or not, the process ends.
"""

import asyncio
import time
from contextlib import suppress

from mode import Service

from streams.errors import StreamsError, Unavailable
from streams.host.process import Process
from streams.log.kafka.log import KafkaLog
from streams.runtime.status import WorkerStatus
from streams.runtime.worker import Worker
from streams.settings.durations import duration_text

RETRY_S = 1.0  # between two attempts to reach a cluster that does not answer
BEAT_S = 0.5  # between two signs of life of the event loop


class WorkerService(Service):
    """Connects to the cluster and runs a worker until it is stopped."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.process = process
        self.stop_requested = asyncio.Event()
        self.last_beat_s = process.clock.monotonic_s()
        self.worker: Worker | None = None  # None until the cluster has answered
        self._log: KafkaLog | None = None
        self._running: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    def status(self) -> WorkerStatus:
        """How far the worker is."""
        return WorkerStatus() if self.worker is None else self.worker.status()

    async def on_start(self) -> None:
        self._beating = asyncio.create_task(self._beat())
        self.worker = await self.open_worker()
        self._running = asyncio.create_task(self._run(self.worker), name="worker")

    async def open_worker(self) -> Worker:
        """A worker on the cluster, once that has answered."""
        process = self.process
        self._log = await connect(process)
        return Worker.on_kafka(
            self._log, process.settings, process.rules, meters=process.meters, logger=process.logger
        )

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
        if self._log is not None:
            await self._log.close()
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating


async def connect(process: Process) -> KafkaLog:
    """The log, once the cluster answers. Retries for `kafka.start_timeout`. Raises StreamsError."""
    kafka, deployment = process.settings.kafka, process.deployment
    limit = duration_text(kafka.start_timeout)
    deadline_s = time.monotonic() + kafka.start_timeout / 1000
    logged: str | None = None
    while True:
        left_s = max(deadline_s - time.monotonic(), 0.1)
        try:
            return await asyncio.wait_for(
                KafkaLog.connect(process.cluster, deployment.app, deployment.inputs), left_s
            )
        except (Unavailable, TimeoutError) as error:
            reason = (
                str(error) if isinstance(error, StreamsError) else f"no answer from {deployment.bootstrap}"
            )
            if time.monotonic() + RETRY_S >= deadline_s:
                raise Unavailable(f"{reason}: tried for {limit} (kafka.start_timeout)") from error
            if reason != logged:
                process.logger.warning("waiting", reason=reason, tries_for=limit)
                logged = reason
        await asyncio.sleep(RETRY_S)
