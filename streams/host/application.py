"""The Faust app of a worker process, reduced to what this program uses: no event passes through Faust.

The partition agents run as a service beside Faust (`service.py`). Without agents of a user, Faust connects to
no broker. With some, Faust reads the outputs in a group of its own, `<app>-agents`: committed records only
(`consumer.py`), each delivered at least once (`faust_agents.py`). Everything else of Faust is off: tables and
their changelogs, creation of topics, replies, the data directory, its own pages, its environment variables.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NoReturn

from faust.app.base import BootStrategy
from faust.exceptions import ConsumerNotStarted
from faust.types import TopicT
from faust.types.settings import Settings as FaustSettings
from mode import ServiceT

from streams.errors import ConfigError
from streams.host.announce import ANNOUNCE, add_announce_agent
from streams.host.announce_start import AnnounceStart
from streams.host.consumer import AgentConsumer, AgentTransport
from streams.host.faust_agents import AgentStream, RetryingAgent, output_schema
from streams.host.pages import Pages
from streams.host.process import Process, ProcessApp
from streams.host.service import WorkerService
from streams.telemetry.meters import UserAgentLag
from streams.topology import CUES, CURRENT, CURRENT_DEVICES, IDENTITIES, JOURNEYS, TRANSITIONS, agents_group

AGENT_COMMIT_INTERVAL_S = 1.0  # after a crash, agents get the records of this time again
READ_AHEAD = 1_000  # records of a partition that are read ahead for an agent


class HostConf(FaustSettings):
    """Faust's settings without their environment variables.

    WEB_BIND, meant for another program, must not open our pages to the world.
    """

    def getenv(self, env_name: str) -> None:
        return None


class BootOrder(BootStrategy):
    """The services in the order in which they start; they stop in reverse."""

    def server(self) -> Iterable[ServiceT]:
        app = self.app
        assert isinstance(app, App)
        yield app.web
        yield app.worker_service  # its start returns when the cluster has answered
        if app.agents:
            yield app.producer
            yield app.consumer
            yield app.agents
            yield app.topics
            yield app.tables  # there are none, but this service resumes the flow of records after a rebalance


class App(ProcessApp):
    """The Faust app of one worker process."""

    BootStrategy = BootOrder
    Settings = HostConf

    def __init__(self, process: Process) -> None:
        """Connects to nothing. Raises ConfigError."""
        self.process = process
        super().__init__(
            agents_group(process.deployment.app),
            broker=[f"kafka://{address}" for address in process.deployment.bootstrap.split(",")],
            broker_commit_interval=AGENT_COMMIT_INTERVAL_S,
            broker_session_timeout=process.settings.kafka.session_timeout / 1000,
            stream_buffer_maxsize=READ_AHEAD,
            stream_wait_empty=False,  # a rebalance waits for no agent: its record is delivered again
            topic_allow_declare=False,
            topic_disable_leader=True,  # here the owner of partition 0 leads
            worker_redirect_stdouts=False,
            autodiscover=False,
            Agent=RetryingAgent,
            Stream=AgentStream,
        )
        self.worker_service = WorkerService(process)
        self.outputs = {
            topic.name: self._output(topic.name, topic.types)
            for topic in (TRANSITIONS, CUES, CURRENT, CURRENT_DEVICES, IDENTITIES, JOURNEYS)
        }
        process.meters.user_agent_lags = self.user_agent_lags
        self.announce_start: AnnounceStart | None = None
        if process.settings.announce.url is not None:
            transitions = self.outputs[TRANSITIONS.name]
            self.announce_start = AnnounceStart(process, transitions.get_topic_name(), self._announces_alone)
            process.before_work.append(self.announce_start.before_work)
            add_announce_agent(self, transitions, self.announce_start)

    def _announces_alone(self) -> bool:
        """Whether no other agent reads the transitions."""
        transitions = self.outputs[TRANSITIONS.name]
        return [agent.name for agent in self.agents.values() if agent.channel is transitions] == [ANNOUNCE]

    async def on_start(self) -> None:
        """Makes a consumer only if there are agents: Faust's own start makes one in any case."""
        if self.agents:
            await super().on_start()
        else:
            self.finalize()

    def user_agent_lags(self) -> list[UserAgentLag]:
        """How far each agent is behind, by partition that this worker reads for it, where that is known."""
        if not self.agents or not isinstance(self.consumer, AgentConsumer) or not self.consumer.started:
            return []
        try:
            assigned = self.consumer.assignment()
        except ConsumerNotStarted:  # the consumer has started, and its thread not yet
            return []
        found = []
        for tp in assigned:
            for agent in self.agents.values():
                if tp.topic in agent.get_topic_names():
                    records = self.consumer.lag(agent.name, tp)
                    if records is not None:
                        found.append(UserAgentLag(agent.name, tp.topic, tp.partition, records))
        return found

    def is_leader(self) -> bool:
        """Whether this worker runs `@app.timer(on_leader=True)`: the one that works on partition 0 does."""
        return 0 in self.worker_service.status().opened

    def _output(self, name: str, types: tuple[type, ...]) -> TopicT:
        return self.topic(f"{self.process.deployment.app}.{name}", schema=output_schema(types))

    def Table(self, name: str, **options: Any) -> NoReturn:
        """Raises ConfigError: tables are off."""
        raise ConfigError(
            f"app.Table({name!r}): tables are off, because they lose records when partitions move. Keep your "
            "data in a store of your own"
        )

    GlobalTable = SetTable = SetGlobalTable = Table

    def _create_directories(self) -> None:
        """Creates none: nothing is kept on disk."""

    def _new_web(self) -> Pages:
        return Pages(self, self.worker_service)

    def _new_transport(self) -> AgentTransport:
        return AgentTransport(self)

    _new_producer_transport = _new_transport

    async def _stop_children(self) -> None:
        """Stops the services that were started: a start may have failed half way."""
        for child in reversed(self._children):
            if child is not None and child.started:
                await asyncio.shield(child.stop())
            elif isinstance(child, AgentConsumer):
                child.discard()
