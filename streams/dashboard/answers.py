"""The answers of the API. Times are RFC 3339 in UTC; counts are of journeys or transitions, never estimates.

docs/openapi.json describes them to machines.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import Kind, Moment, documented
from schemas.progress import OpenMoment, PartitionProgress
from streams.queries.cohorts import CohortReport, TimeToConvert
from streams.queries.funnel_window import FunnelWindow

AppState = Literal["live", "idle", "behind", "stopped", "unreachable", "empty"]
STATE_TEXT = (
    "live; idle: all was read, and no event has come for a while; behind: there is more to read, and it is "
    "old; stopped: no processor runs; unreachable: the log does not answer; empty: no event has come yet"
)


UnreadPart = Literal[
    "moves",
    "purchases",
    "usual",
    "revenue",
    "cohort",
    "opened",
    "time_to_convert",
    "by",
    "hours",
    "dwell",
    "cues",
]
OF_RANGE: tuple[UnreadPart, ...] = (
    "moves", "purchases", "revenue", "opened", "time_to_convert", "by", "dwell", "cues",
)  # fmt: skip
"""The parts that are sums over the windows of a range."""
_UNREAD = "null: not read yet, see `unread`"


class RangeOf(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The range that was asked for."""

    name: Literal["24h", "7d", "28d"]
    from_: str
    over_until: Annotated[str, documented("what comes behind it counts, and is not over yet")]
    to: Annotated[str, documented("how far event time has come")]


class MomentNow(msgspec.Struct, frozen=True):
    """Journeys under way in a moment, by the dimensions of their opening."""

    open: int
    silent: Annotated[int, documented("of them, for longer than the patience of the moment")]
    active_5m: Annotated[int, documented("of them, with a sign of life in the last 5 minutes")]
    active_30m: int


class ShownMove(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """How many transitions of a kind led from one moment to another in the range."""

    kind: Kind
    from_: Annotated[Moment | None, documented("null: from outside, as an opening")]
    to: Annotated[Moment | None, documented("null: the journey is over")]
    skipped: list[Moment]
    count: int


class Point(msgspec.Struct, frozen=True):
    """Purchases of one window of the line."""

    at: Annotated[str, documented("its start")]
    count: int
    usual: Annotated[float | None, documented("mean of the same hours of up to 4 weeks before")]
    low: Annotated[float | None, documented("hardly ever less")]
    high: Annotated[float | None, documented("hardly ever more")]
    over: Annotated[bool, documented("its time is over in all partitions")]


class Before(msgspec.Struct, frozen=True):
    """What the same hours of earlier weeks had."""

    count: Annotated[float, documented("the mean of the weeks")]
    weeks: int


class Purchases(msgspec.Struct, frozen=True):
    """Purchases in the range."""

    step_s: int
    points: list[Point]
    total: int
    over: Annotated[int, documented("of the windows that are over: what `before` is compared with")]
    refunded: int
    before: Annotated[Before | None, documented("null: no earlier week is whole")]


class ShownMoney(msgspec.Struct, frozen=True):
    """ShownMoney of the range in one currency."""

    currency: Annotated[str, documented("ISO 4217")]
    digits: Annotated[int, documented("of its minor unit: 2 for EUR")]
    net_minor: Annotated[int, documented("what purchases amounted to, less what was given back")]
    given_back_minor: int


class DayCohort(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Journeys opened on one day (UTC), all of which have ended."""

    from_: str
    to: str
    opened: int
    converted: int
    abandoned: int


class OpenedJourneys(msgspec.Struct, frozen=True):
    """Journeys opened in the range, and what has become of them."""

    total: int
    converted: int
    abandoned: int
    open: int
    silent: Annotated[int, documented("of the open ones")]


class ShownPart(msgspec.Struct, frozen=True):
    """Journeys opened in the range with one value of a dimension."""

    value: Annotated[str | None, documented("null: all of them")]
    opened: int
    reached: Annotated[dict[Moment, int], documented("came at least this far")]
    been_in: Annotated[dict[Moment, int], documented("were in it; a moment that was skipped is reached only")]
    converted: int
    abandoned: int
    open: int


class ShownParts(msgspec.Struct, frozen=True):
    """Journeys opened in the range, by a dimension."""

    dimension: str
    rows: list[ShownPart]


class ShownStay(msgspec.Struct, frozen=True):
    """How long stays in a moment lasted; right to 6 %."""

    p50_s: float
    p90_s: float
    count: int


class CueCount(msgspec.Struct, frozen=True):
    """How often a cue came in a moment."""

    cue: str
    moment: Annotated[Moment | None, documented("null: it belongs to no journey")]
    count: int


class ShownStep(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A transition as it is shown."""

    id: str
    op: Literal["assert", "retract"]
    at: str
    kind: Kind
    from_: Moment | None
    to: Moment | None
    skipped: list[Moment]
    dwell_s: float | None
    profile: str
    need: str | None
    dimensions: dict[str, str]
    rule: Annotated[str | None, documented("the rule that read the event; null: silence caused the step")]
    confidence: float | None
    event: Annotated[str | None, documented("the id of the event")]
    device: Annotated[str | None, documented("of an event that a device gave to its user: that device")] = (
        None
    )
    source: Annotated[
        str | None,
        documented(
            "where the event was read, topic:partition:offset; null: no event did it, or it is not known"
        ),
    ] = None


class ReadSoFar(msgspec.Struct, frozen=True):
    """How much was read so far of what was stored when the reading began."""

    records: int
    share: Annotated[float, documented("of all that is to be read", minimum=0, maximum=1)]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows of a range."""

    app: str
    as_of: Annotated[
        str | None, documented("how far event time has come in all partitions; null: it has not")
    ]
    state: Annotated[AppState, documented(STATE_TEXT)]
    behind_s: Annotated[float, documented("how old the newest event is that was processed, if `behind`")]
    zone: Annotated[str, documented("the zone of times that are shown")] = "UTC"
    reading: Annotated[
        ReadSoFar | None,
        documented("older counters are still being read; null: all that was committed has been read"),
    ]
    unread: Annotated[
        list[UnreadPart],
        documented(
            "the parts that are not known yet; `usual`: what was usual in earlier weeks, of `purchases`"
        ),
    ]
    range: RangeOf
    filter: dict[str, str]
    dimensions: Annotated[dict[str, list[str]], documented("the values of each dimension")]
    people: dict[OpenMoment, MomentNow]
    moves: Annotated[list[ShownMove] | None, documented(_UNREAD)] = None
    purchases: Annotated[Purchases | None, documented(_UNREAD)] = None
    revenue: Annotated[list[ShownMoney] | None, documented(_UNREAD)] = None
    cohort: Annotated[
        DayCohort | None, documented("the newest that has ended; null: none has, or not read yet")
    ]
    opened: Annotated[OpenedJourneys | None, documented(_UNREAD)] = None
    time_to_convert: Annotated[
        TimeToConvert | None,
        documented(
            "how long the journeys opened in the range took to their purchase; null: none has one, or not "
            "read yet"
        ),
    ] = None
    by: Annotated[ShownParts | None, documented(_UNREAD)] = None
    hours: Annotated[
        list[int] | None,
        documented(
            f"all purchases by hour of the week, from Monday 00:00, on the buyers' own clocks; {_UNREAD}"
        ),
    ]
    dwell: Annotated[
        dict[OpenMoment, ShownStay] | None,
        documented(f"moments without a stay in the range are left out; {_UNREAD}"),
    ] = None
    cues: Annotated[list[CueCount] | None, documented(_UNREAD)] = None
    latest: Annotated[
        list[ShownStep],
        documented(
            "the newest first, as they were published: those of a partition that is ahead are later than "
            "`as_of`"
        ),
    ]


class Loading(msgspec.Struct, frozen=True):
    """What there is instead of figures in the first moments of a start."""

    app: str
    records: Annotated[int, documented("that were read so far")]
    state: Literal["loading"] = "loading"


class FunnelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The funnel as `streams funnel --json` prints it: what of it is counted."""

    as_of: str | None
    window: Annotated[FunnelWindow | None, documented("null: over all time")]
    filter: dict[str, str]
    report: CohortReport
    cues: Annotated[
        dict[str, dict[str, int]] | None, documented("by cue and moment; null if there is a window")
    ]
    by: Annotated[dict[str, dict[str, CohortReport]] | None, documented("by dimension and value")]


class ShownCohort(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The journeys that were opened in one window, as they are now."""

    from_: str
    to: str
    over: Annotated[bool, documented("nobody joins it any more, unless an event is late")]
    complete: Annotated[bool, documented("all of its journeys have ended")]
    opened: int
    converted: int
    abandoned: int
    refunded: int
    open: int
    silent: Annotated[int, documented("of the open ones")]
    reached: Annotated[dict[Moment, int], documented("came at least this far")]
    been_in: dict[Moment, int]
    bought_share: Annotated[float | None, documented("of the opened ones, so far; null: there are none")]
    open_share: Annotated[float | None, documented("of the opened ones: of these nobody knows yet")]


class Cohorts(msgspec.Struct, frozen=True):
    """Cohorts one after the other, the oldest first: by hour for a range of 24h, else by day (UTC)."""

    as_of: str | None
    filter: dict[str, str]
    cohorts: list[ShownCohort]


class Partitions(msgspec.Struct, frozen=True):
    """How far each partition has come, as the topic `progress` has it."""

    as_of: str | None
    state: Annotated[AppState, documented(STATE_TEXT)]
    partitions: list[PartitionProgress]


class ShownJourney(msgspec.Struct, frozen=True):
    """A journey with its steps, the oldest first."""

    journey: str
    need: str | None
    opened_at: str
    closed_at: Annotated[str | None, documented("null: it is open, or its closing is not held any more")]
    outcome: Literal["open", "converted", "abandoned", "refunded"]
    silent: bool
    moment: Annotated[Moment | None, documented("where it is; null: it is over")]
    steps: Annotated[list[ShownStep], documented("those that are held, the oldest first")]


class ShownProfile(msgspec.Struct, frozen=True):
    """One profile that the name fits."""

    tenant: str | None
    profile: str
    person: Annotated[str | None, documented("of a device: the user whose it is")]
    journeys: Annotated[list[ShownJourney], documented("the newest first")]


class Story(msgspec.Struct, frozen=True):
    """What is known of a person."""

    as_of: str | None
    at: Annotated[str | None, documented("the time that was asked for; null: now")]
    complete: Annotated[bool, documented("false: older steps are not held any more, or may be gone by age")]
    profiles: list[ShownProfile]
