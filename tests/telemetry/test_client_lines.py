"""Lines of the Kafka client come out in our words, or not at all where ours say it already."""

import ast
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka

from streams.telemetry.client_lines import KNOWN
from tests.telemetry.test_logs import configured, lines, restored_log

__all__ = ["restored_log"]

CLIENT = Path(aiokafka.__file__).parent
# What our clients and the host's run through. Nobody uses the others here: assignors, and an iterator.
USED = (
    "client.py",
    "cluster.py",
    "conn.py",
    "consumer/fetcher.py",
    "consumer/group_coordinator.py",
    "coordinator/assignors/roundrobin.py",
    "producer/sender.py",
)
# What cannot come in a worker's life, or must be seen by a person when it does.
LEFT = {
    "Kafka 0.8.2 quirk -- FindCoordinatorResponse correlation id does not match request. This should go away "
    "once at least one topic has been initialized on the broker",
    "socket.inet_pton not available on this platform. consider `pip install win_inet_pton`",
    "Unexpected exception in AIOKafkaConnection",
    "Unrecognized ``auto_offset_reset`` config, using NONE",
    "client_rack is set to %r but broker only supports FetchRequest v%d (v11+ required for KIP-392 "
    "rack-aware fetching). The consumer will fall back to fetching from the partition leader.",
    "User provided subscription listener %s for group %s failed on_partitions_revoked",
    "User provided listener %s for group %s failed on partition assignment: %s",
    "Unexpected error in coordinator routine",
    "Auto offset commit failed: %s",
    "OffsetCommit failed for unauthorized topics %s",
    "OffsetFetchRequest -- unknown topic %s",
    "Unknown error fetching offsets for %s: %s",
}


def written(file: Path) -> Iterator[str]:
    """The texts of all warnings and errors that a file of the client logs."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Name(id="log"), attr="warning" | "error" | "exception" | "critical"
                ),
                args=[ast.Constant(value=str(text)), *_],
            ):
                yield text


def test_every_line_of_the_client_is_known_or_left_to_a_person() -> None:
    """And the client has each of them still: another release may have others."""
    found = {text for name in USED for text in written(CLIENT / name)}
    assert found == KNOWN.keys() | LEFT
    assert not KNOWN.keys() & LEFT


def said(out: Any) -> list[dict[str, Any]]:
    """The lines without their times."""
    return [{key: value for key, value in line.items() if key != "at"} for line in lines(out)]


def test_a_broker_that_cannot_be_reached() -> None:
    """One line says which and why; what follows from it says nothing."""
    out = configured()
    log = logging.getLogger("aiokafka")
    log.error("Unable connect to node with id %s: %s", 3, "[Errno 111] refused")
    log.error("Unable to update metadata from %s", [3])
    logging.getLogger("aiokafka.consumer.fetcher").error("Failed fetch messages from %s: %s", 3, "closed")
    logging.getLogger("aiokafka.consumer.group_coordinator").error("Heartbeat failed: %r", "closed")
    assert [
        {"level": "warning", "event": "unreachable", "broker": "3", "reason": "[Errno 111] refused"}
    ] == said(out)


def test_a_line_that_is_not_known_is_no_event_of_its_own() -> None:
    """Its text is a field, and the level stays."""
    out = configured()
    logging.getLogger("aiokafka.conn").error("the %s is on fire", "broker")
    assert [
        {"level": "error", "event": "client", "detail": "the broker is on fire", "logger": "aiokafka.conn"}
    ] == said(out)


def test_whoever_asks_for_more_gets_all_as_it_is() -> None:
    """With lines of libraries from info on."""
    out = configured(libraries="info")
    logging.getLogger("aiokafka").error("Unable to update metadata from %s", [3])
    assert ["Unable to update metadata from [3]"] == [line["event"] for line in lines(out)]


def test_known_lines_are_for_people() -> None:
    """Each says why it is left out, or has the fields of an event."""
    for text, known in KNOWN.items():
        assert known.why, text
        assert (known.event is None) == (known.broker == "") == (known.reason == ""), text
