"""A worker's log through a broker's restart, a kill and a rebalance: every line is one of ours."""

import json
import signal
from pathlib import Path
from typing import Any

from streams.telemetry.client_lines import CLIENT_LIFE
from streams.telemetry.logs import LIFE
from tests.kafka import topics
from tests.kafka.broker import cluster, our_own
from tests.kafka.test_host import AGENTS, AGENTS_OPTION, PARTITIONS, Process, get, worker

HOST = {"serving", "ended", "defect", "agent failed", "unreadable", "announce"}  # of the process around it


def events(process: Process, name: str) -> list[dict[str, Any]]:
    return [line for line in process.lines() if line["event"] == name]


def test_no_line_of_the_client_comes_out_as_it_is(tmp_path: Path) -> None:
    """The broker is killed and comes back, one of two workers is killed: what the client says about all that
    is that the broker cannot be reached.
    """
    our_own()
    brokers = cluster(1)
    (node,) = brokers.nodes
    app = topics.new_name()
    topics.elsewhere(topics.create(topics.new_topics(app, PARTITIONS), node.address))
    (tmp_path / "steps.py").write_text(AGENTS)
    env = {"STREAMS_KAFKA__START_TIMEOUT": "60s"}
    arguments = [*AGENTS_OPTION, "--kafka", node.address]
    try:
        with worker(app, tmp_path, arguments, env) as first, worker(app, tmp_path, arguments, env) as second:
            for one in (first, second):
                one.until(lambda one=one: get(f"{one.web()}/readyz")[0] == 200)
            node.kill()
            first.until(lambda: events(first, "unreachable"))
            first.until(lambda: events(first, "died"))
            node.start()
            node.answering()
            for one in (first, second):
                one.until(lambda one=one: get(f"{one.web()}/readyz")[0] == 200)
            second.popen.kill()
            first.until(lambda: events(first, "assigned")[-1]["members"] == 1)
            first.until(lambda: get(f"{first.web()}/readyz")[0] == 200)
            assert first.ended(signal.SIGTERM) == 0
            for one in (first, second):
                text = one.output.read_text().splitlines()
                said = [json.loads(line) for line in text]
                assert {line["event"] for line in said} <= LIFE.keys() | CLIENT_LIFE.keys() | HOST
                assert [] == [line for line in said if "aiokafka" in line.get("logger", "")]
    finally:
        brokers.end()
