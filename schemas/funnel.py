"""`<app>.funnel` (compacted, on Kafka only): the funnel counters, added up over the partitions.

It is for tools that cannot add up partitions: each cell has one record. The counters are those of
`<app>.tallies`, a second later, or half a minute while a worker has a backlog. Each dimension is also a field
of its own, as there.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import COUNT, CURRENCY, INSTANT, CueName, Kind, Measure, Moment, Unmatched, documented


class FunnelTotal(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One counter of all partitions together. Which of the optional fields are there depends on `measure`, as
    in a Tally.
    """

    cell: Annotated[
        str, documented("names what is counted, in which window and under which dimensions; it is the key")
    ]
    window: Annotated[
        Literal["minute", "hour", "day", "all"], documented("how long the window is, in event time")
    ]
    start: Annotated[str | None, documented("when the window begins; null for `all`", **INSTANT)]
    measure: Measure
    kind: Kind | Unmatched | None = None
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None
    furthest: Moment | None = None
    outcome: Literal["open", "stalled", "converted", "abandoned", "refunded"] | None = None
    bucket_s: Annotated[
        tuple[float, float] | None, documented("[lower, upper) seconds of a logarithmic bucket")
    ] = None
    cue: CueName | None = None
    moment: Moment | None = None
    currency: Annotated[str | None, documented("ISO 4217 code", **CURRENCY)] = None
    hour: Annotated[int | None, documented("0 = Monday 00:00-00:59 .. 167", minimum=0, maximum=167)] = None
    dimensions: Annotated[
        dict[str, str],
        documented("the same values are beside it as fields of their own: `dim_device`, `dim_channel` ..."),
    ]
    count: Annotated[
        int,
        documented(
            "absolute: it replaces the earlier value of this counter; of `revenue` it may be below zero"
        ),
    ]
    rev: Annotated[int, documented("grows with each value of this counter", **COUNT)]
