"""What the parts of one worker process share, so that they need not know the app that is made of them.

Faust hands its app to everything that it creates: agents, streams, consumers. Those reach the process through
it.
"""

import asyncio
from collections.abc import Awaitable, Callable

import faust
from faust.types import AppT

from streams.clock import Clock
from streams.log.kafka.connection import cluster
from streams.log.kafka.registry.access import record_decoder
from streams.runtime.rules_file import read_rules
from streams.settings.kafka import deployment
from streams.settings.tables import Settings
from streams.telemetry import logs
from streams.telemetry.meters import Meters


class Process:
    """The settings of this process with what is made of them, and how the process ends."""

    def __init__(self, settings: Settings) -> None:
        """Connects to nothing. Raises ConfigError."""
        self.settings = settings
        self.deployment = deployment(settings.kafka)
        self.cluster = cluster(settings.kafka)
        self.decoder = record_decoder(settings.registry)  # None: there is no schema registry
        self.rules = read_rules(settings.rules, settings.order_id)
        self.meters = Meters()
        self.logger = logs.get()
        self.clock = Clock()
        # What is to be done before this worker publishes anything, once the cluster has answered.
        self.before_work: list[Callable[[], Awaitable[None]]] = []
        self.advertised: str | None = None  # where this worker can be asked for people; None: nowhere
        self.ending = asyncio.Event()  # set when the process is to end
        self.failure: BaseException | None = None  # why it ends; None: a signal asked for it

    def end(self, failure: BaseException | None = None) -> None:
        """Begins to end the process; the failure decides its exit code. Only the first call counts."""
        if not self.ending.is_set():
            self.failure = failure
            self.ending.set()


class ProcessApp(faust.App):
    """A Faust app that knows its process."""

    process: Process


def process_of(app: AppT) -> Process:
    """The process that a Faust app runs in."""
    assert isinstance(app, ProcessApp), type(app)
    return app.process
