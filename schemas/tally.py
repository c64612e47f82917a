"""`<app>.tallies` (compacted): funnel counters, absolute per source partition: add up the partitions.

Each key is one counter. A later value replaces the earlier one. No value is negative, but a sum of what was
given back is (measure `revenue`). A counter that falls to
zero is published as 0; a tombstone says that its window is no longer kept.

Each dimension is also a field of its own, named `dim_` and the dimension: those names depend on the settings,
so the JSON Schema has them as `patternProperties`, and this type leaves them out.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import COUNT, CURRENCY, INSTANT, CueName, Kind, Measure, Moment, Unmatched, documented


class Tally(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One counter. Which of the optional fields are there depends on `measure`.

    - `transitions`: `kind`, `from`, `to`: transitions at a time in this window;
      kind `refund_unmatched`: refunds that found no purchase; `update_unmatched`: updates of orders that are
      not known
    - `cohort`: `furthest`, `outcome`: journeys *opened* in this window. `open` includes `stalled`, and
      `converted` includes `refunded`; opened - converted - abandoned = open
    - `dwell`: `from`, `bucket_s`: stays that ended in this window, by length
    - `hour_of_week`: `to`, `hour`: moments entered, by hour of the person's own week
    - `been_in`: `moment`: journeys *opened* in this window that have been in this moment, each once; one that
      skipped the moment has reached it only
    - `cues`: `cue`, `moment`: cues at a time in this window, by the moment in which their journey was;
      without a moment they are matched with no journey
    - `revenue`: `kind`, `from`, `currency`: the sum of the amounts of purchases in this window (kind
      `converted`, by the moment that they came from), and of what refunds gave back (below zero; kinds
      `partially_refunded` and `refunded`). `count` is in minor units of the currency; the sum over the kinds
      is what is left
    - `stitched`: `from`: purchases in this window whose journey has an event that a device gave to the user,
      by the moment that they came from (without one: from nowhere). They are part of the `transitions` of
      kind `converted`
    - `time_to_convert`: `bucket_s`: purchases of journeys *opened* in this window (an hour, a day
      or `all`), by the time from the opening to the purchase. One from nowhere is in none
    """

    cell: Annotated[
        str,
        documented(
            "names what is counted, in which window and under which dimensions; (partition, cell) names the"
            " counter"
        ),
    ]
    partition: Annotated[int, documented("the source partition; add up the counts of all", **COUNT)]
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
            "absolute: it replaces the earlier value of this counter; of `revenue` a signed sum of 64 bits,"
            " which stops at the greatest number that these hold"
        ),
    ]
    rev: Annotated[
        int,
        documented(
            "grows with each value of this counter: the number of the batch in its partition", **COUNT
        ),
    ]
