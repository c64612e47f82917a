"""`<app>.progress` (compacted): how far each partition has come, how its items ended, and who is under way.

Key: the partition. At most one record a second of each partition, in the transaction of a batch; a partition
that has nothing to do writes one every few seconds. It has the time of the wall clock, so it is the one topic
that a replay does not repeat. It tells a stopped collector from a partition that is behind, and both from an
hour in which nobody bought.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import COUNT, INSTANT, documented

# A journey is never under way in truth: the purchase closes it.
OpenMoment = Literal["know", "go", "do", "buy"]


class SourceProgress(msgspec.Struct, frozen=True, gc=False):
    """How far a partition has come in one source."""

    source: Annotated[str, documented("`topic:partition` of an input, or of the inbox")]
    watermark: Annotated[
        str | None, documented("the newest event read from it; null: none was, or it is the inbox", **INSTANT)
    ]
    offset: Annotated[int, documented("of the next record to read", **COUNT)]
    lag: Annotated[int | None, documented("records still to be read; null: not known", **COUNT)]


class JourneysUnderWay(msgspec.Struct, frozen=True, gc=False):
    """Journeys under way in one moment that were opened under the same dimensions."""

    moment: OpenMoment
    dimensions: Annotated[dict[str, str], documented("of the events that opened the journeys")]
    open: Annotated[int, documented("journeys that are in this moment", **COUNT)]
    stalled: Annotated[int, documented("those of them that are silent for longer than its patience", **COUNT)]
    active_5m: Annotated[
        int,
        documented(
            "those of them with a sign of life in the last 5 minutes of event time: in the minute of"
            " `timers_fired` or one of the 4 before it, or later",
            **COUNT,
        ),
    ]
    active_30m: Annotated[int, documented("the same of 30 minutes", **COUNT)]


class PartitionProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one partition has come."""

    partition: Annotated[int, documented("the partition", **COUNT)]
    written_at: Annotated[str, documented("when this was written, by the clock of the machine", **INSTANT)]
    watermark: Annotated[
        str | None, documented("how far it has come in event time; null: not known yet", **INSTANT)
    ]
    timers_fired: Annotated[
        str | None, documented("up to when silence has been judged; null: not yet", **INSTANT)
    ]
    lag: Annotated[
        int | None, documented("records still to be read, over its sources; null: not known", **COUNT)
    ]
    sources: Annotated[tuple[SourceProgress, ...], documented("what it reads, the inbox last")]
    received: Annotated[int, documented("items since the partition began: the sum of `outcomes`", **COUNT)]
    outcomes: Annotated[
        dict[str, int],
        documented("items by how they ended: applied, refused, robot, no_signal, duplicate, late, rejected"),
    ]
    reasons: Annotated[
        dict[str, dict[str, int]],
        documented(
            "items by outcome and reason: rejected, late, no_signal; `unknown_name` counts, however they"
            " ended, those with a name that no rule has, by what read them instead"
        ),
    ]
    forwarded: Annotated[int, documented("items sent on to the partitions of their people", **COUNT)]
    under_way: Annotated[
        tuple[JourneysUnderWay, ...],
        documented("journeys under way by moment and opened dimensions, as of `timers_fired`; no zeros"),
    ]
    rev: Annotated[int, documented("the number of the batch that it was written with", **COUNT)]
