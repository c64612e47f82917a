"""How inputs are read comes from the settings, and may change while an app runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.core.ingest.event import Event
from streams.core.ingest.reading import RecordReader
from streams.errors import ConfigError
from streams.log.sqlite.log import SqliteLog
from streams.queries.funnel import count_events
from streams.queries.verify import verify
from streams.runtime.embedded import Embedded
from streams.runtime.parameters import door_of_settings, file_door
from streams.settings.tables import Settings
from tests.core.processing.feeding import rules
from tests.reading import NEVER_MS

MAP = {"userId": "card", "timestamp": "at", "event": "what"}
TILLS = {"map": MAP, "zone": "Europe/Rome"}
RECEIPT = json.dumps({"card": "4711", "at": "2024-05-20 10:00:00", "what": "Bought"}).encode()
CALL = json.dumps(
    {
        "type": "track",
        "userId": "4711",
        "event": "Looked",
        "timestamp": "2024-05-20 09:00:00",
        "messageId": "m",
    }
).encode()


def settings(**given: Any) -> Settings:
    """Settings as a file gives them."""
    return Settings.model_validate(given)


def read(given: Settings, topic: str, value: bytes) -> Event | str:
    """The event of a record of this topic, or the reason why it is refused."""
    found = RecordReader(door_of_settings(given), topic).read(value, (), -1, NEVER_MS)
    return found if isinstance(found, Event) else str(getattr(found, "reason", "several"))


def test_two_topics_are_read_differently() -> None:
    """Each by its own table; what a table does not say is that of all inputs."""
    given = settings(zone="Asia/Tokyo", inputs={"tills": TILLS, "web": {"format": "segment"}})
    receipt, call = read(given, "tills", RECEIPT), read(given, "web", CALL)
    assert isinstance(receipt, Event)
    assert isinstance(call, Event)
    assert (8, 36) == (receipt.utc_offset_quarters, call.utc_offset_quarters)
    assert ["unknown_type", "unknown_format"] == [read(given, "web", RECEIPT), read(given, "other", RECEIPT)]
    assert isinstance(read(given, "other", CALL), Event)


def test_words_that_stand_for_no_id() -> None:
    """The settings add to the shipped list and take from it."""
    given = settings(placeholders=["4711"], not_placeholders=["guest"])
    assert "missing_person" == read(given, "web", CALL)
    found = read(given, "web", CALL.replace(b"4711", b"guest"))
    assert isinstance(found, Event)
    assert "u:guest" == found.profile


def test_files_are_read_as_the_topic_of_a_data_directory() -> None:
    """A table of any other topic is refused, unless that is one of Kafka."""
    assert MAP == file_door(settings(inputs={"events": TILLS})).mapping
    assert "segment" == file_door(settings(format="segment")).format
    kafka = {"inputs": ["tills"]}
    assert "auto" == file_door(settings(inputs={"tills": TILLS}, kafka=kafka)).format
    with pytest.raises(ConfigError, match=r"inputs\.tills: no such topic is read; .* has the topic events"):
        file_door(settings(inputs={"tills": TILLS}))


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_running_app_changes_how_it_reads(tmp_path: Path, partitions: int) -> None:
    """What was read stays read; `verify` reads each record as it was read then."""
    starts: list[tuple[dict[str, Any], bytes]] = [
        ({}, CALL),
        ({"inputs": {"events": TILLS}}, RECEIPT),
        ({"format": "segment"}, RECEIPT),
        ({"zone": "Asia/Tokyo", "placeholders": ["4711"]}, CALL.replace(b'"m"', b'"m2"')),
        ({}, CALL.replace(b'"m"', b'"m3"')),
    ]
    for given, value in starts:
        embedded = await Embedded.open(
            settings(data_dir=tmp_path / "data", partitions=partitions, **given), rules()
        )
        await embedded.append([(value, ())])
        await embedded.finish()
        await embedded.close()
    log = SqliteLog.read_only(tmp_path / "data")
    verified = await verify(log, lambda done, total: None)
    letters = [str(dict(record.headers)["reason"], "ascii") async for _, record in log.scan("rejected")]
    counts = await count_events(log)
    await log.close()
    assert (None, 5) == (verified.difference, verified.records)
    assert ["missing_person", "unknown_type"] == sorted(letters)
    assert 3 == counts.applied
