"""The topics of an app on a cluster: how they must be, how they are, and what is to be done. Nothing is asked
here: it is worked out.

What must be so for the numbers to be right is *wrong* when it is not, and nothing runs: one number of
partitions for all of them, and the cleanup policy. A compacted journal of transitions has holes; a state
topic that is deleted by age forgets people. What is only unwise is said, and no more. Settings are made once,
with the topic: whoever changed one later meant it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from streams.errors import ConfigError, Incompatible, StreamsError
from streams.log.kafka.client import BATCH_BYTES, TRANSACTION_TIMEOUT_MS
from streams.settings.durations import DAYS, HOURS, duration_text
from streams.topology import (
    CURRENT,
    EVENTS,
    INBOX,
    JOURNEYS,
    LATE,
    REJECTED,
    STATE,
    TALLIES,
    TOPICS,
    TRANSITIONS,
    Cleanup,
)

REPLICAS, MIN_IN_SYNC = 3, 2  # one broker may fail with nothing lost and nothing stopped
SHORT_MS = 3 * DAYS  # an input that is kept no longer is gone after a weekend
FOREVER = -1

# A record that is handed over is as large as the input's may be, with its headers; a batch of smaller ones is
# as large as we make them.
RECORD_BYTES = 2 * BATCH_BYTES
# A person with many needs and orders is one record, and so is a checkpoint with its rules. More is seldom
# allowed on clusters that are rented.
STATE_BYTES = 8 << 20

COMPACTED = {
    "segment.ms": str(
        6 * HOURS
    ),  # what is being written is not compacted: without this a week of changes would have to be read by a restore
    "segment.bytes": str(128 << 20),
    "min.cleanable.dirty.ratio": "0.3",  # half of it, as by default, makes a restore half as long again
    "max.compaction.lag.ms": str(7 * DAYS),  # by then whoever was forgotten is gone from the disks too
    "delete.retention.ms": str(2 * DAYS),  # a reader who is away no longer than that is told of what has gone
}
OWN: Mapping[str, Mapping[str, str]] = {
    TRANSITIONS.name: {"retention.ms": str(30 * DAYS)},  # who follows corrections may be away for a month
    TALLIES.name: COMPACTED,
    CURRENT.name: COMPACTED,
    JOURNEYS.name: {
        "retention.ms": str(FOREVER)
    },  # the history that people want to keep; a few hundred bytes per journey
    LATE.name: {"retention.ms": str(30 * DAYS)},  # time to look at what was not counted
    REJECTED.name: {"retention.ms": str(30 * DAYS)},
    INBOX.name: {
        "retention.ms": str(14 * DAYS)
    },  # an event on its way: no partition may stand still for as long; twice what inputs usually have
    STATE.name: COMPACTED | {"max.message.bytes": str(STATE_BYTES)},
}


HIDDEN = "is not there, or we have no right to see it: Describe"


class Verdict(StrEnum):
    """Of one topic."""

    FINE = "fine"
    CREATE = "create"  # is not there and will be made
    UNWISE = "unwise"  # works
    WRONG = "wrong"  # nothing may run


class Found(NamedTuple):
    """A topic as it is."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | None  # None: we may not look


class Seen(NamedTuple):
    """What there is on a cluster, as far as we may see it."""

    brokers: int
    topics: Mapping[str, Found]  # of those that were asked for
    hidden: frozenset[str]  # not to be seen: they are not there, or we have no right to them
    transaction_max_ms: int | None  # the longest transaction that every broker admits; None: we may not look


class Line(msgspec.Struct, frozen=True):
    """One topic of a plan."""

    topic: str
    input: bool
    verdict: Verdict
    partitions: int  # of what there is, or will be made; 0: there is none and none will be
    replicas: int
    config: Mapping[str, str]  # what is, or will be, set on purpose
    says: tuple[str, ...]
    kind: type[StreamsError] = Incompatible  # of what is wrong


class Plan(msgspec.Struct, frozen=True):
    """All topics of an app."""

    app: str
    partitions: int  # of each of the app's own topics; 0: unknown, because no input is there
    lines: tuple[Line, ...]
    notes: tuple[str, ...]  # about the cluster
    errors: tuple[str, ...]  # about the cluster: nothing may run

    @property
    def to_create(self) -> list[Line]:
        """What `apply` makes."""
        return [line for line in self.lines if line.verdict is Verdict.CREATE]

    @property
    def wrong(self) -> StreamsError | None:
        """What must be put right by somebody first, one line each."""
        lines = [
            f"{line.topic}: {said}"
            for line in self.lines
            if line.verdict is Verdict.WRONG
            for said in line.says
        ]
        kinds = {line.kind for line in self.lines if line.verdict is Verdict.WRONG}
        if not (lines or self.errors):
            return None
        return (Incompatible if kinds == {Incompatible} and not self.errors else ConfigError)(
            "\n".join([*self.errors, *lines])
        )

    @property
    def warnings(self) -> list[str]:
        """What is unwise, one line each."""
        return [
            *(
                f"{line.topic}: {said}"
                for line in self.lines
                if line.verdict is Verdict.UNWISE
                for said in line.says
            ),
            *self.notes,
        ]


class Wanted(NamedTuple):
    """What a person asked for."""

    app: str
    inputs: Sequence[str]
    partitions: int | None = (
        None  # of the app's topics (and of inputs that are made); None: those that it has, or else the first input's
    )
    replicas: int | None = None  # None: three, or as many as there are brokers
    create_inputs: bool = False


def own(app: str) -> list[str]:
    """The names of the app's own topics."""
    return [f"{app}.{topic.name}" for topic in TOPICS if topic is not EVENTS]


def plan(seen: Seen, wanted: Wanted) -> Plan:
    """What is to be done. Pure. Raises ConfigError for what cannot be done on this cluster at all."""
    app, inputs = wanted.app, wanted.inputs
    replicas = wanted.replicas or min(REPLICAS, seen.brokers)
    if replicas > seen.brokers:
        raise ConfigError(
            f"--replication {replicas}: there are {seen.brokers} brokers: at most one copy on each"
        )
    if wanted.create_inputs and wanted.partitions is None and any(name not in seen.topics for name in inputs):
        raise ConfigError("--create-inputs: say how many partitions an input is to have: --partitions N")
    partitions = wanted.partitions or _partitions(seen, app, inputs)
    safety = {"min.insync.replicas": str(min(MIN_IN_SYNC, max(1, replicas - 1)))}
    lines = []
    for name in inputs:
        if (found := seen.topics.get(name)) is not None:
            lines.append(_input(name, found, partitions))
        elif wanted.create_inputs:
            lines.append(
                Line(
                    name,
                    True,
                    Verdict.CREATE,
                    partitions,
                    replicas,
                    {"cleanup.policy": "delete", **safety},
                    (),
                )
            )
        else:
            absent = HIDDEN if name in seen.hidden else "is not there: make it, or see --create-inputs"
            lines.append(Line(name, True, Verdict.WRONG, 0, 0, {}, (absent,), ConfigError))
    for topic in TOPICS:
        if topic is EVENTS:
            continue
        name = f"{app}.{topic.name}"
        config = {
            "cleanup.policy": topic.cleanup.value,
            "max.message.bytes": str(RECORD_BYTES),
            **OWN[topic.name],
            **safety,
        }
        if (found := seen.topics.get(name)) is not None:
            lines.append(_own(name, found, partitions, replicas, config, seen.brokers))
        else:
            lines.append(
                Line(
                    name,
                    False,
                    Verdict.CREATE,
                    partitions,
                    replicas,
                    config,
                    (HIDDEN,) if name in seen.hidden else (),
                )
            )
    return Plan(app, partitions, tuple(lines), *_cluster(seen, replicas, wanted.replicas is None))


def _partitions(seen: Seen, app: str, inputs: Sequence[str]) -> int:
    """Those that the app has, and has its state in; else the first input's."""
    for name in (f"{app}.{STATE.name}", *own(app), *inputs[:1]):
        if (found := seen.topics.get(name)) is not None:
            return found.partitions
    return 0


def _input(name: str, found: Found, partitions: int) -> Line:
    config, says = found.config or {}, []
    if found.partitions != partitions and partitions:
        says.append(
            f"has {found.partitions} partitions, the app {partitions}: its events take a way round through "
            f"{INBOX.name}, which costs about as much"
            " as reading them twice"
        )
    if "compact" in config.get("cleanup.policy", ""):
        says.append("is compacted: of each key only the last event is sure to be read")
    if 0 <= (retention := int(config.get("retention.ms", FOREVER))) < SHORT_MS:
        says.append(
            f"is kept for {_text(retention)}: events are lost when nothing runs for longer than that: "
            f"retention.ms, at least {_text(SHORT_MS)}"
        )
    return Line(
        name,
        True,
        Verdict.UNWISE if says else Verdict.FINE,
        found.partitions,
        found.replicas,
        _told(config),
        tuple(says),
    )


def _own(
    name: str, found: Found, partitions: int, replicas: int, wanted: Mapping[str, str], brokers: int
) -> Line:
    said = []
    anew = "start a new app id (--app), make its topics, and replay"
    if found.partitions != partitions:
        said.append(
            f"has {found.partitions} partitions, and must have {partitions}, as all topics of an app have: "
            f"{anew}"
        )
    config = found.config
    policy = None if config is None else config.get("cleanup.policy")
    if policy is not None and policy != wanted["cleanup.policy"]:
        lost = "records" if wanted["cleanup.policy"] == Cleanup.DELETE.value else "what is known of people"
        said.append(
            f"has cleanup.policy={policy}, and must have {wanted['cleanup.policy']}; {lost} may be lost by "
            f"now: {anew}"
        )
    if said:
        return Line(
            name, False, Verdict.WRONG, found.partitions, found.replicas, _told(config or {}), tuple(said)
        )
    if found.replicas < min(REPLICAS, brokers, replicas):
        said.append(
            f"has {found.replicas} replicas where there could be {min(brokers, replicas)}: what is on a "
            "broker that is lost is lost"
        )
    if config is None:
        said.append("its settings could not be looked at: that needs the right DescribeConfigs")
    else:
        said += _unwise(config, wanted)
    return Line(
        name,
        False,
        Verdict.UNWISE if said else Verdict.FINE,
        found.partitions,
        found.replicas,
        _told(config or {}),
        tuple(said),
    )


def _unwise(config: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What a topic that is there should have and has not."""
    said = []
    takes, needs = (
        int(config.get("max.message.bytes", wanted["max.message.bytes"])),
        int(wanted["max.message.bytes"]),
    )
    if takes < needs:
        said.append(
            f"takes records of {takes:,} bytes; one that is larger stops its partition: set "
            f"max.message.bytes={needs}"
        )
    kept, keep = int(config.get("retention.ms", FOREVER)), int(wanted.get("retention.ms", FOREVER))
    deleted = wanted["cleanup.policy"] == Cleanup.DELETE.value
    if deleted and kept >= 0 and (kept < keep or keep == FOREVER):
        said.append(
            f"is kept for {_text(kept)} and not for {_text(keep)}: set retention.ms={keep} if that is not on "
            "purpose"
        )
    if config.get("unclean.leader.election.enable") == "true":
        said.append("may lose what was committed when brokers fail: set unclean.leader.election.enable=false")
    return said


def _cluster(seen: Seen, replicas: int, chosen: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    notes, errors = [], []
    if replicas < REPLICAS and chosen:
        there = f"there {'is one broker' if seen.brokers == 1 else f'are {seen.brokers} brokers'}"
        notes.append(
            f"{there}: {replicas} {'copy' if replicas == 1 else 'copies'} of everything instead of "
            f"{REPLICAS}: not for production"
        )
    if seen.transaction_max_ms is None:
        notes.append(
            "the brokers' transaction.max.timeout.ms could not be looked at: that needs the right "
            "DescribeConfigs on the cluster"
        )
    elif seen.transaction_max_ms < TRANSACTION_TIMEOUT_MS:
        errors.append(
            f"the brokers admit transactions of {seen.transaction_max_ms} ms, and ours may take "
            f"{TRANSACTION_TIMEOUT_MS}: raise their"
            " transaction.max.timeout.ms"
        )
    return tuple(notes), tuple(errors)


SHOWN = (
    "cleanup.policy", "retention.ms", "min.insync.replicas", "max.message.bytes", "segment.ms", "segment.bytes", "min.cleanable.dirty.ratio",
    "max.compaction.lag.ms", "delete.retention.ms",
)  # fmt: skip


def _told(config: Mapping[str, str]) -> dict[str, str]:
    return {name: config[name] for name in SHOWN if name in config}


def _text(ms: int) -> str:
    return "ever" if ms < 0 else duration_text(ms)
