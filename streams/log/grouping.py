"""What may go into a batch, checked before anything is written: one place, so that all adapters refuse the same things.

A wrong topic or a missing key is a defect of the writer, hence an assertion.
"""

from collections.abc import Sequence

from streams.records import Output
from streams.topology import OUTPUTS, TOPICS, Cleanup

COMPACTED = frozenset(topic.name for topic in TOPICS if topic.cleanup is Cleanup.COMPACT)
NAMES = frozenset(topic.name for topic in TOPICS)
_WRITABLE = frozenset(topic.name for topic in OUTPUTS)


def by_topic(outputs: Sequence[Output]) -> dict[str, list[Output]]:
    """The outputs of a batch per topic, each in the order given."""
    groups: dict[str, list[Output]] = {}
    for output in outputs:
        group = groups.get(output.topic)
        if group is None:
            group = groups[output.topic] = []
        group.append(output)
    for topic, group in groups.items():
        assert topic in _WRITABLE, f"not an output topic: {topic}"
        if topic in COMPACTED:
            assert all(output.key is not None for output in group), f"{topic} is compacted: every record needs a key"
    return groups
