"""What a request asks for: a range of time, only some values of dimensions, and by which dimension to part."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum

import msgspec

HOUR_S = 3_600
DAY_S = 24 * HOUR_S
WHERE = "where."
MAX_WHERE = 3  # more dimensions than this are hardly ever counted together (settings, dimensions)


class Range(StrEnum):
    """The ranges that can be asked for, back from now."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "28d"

    @property
    def length_s(self) -> int:
        """Its length."""
        return {Range.DAY: DAY_S, Range.WEEK: 7 * DAY_S, Range.MONTH: 28 * DAY_S}[self]

    @property
    def step_s(self) -> int:
        """The length of the windows that a line over it is drawn of: some thirty points."""
        return {Range.DAY: HOUR_S, Range.WEEK: 6 * HOUR_S, Range.MONTH: DAY_S}[self]


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
    where: dict[str, str] = {}
    found_range, by = Range.DAY, None
    names = ["range", "by", *(f"{WHERE}{name}" for name in dimensions)]
    seen: set[str] = set()
    for name, value in given:
        if name in seen:
            raise BadParameter(name, "is given twice")
        seen.add(name)
        if name == "range":
            if value not in list(Range):
                raise BadParameter(name, f"{value!r} is no range: write one of {', '.join(Range)}")
            found_range = Range(value)
        elif name == "by":
            by = _dimension(name, value, dimensions)
        elif name.startswith(WHERE):
            dimension = _dimension(name, name.removeprefix(WHERE), dimensions)
            if value not in dimensions[dimension]:
                raise BadParameter(name, f"{value!r} is no value of it{_nearest(value, dimensions[dimension])}")
            where[dimension] = value
        else:
            raise BadParameter(name, f"there is no such parameter{_nearest(name, names)}")
    if len(where) > MAX_WHERE:
        raise BadParameter(f"{WHERE}*", f"at most {MAX_WHERE} dimensions can be asked for at once")
    return Asked(found_range, tuple(sorted(where.items())), by)


def _dimension(parameter: str, name: str, dimensions: Collection[str]) -> str:
    if name not in dimensions:
        raise BadParameter(parameter, f"{name!r} is no dimension that is counted{_nearest(name, dimensions)}")
    return name


def _nearest(name: str, names: Collection[str]) -> str:
    """Which name was meant, as the end of a sentence."""
    near = get_close_matches(name, list(names), n=1)
    if near:
        return f": did you mean {near[0]!r}?"
    return f": there are {', '.join(sorted(names))}" if names else ": there is none"
