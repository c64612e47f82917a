"""Which inputs a worker reads together."""

import asyncio

import pytest

from streams.errors import ConfigError
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.runtime.worker import Worker
from streams.settings.tables import Settings
from streams.telemetry import logs
from streams.telemetry.metrics import Meters
from tests.core.processing.feeding import rules

REFUSED, TAKEN = True, False


@pytest.mark.parametrize(
    ("home", "inputs", "partitions", "refused"),
    [
        ("input", {"a": 4, "b": 3}, 4, REFUSED),
        ("input", {"a": 8, "b": 3}, 4, REFUSED),
        ("input", {"a": 4, "b": 4}, 4, TAKEN),
        ("input", {"a": 6}, 4, REFUSED),  # it had 4 when the app was started: people have moved since
        ("input", {"a": 4, "b": 3}, 1, TAKEN),
        ("murmur2", {"a": 4, "b": 3}, 4, TAKEN),
    ],
)
def test_a_person_lives_in_one_place(
    home: str, inputs: dict[str, int], partitions: int, refused: bool
) -> None:
    """Inputs of another size, or of another than before, put a person elsewhere: nobody would bring together what is known of one."""

    async def employ() -> None:
        Worker.on_kafka(
            KafkaLog(Cluster("127.0.0.1:1"), "app", inputs, partitions),
            Settings(home=home),
            rules(),
            meters=Meters(),
            logger=logs.get(),
        )

    if refused:
        with pytest.raises(
            ConfigError, match=r"home = input: .* needs the app's 4 partitions, and .* has \d\."
        ):
            asyncio.run(employ())
    else:
        asyncio.run(employ())
