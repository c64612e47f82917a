"""A record whose schema nobody knew is redriven once the registry has it."""

from datetime import UTC, datetime

import pytest

from streams.clock import Clock
from streams.core.moments.rules import default_rules
from streams.log.kafka.registry import decoding
from streams.log.kafka.registry.access import record_decoder
from streams.log.memory import MemoryLog
from streams.queries.redriving import Redrive, Wanted
from streams.records import NewRecord, Record
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.registry import RegistrySettings
from streams.settings.tables import Settings
from tests.log.kafka.registry.messages import avro, clicks, frame
from tests.log.kafka.registry.schema_server import schema_server

AT = datetime(2024, 5, 20, 10, 13, 20, tzinfo=UTC)
CLICK = {"type": "track", "timestamp": AT, "userId": "4711", "event": "Product Viewed", "properties": {}}
NOW_MS = int(AT.timestamp() * 1000)


async def test_a_schema_that_is_registered_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the decoder said of the record when it came is not held against it."""
    monkeypatch.setattr(decoding, "ASKED_AGAIN_S", 0.0)
    value, log = frame(7, avro(clicks(), CLICK)), MemoryLog()
    async with schema_server() as server:
        settings = RegistrySettings(url=server.url)
        decoder = record_decoder(settings)
        assert decoder is not None
        (unknown,) = await decoder.decoded([Record(0, NOW_MS, None, value, ())])
        await decoder.close()
        await log.append([NewRecord(0, None, value, NOW_MS, unknown.headers)])
        agent = await PartitionAgent.open(log, 0, Settings(), default_rules())
        await agent.catch_up()
        assert 1 == agent.processor.checkpoint.counts.rejected
        for ending in ("rejected", "applied"):
            decoder = record_decoder(settings)
            assert decoder is not None
            redrive = Redrive(log, f"until {ending}", Clock(), decoder.decoded)
            await redrive.send(Wanted("rejected"), lambda sent: None)
            await redrive.wait(agent.catch_up, 60, lambda ended: None)
            await decoder.close()
            assert {ending: 1} == dict(redrive.done.ended)
            server.avro(7, clicks())
