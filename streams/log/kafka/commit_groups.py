"""What a commit writes, by topic partition. The checkpoint is the very last record: whoever finds it finds
all that it speaks of.
"""

from itertools import chain

from aiokafka import TopicPartition

from streams.log.grouping import by_partition, by_topic
from streams.log.kafka.app_topics import AppTopics
from streams.log.kafka.writer import Group
from streams.records import Batch, StateRecord
from streams.topology import STATE

CHECKPOINT = b"\0checkpoint"  # its key in the state topic; state keys begin with a letter


def groups_of(batch: Batch, topics: AppTopics, partition: int) -> list[Group]:
    """What the batch of a partition comes to."""
    assert all(record.key != CHECKPOINT for record in batch.state), "the checkpoint's key is not a state key"
    groups: list[Group] = [
        (
            TopicPartition(topics.topic(topic), partition if other is None else other),
            ((output.key, output.value, output.headers, None) for output in part),
        )
        for topic, outputs in by_topic(batch.outputs).items()
        for other, part in by_partition(outputs).items()
    ]
    checkpoint = StateRecord(CHECKPOINT, batch.checkpoint)
    state = ((record.key, record.value, (), None) for record in chain(batch.state, (checkpoint,)))
    groups.append((TopicPartition(topics.topic(STATE.name), partition), state))
    return groups
