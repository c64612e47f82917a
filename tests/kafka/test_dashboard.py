"""The live page of an app on a cluster."""

import asyncio
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from streams.clock import Clock
from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import default_rules
from streams.dashboard.following import Following
from streams.dashboard.model import LiveModel
from streams.log.kafka.client import Cluster
from streams.log.kafka.funnel import FunnelWriter
from streams.log.kafka.log import KafkaLog
from streams.queries.cohorts import report_of_cells
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.topology import FUNNEL
from tests.agents import catch_up
from tests.cli.running import event, process, streams
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.kafka.waiting import eventually

PARTITIONS = 3


async def test_the_first_figures_come_from_the_funnel() -> None:
    """Those over all time are whole before all tallies were read. A funnel that has fallen behind is not
    used.
    """
    app = topics.new_app(PARTITIONS)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    agents = [
        await PartitionAgent.open(log, number, Settings(), default_rules()) for number in range(PARTITIONS)
    ]
    for who in ("ann", "bob", "cid"):
        record = json.dumps(event(who, "Product Viewed", "10:00:00")).encode()
        await log.append([NewRecord(partition_of(who.encode(), PARTITIONS), None, record, -1)])
    await catch_up(agents)
    for agent in agents:
        await agent.show_progress()

    async def first_known() -> tuple[LiveModel, Following]:
        model = LiveModel(app, PARTITIONS)
        following = Following(log, model, Clock(), print, first_from=FUNNEL)
        await following.start(Settings().fold)
        while model.known_from_ms is None:
            await following.turn()
        return model, following

    assert (await first_known())[0].is_ready  # nobody has written the funnel
    writer = FunnelWriter(log, Clock())
    await writer.open()
    while not await writer.step():
        pass
    model, following = await first_known()
    assert not model.is_ready
    assert 3 == report_of_cells(model.cells.sums()).journeys.opened
    early = {repr(cell) for cell in model.cells.sums()}
    while not await following.turn():
        pass
    assert model.is_ready
    assert early == {repr(cell) for cell in model.cells.sums()}
    await writer.close()
    await log.close()


async def test_an_app_on_a_cluster_is_shown(tmp_path: Path) -> None:
    """What is committed while the page is open, too; without a worker, nobody can be asked for a person."""
    app = topics.new_app(PARTITIONS)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    agents = [
        await PartitionAgent.open(log, number, Settings(), default_rules()) for number in range(PARTITIONS)
    ]

    async def happens(who: str) -> None:
        key = partition_of(who.encode(), PARTITIONS)
        record = json.dumps(event(who, "Product Viewed", "10:00:00")).encode()
        await log.append([NewRecord(key, None, record, -1)])
        for agent in agents:
            await agent.catch_up()

    await happens("ann")
    where = ("--kafka", bootstrap(), "--app", app)
    snapshot = tmp_path / "snapshot"
    environment = os.environ | {"STREAMS_DASHBOARD__SNAPSHOT": str(snapshot)}
    page = process("dashboard", *where, "--port", 0, env=environment)
    assert page.stderr is not None
    line = (await asyncio.to_thread(page.stderr.readline)).decode()
    address = line.partition("http")[2].partition(" ")[0]
    assert address, line

    def answer(path: str) -> Any:
        with urllib.request.urlopen(f"http{address}{path}") as found:
            return json.load(found)

    def opened() -> int:
        try:
            return int(answer("api/funnel")["report"]["journeys"]["opened"])
        except urllib.error.HTTPError:  # it is still reading
            return 0

    await asyncio.to_thread(eventually, lambda: opened() == 1, "the first journey is shown")
    await happens("bob")
    await asyncio.to_thread(eventually, lambda: opened() == 2, "the second journey is shown")
    names = {step["profile"] for step in (await asyncio.to_thread(answer, "api/latest"))["latest"]}
    assert {"u:ann", "u:bob"} == names
    printed = json.loads((await asyncio.to_thread(streams, "funnel", *where, "--json")).stdout)
    assert printed["journeys"] == (await asyncio.to_thread(answer, "api/funnel"))["report"]["journeys"]
    with pytest.raises(urllib.error.HTTPError, match="503"):
        await asyncio.to_thread(answer, "api/profiles/u:ann")
    page.terminate()
    await asyncio.to_thread(page.communicate)
    assert (0, True) == (page.returncode, snapshot.is_file())
    await log.close()
