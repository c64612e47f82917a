"""Counts how wrong the clocks of devices are, by channel and library, for whoever chooses the allowed skew.

An event shows it where its record says when it was sent, by the device's clock, and when it was received, by
a server's.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from streams.core.funnels.context import BUILT_IN_DIMENSIONS
from streams.core.funnels.dimensions import CHANNEL, OTHER
from streams.core.ingest.event import Event

MAX_CLOCKS = 60  # pairs of channel and library that have a line of their own: some ten libraries
MAX_LIBRARY_CHARS = 40  # a longer name is no library's
# Upper bounds in seconds; below 0 a clock is behind. Up to the allowed skew clocks are no problem; an hour is
# another time zone, a year a clock that was never set.
CLOCK_ERROR_BOUNDS_S = (
    -31_536_000, -86_400, -3_600, -600, -60, -10, -1, 0, 1, 10, 60, 600, 3_600, 86_400, 31_536_000,
)  # fmt: skip

_BOUNDS_MS = [seconds * 1000 for seconds in CLOCK_ERROR_BOUNDS_S]
_CHANNELS = (OTHER, *CHANNEL.values)
_channel_of = BUILT_IN_DIMENSIONS[CHANNEL.name]
_index = {word.lower(): n for n, word in enumerate(_CHANNELS)} | {
    alias: _CHANNELS.index(value) for alias, value in CHANNEL.aliases.items()
}


class Clocks(NamedTuple):
    """Whose clocks: those of devices that use this channel and library."""

    channel: str  # one of CHANNEL.values, or other
    library: str  # as `context.library.name` has it; other, or none where an event does not say


ClockErrors = Mapping[Clocks, list[int]]
"""Events whose clock was ahead by at most each bound and by more than the one before; last, those beyond."""


class ClockCounts:
    """The clock errors of one batch."""

    def __init__(self) -> None:
        self.errors: dict[Clocks, list[int]] = {}

    def note(self, event: Event, error_ms: int) -> None:
        """Counts how far the clock that dated an event was ahead."""
        clocks = _clocks_of(event)
        counts = self.errors.get(clocks)
        if counts is None:
            if len(self.errors) >= MAX_CLOCKS:
                clocks = clocks._replace(library=OTHER)
            counts = self.errors.setdefault(clocks, [0] * (len(_BOUNDS_MS) + 1))
        counts[bisect_left(_BOUNDS_MS, error_ms)] += 1


def _clocks_of(event: Event) -> Clocks:
    channel = _CHANNELS[_channel_of(event, _known)]
    library = event.context.get("library")
    name = library.get("name") if isinstance(library, dict) else None
    if not isinstance(name, str) or not name:
        return Clocks(channel, "none")
    return Clocks(channel, name if len(name) <= MAX_LIBRARY_CHARS and name.isprintable() else OTHER)


def _known(word: object) -> int:
    return _index.get(word.lower(), 0) if isinstance(word, str) else 0
