"""What a step of a partition did, for whoever watches: metrics are the first observer."""

from collections.abc import Callable, Mapping

import msgspec

from streams.core.processing.checkpoint import Counts

Reasons = Mapping[str, Mapping[str, int]]  # outcome -> reason -> items


class Committed(msgspec.Struct, frozen=True):
    """One step of a partition agent, after its commit."""

    partition: int
    records: int  # read from the sources
    written: bool  # False: nothing had happened, so nothing was committed
    more: bool  # time has passed further than one batch could follow: step again at once
    totals: Counts  # how items ended since the partition began
    reasons: Reasons  # of the items of this step: those that were rejected, late, or showed no intent
    outputs: int  # records written
    retracted: int  # transitions taken back
    rev: int  # transition records written since the partition began
    expired_corrections: int  # changes of counters whose window is no longer kept, since the partition began
    excluded: int  # peers that the partition waits for no more
    watermark_ms: int  # -1: not known yet
    lags: Mapping[str, int]  # records still to be read, per source, where the log knows
    commit_s: float
    # When the oldest record of the step had been appended, ms since 1970 UTC; -1: none, or not known.
    oldest_ms: int


Observer = Callable[[Committed], None]
