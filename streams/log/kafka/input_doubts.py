"""Finds out whether an input was made anew before its records are read.

While a topic is away, fetches of it fail, and aiokafka goes on in silence when it is back. So an input is
doubtful at first, and whenever a fetch of it has failed. Records of a doubtful input are passed on only after
a look at the topic's id that began after they were fetched.
"""

from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from streams.log.kafka import quirks
from streams.log.kafka.stopped_inputs import StoppedInputs, made_anew
from streams.log.kafka.topic_ids import topic_ids


class InputDoubts:
    """The inputs of one consumer that may have been made anew since they were looked at."""

    def __init__(self, consumer: AIOKafkaConsumer, inputs: Collection[str], stopped: StoppedInputs) -> None:
        self._consumer, self._inputs, self._stopped = consumer, frozenset(inputs), stopped
        self._doubtful = set(inputs)

    def begin(self) -> None:
        """Watches the consumer from now on, which was started."""
        quirks.watch_fetches(self._consumer, self._on_failed_fetch)

    def _on_failed_fetch(self, topic: str | None) -> None:
        self._doubtful |= self._inputs if topic is None else self._inputs & {topic}

    async def find_made_anew(self, found: Collection[TopicPartition]) -> bool:
        """True if an input of which records were found was made anew. It is stopped then, and the records are
        not to be passed on. Raises aiokafka's errors.
        """
        if not self._doubtful:
            return False
        known = self._stopped.known_ids
        doubtful = {tp.topic for tp in found if tp.topic in self._doubtful and tp.topic in known}
        if not doubtful:
            return False
        self._doubtful -= doubtful  # a fetch that fails from now on makes them doubtful again
        ids = await topic_ids(self._consumer, doubtful)
        for topic in doubtful:
            if topic not in ids:
                raise UnknownTopicOrPartitionError(topic)
            if ids[topic] != known[topic]:
                self._stopped.stop(topic, made_anew(known[topic], ids[topic]))
        return any(topic in self._stopped.reasons for topic in doubtful)
