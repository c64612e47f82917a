"""How the topics of an app are configured when they are made, with the reason for each setting."""

from collections.abc import Mapping

from streams.log.kafka.client import BATCH_BYTES
from streams.settings.durations import DAYS, HOURS
from streams.topology import (
    APP,
    CUES,
    CURRENT,
    CURRENT_DEVICES,
    FUNNEL,
    IDENTITIES,
    INBOX,
    JOURNEYS,
    LATE,
    PROGRESS,
    REDRIVEN,
    REJECTED,
    STATE,
    TALLIES,
    TRANSITIONS,
)

REPLICAS, MIN_IN_SYNC = 3, 2  # one broker may fail, with nothing lost and nothing stopped
SHORT_RETENTION_MS = 3 * DAYS  # an input that is kept no longer is gone after a weekend
FOREVER = -1

# A forwarded event is as large as the input's may be, with its headers; a batch of smaller ones is as large
# as our clients make them.
RECORD_BYTES = 2 * BATCH_BYTES
# A person with many needs and orders is one record, and so is a checkpoint with its rules. Rented clusters
# seldom allow more.
STATE_BYTES = 8 << 20

COMPACTED_CONFIG = {
    # The segment that is being written is not compacted: without this, a restore reads a week of changes.
    "segment.ms": str(6 * HOURS),
    "segment.bytes": str(128 << 20),
    "min.cleanable.dirty.ratio": "0.3",  # half, as by default, makes a restore half as long again
    "max.compaction.lag.ms": str(7 * DAYS),  # by then a person who was forgotten is gone from the disks too
    # A follower that is away no longer than this learns of everything that is gone without reading anew.
    "delete.retention.ms": str(2 * DAYS),
}
OWN_CONFIG: Mapping[str, Mapping[str, str]] = {
    TRANSITIONS.name: {"retention.ms": str(30 * DAYS)},  # followers of corrections may be away for a month
    CUES.name: {"retention.ms": str(30 * DAYS)},  # as the transitions, beside which they are read
    TALLIES.name: COMPACTED_CONFIG,
    CURRENT.name: COMPACTED_CONFIG,
    CURRENT_DEVICES.name: COMPACTED_CONFIG,
    IDENTITIES.name: COMPACTED_CONFIG,
    # The history that people want to keep; a journey is a few hundred bytes.
    JOURNEYS.name: {"retention.ms": str(FOREVER)},
    LATE.name: {"retention.ms": str(30 * DAYS)},  # time to look at what was not counted
    REJECTED.name: {"retention.ms": str(30 * DAYS)},
    # As long as the dead letters, and no shorter than the inbox: `verify` reads both.
    REDRIVEN.name: {"retention.ms": str(30 * DAYS)},
    PROGRESS.name: COMPACTED_CONFIG,
    # Events on their way: no partition may stand still for as long. Twice what inputs usually have.
    INBOX.name: {"retention.ms": str(14 * DAYS)},
    STATE.name: COMPACTED_CONFIG | {"max.message.bytes": str(STATE_BYTES)},
    APP.name: COMPACTED_CONFIG,
    FUNNEL.name: COMPACTED_CONFIG,
}
"""What is set for each of the app's own topics, beside its cleanup policy and its copies."""

SHOWN_SETTINGS = (
    "cleanup.policy",
    "retention.ms",
    "min.insync.replicas",
    "max.message.bytes",
    "segment.ms",
    "segment.bytes",
    "min.cleanable.dirty.ratio",
    "max.compaction.lag.ms",
    "delete.retention.ms",
)
