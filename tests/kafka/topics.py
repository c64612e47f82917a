"""Makes the topics of an app for a test: as the topology has them, and nothing is ever deleted by age."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.topology import EVENTS, OWN_TOPICS, Topic
from tests.kafka.broker import bootstrap

RECORD_BYTES = 16 << 20  # the largest record of a test fits


def config(topic: Topic) -> dict[str, str]:
    return {
        "cleanup.policy": topic.cleanup.value,
        "retention.ms": "-1",
        "max.message.bytes": str(RECORD_BYTES),
    }


def new_topics(app: str, partitions: int) -> list[NewTopic]:
    return [
        NewTopic(f"{app}.{topic.name}", 1 if topic.single else partitions, 1, topic_configs=config(topic))
        for topic in (EVENTS, *OWN_TOPICS)
    ]


async def create(topics: list[NewTopic], address: str | None = None) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address or bootstrap())
    await admin.start()
    try:
        answer = await admin.create_topics(topics, timeout_ms=30_000)
        failed = [error for error in answer.topic_errors if error[1]]
        assert not failed, failed
        while not {topic.name for topic in topics} <= set(await admin.list_topics()):
            await asyncio.sleep(0.05)  # a broker learns of it from the controller, a moment later
    finally:
        await admin.close()


def new_name() -> str:
    return f"t{uuid4().hex[:12]}"


def new_app(partitions: int) -> str:
    """An app of its own: its name. May be called where a loop is running already."""
    app = new_name()
    elsewhere(create(new_topics(app, partitions)))
    return app


def elsewhere(work: Coroutine[Any, Any, None]) -> None:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def log(app: str, partitions: int) -> KafkaLog:
    return KafkaLog(Cluster(bootstrap()), app, {f"{app}.events": partitions}, partitions)
