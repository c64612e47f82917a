"""What the commands share that talk to a Kafka cluster themselves."""

import logging
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from streams.log.kafka.client import Cluster

MAX_WAIT_MS = 10_000  # of a question: a person waits for the answer; a worker has more patience


def silence_client() -> None:
    """Stops the log of aiokafka: our own errors report what it reports about brokers."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


async def wait_for_cluster(cluster: "Cluster", timeout_ms: int) -> None:
    """Waits until a broker answers, and prints what it waits for.

    Raises Unavailable after the timeout, and Refused.
    """
    from streams.log.kafka.lifecycle import reach

    silence_client()
    await reach(cluster, timeout_ms, lambda line: typer.echo(line, err=True))
