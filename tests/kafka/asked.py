"""One small shop in two logs: a data directory, and an app on the broker. Questions about both must have the
same answers.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from streams.core.ingest.partition import partition_of
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.log.port import Log
from streams.log.sqlite.log import SqliteLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.agents import catch_up
from tests.cli.running import streams
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.queries.written import RULES
from tests.reading import key_of

PARTITIONS = 2


class Answer(NamedTuple):
    """What a command came to."""

    exit_code: int
    stdout: str
    stderr: str


class AskedLogs(NamedTuple):
    """The flags that name each log, and the name of the app."""

    directory: Sequence[object]
    cluster: Sequence[object]
    app: str

    def answers(self, *command: object) -> tuple[Answer, Answer]:
        """Those of the directory and of the app. The input of the directory is called `events`, and that of
        the app is made to be called so too.
        """
        return asked(*command, *self.directory), asked(*command, *self.cluster, instead_of=f"{self.app}.")


def asked(*command: object, instead_of: str = "") -> Answer:
    """What a command prints, without this text."""
    result = streams(*command)
    stdout = result.stdout.replace(instead_of, "") if instead_of else result.stdout
    return Answer(result.exit_code, stdout, result.stderr)


def same_shop(directory: Path, records: Sequence[bytes], settings: Settings) -> AskedLogs:
    """Both logs, with all of these records processed. May be called where a loop is running already."""
    app = topics.new_app(PARTITIONS)

    async def fill() -> None:
        embedded = SqliteLog(directory, PARTITIONS)
        await _process(embedded, records, settings)
        cluster = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
        await _process(cluster, records, settings)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, fill()).result()
    return AskedLogs(("--data-dir", directory), ("--kafka", bootstrap(), "--app", app), app)


async def _process(log: Log, records: Sequence[bytes], settings: Settings) -> None:
    placed = [NewRecord(partition_of(key_of(record), PARTITIONS), None, record, -1) for record in records]
    await log.append(placed)
    agents = [await PartitionAgent.open(log, number, settings, RULES) for number in range(PARTITIONS)]
    await catch_up(agents)
    await catch_up(agents, max(agent.processor.population.watermark_ms for agent in agents))
    await log.close()
