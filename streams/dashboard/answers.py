"""The answers of the API. Times are RFC 3339 in UTC; counts are of journeys or transitions, never estimates."""

from typing import Literal

import msgspec

from schemas.kinds import Kind, Moment

State = Literal["live", "behind", "stopped", "loading", "empty"]
OpenMoment = Literal["know", "go", "do", "buy"]


class RangeOf(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The range that was asked for."""

    name: str
    from_: str
    to: str


class People(msgspec.Struct, frozen=True):
    """Journeys under way in a moment, over all time."""

    open: int
    silent: int  # of them


class Move(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """How many transitions of a kind led from one moment to another in the range. Null: none, as of an opening."""

    kind: Kind
    from_: Moment | None
    to: Moment | None
    count: int


class Point(msgspec.Struct, frozen=True):
    """Purchases of one window of the line."""

    at: str  # its start
    count: int
    usual: float | None  # mean of the same hours of the weeks before; null: not known
    low: float | None  # what is hardly ever less
    high: float | None  # what is hardly ever more
    over: bool  # its time is over in all partitions


class Before(msgspec.Struct, frozen=True):
    """What the same hours of earlier weeks had."""

    count: float  # the mean of the weeks
    weeks: int


class Purchases(msgspec.Struct, frozen=True):
    """Purchases in the range."""

    step_s: int
    points: list[Point]
    total: int  # of the windows that are over
    refunded: int
    before: Before | None


class Revenue(msgspec.Struct, frozen=True):
    """Money of the range in one currency."""

    currency: str  # ISO 4217
    digits: int  # of its minor unit: 2 for EUR
    amount_minor: int  # what purchases said, less what was given back
    refunded_minor: int  # what was given back
    purchases: int  # that said an amount in it


class Cohort(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Journeys opened on one day that is old enough for all of them to have ended."""

    from_: str
    to: str
    opened: int
    converted: int
    abandoned: int


class Opened(msgspec.Struct, frozen=True):
    """Journeys opened in the range, and what has become of them."""

    total: int
    converted: int
    abandoned: int
    open: int
    silent: int  # of the open ones


class Part(msgspec.Struct, frozen=True):
    """Journeys opened in the range with one value of a dimension."""

    value: str | None  # null: all of them
    opened: int
    reached: dict[Moment, int]  # came at least this far
    been_in: dict[Moment, int]  # were in this moment; one that was skipped is reached only
    converted: int
    abandoned: int
    open: int


class Parts(msgspec.Struct, frozen=True):
    """Journeys opened in the range, by a dimension."""

    dimension: str | None  # null: none is counted
    rows: list[Part]


class Stay(msgspec.Struct, frozen=True):
    """How long stays in a moment lasted; right to 6 %."""

    p50_s: float
    p90_s: float
    count: int


class CueCount(msgspec.Struct, frozen=True):
    """How often a cue came in a moment. Null: without a journey."""

    cue: str
    moment: Moment | None
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
    profile: str | None  # null: persons may not be shown here
    journey: str
    need: str
    dimensions: dict[str, str]
    rule: str | None  # null: said by silence
    confidence: float | None
    event: str | None = None
    position: str | None = None  # topic/partition/offset of the event


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows of a range."""

    app: str
    as_of: str | None  # how far event time has come in all partitions; null: nothing has come
    state: State
    behind_s: float
    read: float  # the share of what is kept that has been read; below 1 longer ranges are not whole
    zone: str
    range: RangeOf
    filter: dict[str, str]
    dimensions: dict[str, list[str]]
    people: dict[OpenMoment, People]
    moves: list[Move]
    purchases: Purchases
    revenue: list[Revenue]
    cohort: Cohort | None  # the newest whole one
    opened: Opened
    by: Parts
    hours: list[int]  # purchases by hour of the week, from Monday 00:00, on the buyers' own clocks
    dwell: dict[OpenMoment, Stay]
    cues: list[CueCount]
    latest: list[ShownStep]


class ShownJourney(msgspec.Struct, frozen=True):
    """A journey with its steps, the oldest first."""

    journey: str
    need: str
    steps: list[ShownStep]


class Story(msgspec.Struct, frozen=True):
    """What is known of a person."""

    profile: str
    moment: OpenMoment | None
    as_of: str | None
    complete: bool  # false: older steps are not kept where this was asked
    journeys: list[ShownJourney]  # the newest first
