"""The Faust app, stripped of what this program does not use: nothing of Faust's is on the way of an event.

The partition agents are a service beside it (`service.py`). Without agents of somebody's own, Faust connects to no broker at all. With some, it reads
the outputs in a group of its own, `<app>-agents`, committed records only (`reading.py`), and hands them over at least once (`handing.py`).
Off: tables and their changelogs, topics made by Faust, replies, its data directory, its pages, its environment variables.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.types import TopicT
from faust.types.settings import Settings as FaustSettings
from mode import ServiceT

import streams.settings.tables
from streams.errors import ConfigError
from streams.host import announce
from streams.host.consumer import Transport
from streams.host.faust_agents import Agent, Stream, values_of
from streams.host.pages import Pages
from streams.host.service import Journeys
from streams.log.kafka.connection import cluster
from streams.settings.kafka import deployment
from streams.sources import rules_file
from streams.telemetry import logs
from streams.telemetry.metrics import Meters
from streams.topology import CURRENT, JOURNEYS, TRANSITIONS

COMMIT_EVERY_S = 1.0  # of agents' positions: so much is handed over again after a crash
BUFFERED = 1_000  # records of a partition read ahead for an agent


class Conf(FaustSettings):
    """Faust's settings, without its environment variables: WEB_BIND of some other program must not open our pages to the world."""

    def getenv(self, env_name: str) -> Any:
        return None


class Boot(BootStrategy):
    """What runs, in order; it is stopped in the opposite one."""

    def server(self) -> Iterable[ServiceT]:
        app = self.app
        assert isinstance(app, App)
        yield app.web
        yield app.journeys  # returns when the cluster has answered
        if app.agents:
            yield app.producer
            yield app.consumer
            yield app.agents
            yield app.topics
            yield app.tables  # there are none; it is what lets the records flow after a change in the group


class App(faust.App):
    """One worker process."""

    BootStrategy = Boot
    Settings = Conf

    def __init__(self, settings: "streams.settings.tables.Settings") -> None:
        """Nothing is connected yet. Raises ConfigError."""
        self.settings = settings
        self.named = deployment(settings.kafka)
        self.cluster = cluster(settings.kafka)
        self.rules = rules_file.read(settings.rules)
        self.meters = Meters()
        self.lines = logs.get()
        self.over = asyncio.Event()  # the process is to end
        self.failure: BaseException | None = None  # and why, if not because somebody said so
        super().__init__(
            f"{self.named.app}-agents",
            broker=[f"kafka://{address}" for address in self.named.bootstrap.split(",")],
            broker_commit_interval=COMMIT_EVERY_S,
            broker_session_timeout=settings.kafka.session_timeout / 1000,
            stream_buffer_maxsize=BUFFERED,
            stream_wait_empty=False,  # an event under way is handed over again, instead of holding up a rebalance
            topic_allow_declare=False,
            topic_disable_leader=True,  # ours is whoever has partition 0
            worker_redirect_stdouts=False,
            autodiscover=False,
            Agent=Agent,
            Stream=Stream,
        )
        self.journeys = Journeys(self)
        self.outputs = {
            topic.name: self._output(topic.name, topic.types) for topic in (TRANSITIONS, CURRENT, JOURNEYS)
        }
        if settings.announce.url is not None:
            announce.agent(self, self.outputs[TRANSITIONS.name], settings.announce)

    def end(self, failure: BaseException | None = None) -> None:
        """The process ends: everything is closed and the failure decides its exit code. The first one counts."""
        if not self.over.is_set():
            self.failure = failure
            self.over.set()

    async def on_start(self) -> None:
        """Without agents there is no consumer, not even one that is not started."""
        if self.agents:
            await super().on_start()
        else:
            self.finalize()

    def is_leader(self) -> bool:
        """For `@app.timer(on_leader=True)`: one worker of the app is, the one that works on partition 0."""
        return 0 in self.journeys.status().opened

    def _output(self, name: str, types: tuple[type, ...]) -> TopicT:
        return self.topic(f"{self.named.app}.{name}", schema=values_of(types))

    def Table(self, name: str, **options: Any) -> Any:
        raise ConfigError(
            f"app.Table({name!r}): tables are off here: they lose records when partitions move. Keep what you need in a store of yours"
        )

    GlobalTable = SetTable = SetGlobalTable = Table

    def _create_directories(self) -> None:
        """None: nothing is kept on disk."""

    def _new_web(self) -> Pages:
        return Pages(self)

    def _new_transport(self) -> Transport:
        return Transport(self)

    _new_producer_transport = _new_transport

    async def _stop_children(self) -> None:
        """Those that were started: a start may have failed half way."""
        for child in reversed(self._begun()):
            await asyncio.shield(child.stop())

    def _begun(self) -> list[ServiceT]:
        def started() -> Iterator[ServiceT]:
            for child in self._children:
                if child is not None and child.started:
                    yield child

        return list(started())
