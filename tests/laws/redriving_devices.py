"""Redrives the dead letters of a cluster with identity on, as a command does."""

from typing import Any

from streams.core.processing.dead_letters import is_canonical
from streams.core.processing.inbox import Redriven, encode_message
from streams.queries.origins import origin_of
from streams.records import Output, Record
from tests.core.processing.feeding import DAY, START
from tests.laws.test_identity_partitions import Cluster


def letters(cluster: Cluster, topic: str = "late") -> list[tuple[int, Record]]:
    """The dead letters, each with the partition that wrote it."""
    return [
        (part.number, Record(n, -1, o.key, o.value, o.headers))
        for part in cluster.parts
        for n, o in enumerate(output for output in part.outputs if output.topic == topic)
    ]


def send_redriven(cluster: Cluster, found: tuple[int, Record], command: str, topic: Any = "late") -> None:
    """Sends a dead letter to the partition that wrote it."""
    partition, letter = found
    origin = origin_of(letter, partition)
    message = Redriven(
        command=command,
        letter=topic,
        letter_offset=letter.offset,
        first_letter=0,
        source=origin.source,
        offset=origin.offset,
        index=origin.index,
        time_ms=-1,
        sent_ms=START + 400 * DAY,
        headers=(),
        value=letter.value or b"",
        is_canonical=is_canonical(letter),
    )
    cluster.parts[partition].hear(Output("inbox", None, encode_message(message), (), partition))
