"""An app on a broker that is lost and comes back while a page looks."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from streams.core.ingest.partition import partition_of
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.records import NewRecord
from tests.browser.chromium import Chromium
from tests.browser.site import DRAWN, ending
from tests.browser.states import check_says, opened
from tests.cli.running import event, process
from tests.kafka import topics
from tests.kafka.broker import Brokers, Missing, cluster, free_ports

PARTITIONS = 2
COMING_BACK_S = 300.0  # some twenty seconds: nobody knows that a broker is back before the next try
LIVE = "/up to [0-9]/.test(document.querySelector('.live.live')?.textContent)"
OPEN = "document.querySelector('#figures [data-key=in] .value').textContent === '{}'"


class KafkaSite:
    """An app with a worker on a broker of its own, and where the page is."""

    def __init__(self, brokers: Brokers) -> None:
        self.bootstrap, self.app = brokers.bootstrap, topics.new_name()
        self.port, self._web_port = free_ports(2)
        self.address = f"http://127.0.0.1:{self.port}/"

    async def make(self) -> None:
        """Makes the topics of the app."""
        await topics.create(topics.new_topics(self.app, PARTITIONS), self.bootstrap)

    async def happens(self, *people: str) -> None:
        """Each of them looks at a product, now."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        log = await KafkaLog.connect(Cluster(self.bootstrap), self.app, [f"{self.app}.events"])
        try:
            for who in people:
                value = json.dumps(event(who, "Product Viewed", "00:00:00", timestamp=stamp)).encode()
                place = partition_of(who.encode(), PARTITIONS)
                await log.append([NewRecord(place, who.encode(), value, time.time_ns() // 1_000_000)])
        finally:
            await log.close()

    def run(self) -> "subprocess.Popen[bytes]":
        """Processes what comes, until it is ended."""
        return self._process("run", "--input", f"{self.app}.events", "--web-port", self._web_port)

    def dashboard(self) -> "subprocess.Popen[bytes]":
        """Serves the page, until it is ended."""
        return self._process("dashboard", "--port", self.port)

    def _process(self, command: str, *options: object) -> "subprocess.Popen[bytes]":
        where = ("--kafka", self.bootstrap, "--app", self.app)
        return process(command, *where, *options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@asynccontextmanager
async def _broker() -> AsyncGenerator[Brokers]:
    """A broker of our own. Raises Missing."""
    try:
        brokers = await asyncio.to_thread(cluster, 1)
    except subprocess.SubprocessError as error:
        raise Missing(f"the broker did not start: {error}") from error
    try:
        yield brokers
    finally:
        await asyncio.to_thread(brokers.end)


async def check_unreachable(browser: Chromium) -> None:
    """A page whose broker is killed says that the log does not answer, and keeps its figures; when the broker
    is there again it goes on, without being loaded again.
    """
    try:
        async with _broker() as brokers:
            await _check_unreachable(browser, KafkaSite(brokers), brokers)
    except Missing as why:
        print(f"NOT TESTED: a log that does not answer: {why}", flush=True)


async def _check_unreachable(browser: Chromium, site: KafkaSite, brokers: Brokers) -> None:
    (node,) = brokers.nodes
    await site.make()
    await site.happens("ann", "bob")
    async with ending(site.run(), site.dashboard()), opened(browser, site.address) as tab:
        await tab.until(f"{LIVE} && {DRAWN} && {OPEN.format(2)}")
        before = await tab.run("document.getElementById('figures').textContent")
        await asyncio.to_thread(node.kill)
        await check_says(tab, "unreachable", "The log does not answer", "tries again by itself")
        assert before == await tab.run("document.getElementById('figures').textContent")
        assert "stopped" not in await tab.run("window.said"), "nobody knows whether a processor works"
        node.start()
        await asyncio.to_thread(node.answering)
        await site.happens("cid")
        await tab.until(f"{LIVE} && !document.querySelector('.notice') && {OPEN.format(3)}", COMING_BACK_S)
        assert [] == tab.faults, tab.faults
