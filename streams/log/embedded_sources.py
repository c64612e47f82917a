"""Which sources a partition of an embedded log has. On a cluster it depends on the inputs:
`streams.log.kafka.app_topics`.
"""

from streams.topology import EVENTS, INBOX, source_name


def embedded_sources(partition: int) -> tuple[str, ...]:
    """What a partition of an embedded log reads: its input, and its inbox."""
    return source_name(EVENTS.name, partition), source_name(INBOX.name, partition)
