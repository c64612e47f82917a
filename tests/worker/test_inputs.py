"""Which inputs a worker reads together."""

import asyncio

import pytest

from streams import logs
from streams.errors import ConfigError
from streams.log.kafka import KafkaLog
from streams.log.kafka_client import Cluster
from streams.metrics import Meters
from streams.settings import Settings
from streams.worker.worker import Worker
from tests.pipeline.feeding import rules

REFUSED, TAKEN = True, False


@pytest.mark.parametrize(
    ("home", "inputs", "partitions", "refused"),
    [
        ("input", {"a": 4, "b": 3}, 4, REFUSED),
        ("input", {"a": 8, "b": 3}, 4, REFUSED),
        ("input", {"a": 4, "b": 4}, 4, TAKEN),
        ("input", {"a": 8}, 4, TAKEN),
        ("input", {"a": 4, "b": 3}, 1, TAKEN),
        ("murmur2", {"a": 4, "b": 3}, 4, TAKEN),
    ],
)
def test_a_person_lives_in_one_place(home: str, inputs: dict[str, int], partitions: int, refused: bool) -> None:
    """Inputs of different sizes put a person in different partitions: nobody would bring together what they say of one."""

    async def employ() -> None:
        Worker(KafkaLog(Cluster("127.0.0.1:1"), "app", inputs, partitions), Settings(home=home), rules(), Meters(), logs.get())

    if refused:
        with pytest.raises(ConfigError, match=r"home = input: .*\(a has \d, b has 3\)"):
            asyncio.run(employ())
    else:
        asyncio.run(employ())
