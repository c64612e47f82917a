"""Checks what may go into a batch before anything is written. All adapters refuse the same.

A wrong topic or a missing key is a defect of the writer, hence an assertion.
"""

from collections.abc import Sequence

from streams.records import Output
from streams.topology import INBOX, OUTPUTS, TOPICS, Cleanup

COMPACTED = frozenset(topic.name for topic in TOPICS if topic.cleanup is Cleanup.COMPACT)
NAMES = frozenset(topic.name for topic in TOPICS)
_WRITABLE = frozenset(topic.name for topic in (*OUTPUTS, INBOX))


def by_topic(outputs: Sequence[Output]) -> dict[str, list[Output]]:
    """The outputs of a batch by topic, those of each in the order given."""
    groups: dict[str, list[Output]] = {}
    for output in outputs:
        group = groups.get(output.topic)
        if group is None:
            group = groups[output.topic] = []
        group.append(output)
    for topic, group in groups.items():
        assert topic in _WRITABLE, f"not an output topic: {topic}"
        if topic in COMPACTED:
            assert all(output.key is not None for output in group), (
                f"{topic} is compacted: every record needs a key"
            )
        if topic != INBOX.name:
            assert all(output.partition is None for output in group), (
                f"{topic}: outputs of a partition go to the partition of its number"
            )
    return groups


def inbox_partitions(messages: Sequence[Output], partitions: int) -> list[int]:
    """The partitions that messages are for, one after the other. `partitions`: how many the app has."""
    numbers = []
    for message in messages:
        assert message.topic == INBOX.name, f"not a message to an inbox: {message.topic}"
        assert message.partition is not None, "a message names the partition that it is for"
        assert 0 <= message.partition < partitions, message.partition
        numbers.append(message.partition)
    return numbers


def by_partition(outputs: Sequence[Output]) -> dict[int | None, list[Output]]:
    """The outputs for one topic by the partition they name (None: the writer's own), those of each in the
    order given.
    """
    if outputs and outputs[0].topic != INBOX.name:
        return {None: list(outputs)}
    groups: dict[int | None, list[Output]] = {}
    for output in outputs:
        groups.setdefault(output.partition, []).append(output)
    return groups
