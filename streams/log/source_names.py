"""Names of sources: `topic:partition`, for ever. A checkpoint knows by them how far each was read."""

from streams.topology import EVENTS, INBOX


def source_of(topic: str, partition: int) -> str:
    return f"{topic}:{partition}"


def split(source: str) -> tuple[str, int]:
    """Topic and partition."""
    topic, _, partition = source.rpartition(":")
    return topic, int(partition)


def embedded_sources(partition: int) -> tuple[str, ...]:
    """What a partition of an embedded log reads: its input, and what others hand over to it."""
    return source_of(EVENTS.name, partition), source_of(INBOX.name, partition)
