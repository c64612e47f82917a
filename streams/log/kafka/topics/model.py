"""What a plan for an app's topics is made from, and what it holds."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from streams.errors import ConfigError, Incompatible, StreamsError


class TopicVerdict(StrEnum):
    """What is to be done about one topic."""

    FINE = "fine"
    CREATE = "create"  # does not exist and will be made
    UNWISE = "unwise"  # the app can run, but a person should change the topic
    WRONG = "wrong"  # the app must not run until a person has changed the topic


class ExistingTopic(NamedTuple):
    """A topic as it is."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | None  # None: we have no right to see it


class ClusterTopics(NamedTuple):
    """What exists on a cluster, as far as we may see it."""

    brokers: int
    topics: Mapping[str, ExistingTopic]  # of those that were asked for
    hidden: frozenset[str]  # asked for and not seen: they do not exist, or we have no right to them
    # The longest transaction that every broker allows. None: we have no right to see it.
    transaction_max_ms: int | None


class WantedTopics(NamedTuple):
    """What a person asked for."""

    app: str
    inputs: Sequence[str]
    # Of the app's topics, and of inputs that are made. None: as many as the app has, or else as the first
    # input.
    partitions: int | None = None
    replicas: int | None = None  # None: three, or as many as there are brokers
    create_inputs: bool = False


class TopicLine(msgspec.Struct, frozen=True, kw_only=True):
    """One topic of a plan."""

    topic: str
    input: bool
    verdict: TopicVerdict
    partitions: int = 0  # that exist or will be made; 0: there are none and none will be
    replicas: int = 0
    config: Mapping[str, str] = {}  # what is set on purpose, or will be
    details: tuple[str, ...] = ()
    error: type[StreamsError] = Incompatible  # what to raise if the topic is wrong


class TopicPlan(msgspec.Struct, frozen=True):
    """All topics of an app."""

    app: str
    partitions: int  # of each of the app's own topics; 0: unknown, because no input exists
    lines: tuple[TopicLine, ...]
    notes: tuple[str, ...]  # about the cluster
    errors: tuple[str, ...]  # about the cluster: nothing may run

    @property
    def to_create(self) -> list[TopicLine]:
        """What `apply` makes."""
        return [line for line in self.lines if line.verdict is TopicVerdict.CREATE]

    @property
    def wrong(self) -> StreamsError | None:
        """What a person must put right first, one line each."""
        details = self._details(TopicVerdict.WRONG)
        if not (details or self.errors):
            return None
        kinds = {line.error for line in self.lines if line.verdict is TopicVerdict.WRONG}
        kind = Incompatible if kinds == {Incompatible} and not self.errors else ConfigError
        return kind("\n".join([*self.errors, *details]))

    @property
    def warnings(self) -> list[str]:
        """What is unwise, one line each."""
        return [*self._details(TopicVerdict.UNWISE), *self.notes]

    def _details(self, verdict: TopicVerdict) -> list[str]:
        return [
            f"{line.topic}: {detail}"
            for line in self.lines
            if line.verdict is verdict
            for detail in line.details
        ]
