"""What a step of a partition did, for its observers. The metrics are the first of them."""

from collections.abc import Callable, Mapping

import msgspec

from streams.core.funnels.figures import JourneyFigures
from streams.core.processing.checkpoint import Counts
from streams.core.processing.clock_errors import ClockErrors
from streams.records import HiddenOffsets

Reasons = Mapping[str, Mapping[str, int]]  # outcome -> reason -> items


class DeviceFigures(msgspec.Struct, frozen=True):
    """The devices of a partition that have a link. With identity off there are none."""

    on: bool = False  # identity is
    linked: int = 0  # that are one user's
    shared: int = 0
    links_only: int = 0  # on which nothing was done without a user, near a link
    # Since the partition was opened:
    capped_devices: int = 0  # that had more links than are kept, and are shared for good
    capped_events: int = 0  # that stay where they are, since a device gave too many
    most_users: int = 0  # of one device, in the time that counts for sharing
    most_devices: int = 0  # that gave events to one user


class Committed(msgspec.Struct, frozen=True):
    """One step of a partition agent, after its commit."""

    partition: int
    records: int  # read from the sources
    written: bool  # False: nothing had happened, so nothing was committed
    more: bool  # timers or tidying are due that this batch had no room for: step again at once
    totals: Counts  # how items ended since the partition began
    # Of the items of this step: those that were rejected, late, or showed no intent; and, however they ended,
    # those with a name that no rule has, by what read them instead. `moved`: events of devices, by what
    # became of them.
    reasons: Reasons
    clock_errors: ClockErrors  # of the devices of this step's events
    outputs: int  # records written, without that of the `progress` topic
    retracted: int  # transitions retracted
    journeys: JourneyFigures  # over the life of the partition
    devices: DeviceFigures
    rev: int  # transition records written since the partition began
    expired_corrections: int  # changes of counters whose window is no longer kept, since the partition began
    excluded: int  # peers that the partition waits for no more
    holding: int  # excluded peers that hold the settled mark back
    watermark_ms: int  # -1: not known yet
    settled_mark_ms: int  # likewise
    lags: Mapping[str, int]  # records still to be read, per source, where the log knows
    hidden: Mapping[str, HiddenOffsets]  # what open transactions hide, per source that has one
    commit_s: float
    # When the oldest record of the step had been appended, in ms since 1970 UTC; -1: no record, or not known.
    oldest_ms: int


Observer = Callable[[Committed], None]
