"""What a request asks for: a range of time, some values of dimensions, and a dimension to part by."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

import msgspec

from streams.core.funnels.windows import BY_DAY, BY_HOUR, LENGTH_MIN
from streams.core.ingest.times import MINUTE_MS
from streams.queries.funnel_window import CellWindow
from streams.settings.durations import DAYS, HOURS

WHERE = "where."
MAX_WHERE = 3  # of more dimensions at once there are hardly any people left to count


class Range(StrEnum):
    """The ranges that can be asked for, back from how far event time has come."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "28d"

    @property
    def length_ms(self) -> int:
        """Its length, a whole number of steps."""
        return {Range.DAY: 1 * DAYS, Range.WEEK: 7 * DAYS, Range.MONTH: 28 * DAYS}[self]

    @property
    def step_ms(self) -> int:
        """How much time a point of a line over it stands for: so that there are some thirty."""
        return {Range.DAY: 1 * HOURS, Range.WEEK: 6 * HOURS, Range.MONTH: 1 * DAYS}[self]

    @property
    def cells(self) -> int:
        """The length of the windows that are added up, BY_HOUR or BY_DAY: hours are kept for 40 days."""
        return BY_DAY if self is Range.MONTH else BY_HOUR


class RangeWindow(NamedTuple):
    """The range that ends now: whole steps, and the running one behind them."""

    cells: int  # BY_HOUR or BY_DAY
    step_ms: int
    start_ms: int
    over_ms: int  # the whole steps end here
    end_ms: int  # the running step ends here

    @property
    def window(self) -> CellWindow:
        """All of it."""
        return CellWindow(self.cells, self.start_ms, self.end_ms)

    def cell_starts(self, at_ms: int) -> Sequence[int]:
        """When the windows begin (ms) that make the step which begins at `at_ms`."""
        return range(at_ms, at_ms + self.step_ms, LENGTH_MIN[self.cells] * MINUTE_MS)


def range_window(asked: Range, now_ms: int) -> RangeWindow:
    """The range that ends at a time."""
    over_ms = now_ms - now_ms % asked.step_ms
    assert asked.step_ms % (LENGTH_MIN[asked.cells] * MINUTE_MS) == 0, "a step is made of whole windows"
    return RangeWindow(
        asked.cells, asked.step_ms, over_ms - asked.length_ms, over_ms, over_ms + asked.step_ms
    )


class Asked(msgspec.Struct, frozen=True):
    """What a request asks for. Equal ones have equal answers."""

    range: Range = Range.DAY
    where: tuple[tuple[str, str], ...] = ()  # dimension -> its value, by name
    by: str | None = None  # the dimension by which journeys are parted; None: the first


class BadParameter(Exception):
    """A parameter of a request is wrong; the text says what would be right."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


def read_asked(given: Iterable[tuple[str, str]], dimensions: Mapping[str, Collection[str]]) -> Asked:
    """What the parameters of an address ask for.

    `dimensions`: the values of each dimension that is counted. Raises BadParameter.
    """
    values = read_parameters(given, ("range", "by"), dimensions)
    named = values.pop("range", Range.DAY)
    if named not in list(Range):
        raise BadParameter("range", f"{named!r} is no range: write one of {', '.join(Range)}")
    by = values.pop("by", None)
    if by is not None:
        check_dimension("by", by, dimensions)
    return Asked(Range(named), tuple(sorted(read_where(values, dimensions).items())), by)


def read_parameters(
    given: Iterable[tuple[str, str]], names: Collection[str], dimensions: Collection[str] = ()
) -> dict[str, str]:
    """The parameters by name. Raises BadParameter for one that is given twice, and for an unknown one.

    `dimensions`: those whose values may be asked for.
    """
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            raise BadParameter(name, "is given twice")
        if name not in names and not (dimensions and name.startswith(WHERE)):
            known = [*names, *(f"{WHERE}{dimension}" for dimension in dimensions)]
            raise BadParameter(name, f"there is no such parameter{_nearest(name, known)}")
        found[name] = value
    return found


def read_where(parameters: Mapping[str, str], dimensions: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The values of dimensions that are asked for, by dimension. Raises BadParameter."""
    where: dict[str, str] = {}
    for parameter, value in parameters.items():
        if not parameter.startswith(WHERE):
            continue
        dimension = parameter.removeprefix(WHERE)
        check_dimension(parameter, dimension, dimensions)
        if value not in dimensions[dimension]:
            nearest = _nearest(value, dimensions[dimension])
            raise BadParameter(parameter, f"{value!r} is no value of it{nearest}")
        where[dimension] = value
    if len(where) > MAX_WHERE:
        raise BadParameter(f"{WHERE}*", f"at most {MAX_WHERE} dimensions can be asked for at once")
    return where


def check_dimension(parameter: str, name: str, dimensions: Collection[str]) -> None:
    """Raises BadParameter for what is no dimension."""
    if name not in dimensions:
        raise BadParameter(parameter, f"{name!r} is no dimension that is counted{_nearest(name, dimensions)}")


def _nearest(name: str, names: Collection[str]) -> str:
    """Which name was meant, as the end of a sentence."""
    near = get_close_matches(name, list(names), n=1)
    if near:
        return f": did you mean {near[0]!r}?"
    return f": there are {', '.join(sorted(names))}" if names else ": there is none"
