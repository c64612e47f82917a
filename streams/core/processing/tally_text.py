"""Writes the counters that a batch has changed, as the JSON of `schemas.Tally`.

A counter is written from four pieces that are kept: what its window and what is counted in it are called in
the cell's name, and the fields that say the same. Tests compare the text with the type.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from schemas import Tally
from streams.core.funnels.cells import (
    A_SHIFT,
    B_SHIFT,
    C_SHIFT,
    COHORT_OUTCOMES,
    MEASURE_BEEN_IN,
    MEASURE_COHORT,
    MEASURE_DWELL,
    MEASURE_HOURS,
    MEASURE_SHIFT,
    MEASURE_TRANSITIONS,
    dwell_bounds_ms,
)
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import ALL_TIME, BY_DAY, BY_HOUR, BY_MINUTE, WINDOWS, ChangedCell
from streams.core.journeys.journey_step import KIND_NAMES
from streams.core.processing.json_text import encode_json, quoted, rfc3339
from streams.core.processing.publisher import MOMENT_LABELS
from streams.records import Output
from streams.topology import TALLIES

Measure = Literal["transitions", "cohort", "dwell", "hour_of_week", "been_in"]

MEASURES: tuple[Measure, ...] = ("transitions", "cohort", "dwell", "hour_of_week", "been_in")
MAX_WINDOWS = 10_000  # windows whose texts are kept: a week of minutes
FLAT_PREFIX = "dim_"  # of the fields that repeat the dimensions: so none collides with another field
NONE = "-"  # in the name of a cell: no moment

_TALLIES = TALLIES.name  # looked up thousands of times in a batch
# How much of a window's start stands in the name of a cell: `2026-03-02T18:20`, `2026-03-02T18`, `2026-03-02`
_START_CHARS = {BY_MINUTE: 16, BY_HOUR: 13, BY_DAY: 10}


class TallyText:
    """Writes the counters of one partition."""

    def __init__(self, partition: int, dimensions: Dimensions) -> None:
        self.partition, self.dimensions = partition, dimensions
        # Pieces of text: of the cell's name as it stands in the key and in JSON, and of the fields.
        self._windows: dict[tuple[int, int], tuple[bytes, str, str]] = {}
        self._counted: dict[int, tuple[bytes, str, str]] = {}  # as many as the vocabularies allow

    def outputs(self, changed: Sequence[ChangedCell], rev: int) -> list[Output]:
        """The records that a batch writes to `<app>.tallies`. `rev`: the number of the batch."""
        outputs: list[Output] = []
        counted_of, end = self._counted.get, f',"rev":{rev}}}'
        last_window, last_start, begin = -1, -1, (b"", "", "")
        for (window, start, what), n in changed:
            if start != last_start or window != last_window:  # cells of one window follow each other
                last_window, last_start, begin = window, start, self._window(window, start)
            counted = counted_of(what) or self._what(what)
            key = begin[0] + counted[0]
            if n is None:
                outputs.append(Output(_TALLIES, key, None))
            else:
                value = f"{begin[1]}{counted[1]}{begin[2]}{counted[2]}{n}{end}"
                outputs.append(Output(_TALLIES, key, value.encode()))
        return outputs

    def _window(self, window: int, start_min: int) -> tuple[bytes, str, str]:
        """How the key, the value and the value's fields behind the cell begin in a window."""
        known = self._windows.get((window, start_min))
        if known is not None:
            return known
        if len(self._windows) >= MAX_WINDOWS:
            self._windows.clear()
        if window == ALL_TIME:
            name, at = WINDOWS[window], "null"
        else:
            instant = rfc3339(start_min * 60_000)
            name, at = f"{WINDOWS[window]}/{instant[: _START_CHARS[window]]}", f'"{instant}"'
        fields = f'","partition":{self.partition},"window":"{WINDOWS[window]}","start":{at},'
        made = self._windows[window, start_min] = (
            f"{self.partition}/{name}/".encode(),
            f'{{"cell":"{name}/',
            fields,
        )
        return made

    def _what(self, what: int) -> tuple[bytes, str, str]:
        """What a cell counts: in its name, and as the fields of a Tally."""
        measure, a = what >> MEASURE_SHIFT, what >> A_SHIFT & 15
        b, c = what >> B_SHIFT & 7, what >> C_SHIFT & 511
        fields: dict[str, Any] = {}
        if measure == MEASURE_TRANSITIONS:
            fields = {"kind": KIND_NAMES[a], "from_": MOMENT_LABELS[b - 1], "to": MOMENT_LABELS[c - 1]}
        elif measure == MEASURE_COHORT:
            fields = {"furthest": MOMENT_LABELS[a - 1], "outcome": COHORT_OUTCOMES[c]}
        elif measure == MEASURE_DWELL:
            lower, upper = dwell_bounds_ms(c)
            fields = {"from_": MOMENT_LABELS[a - 1], "bucket_s": (lower / 1000, upper / 1000)}
        elif measure == MEASURE_HOURS:
            fields = {"to": MOMENT_LABELS[a - 1], "hour": c}
        elif measure == MEASURE_BEEN_IN:
            fields = {"moment": MOMENT_LABELS[a - 1]}
        dimensions = self.dimensions.names(what & 0xFFFF)
        name = "/".join([MEASURES[measure], *map(_part, fields.values()), *map(_part, dimensions.values())])
        tally = Tally(
            cell="",
            partition=0,
            window="all",
            start=None,
            measure=MEASURES[measure],
            dimensions=dimensions,
            count=0,
            rev=0,
            **fields,
        )
        whole: dict[str, Any] = msgspec.to_builtins(tally)
        for known in ("cell", "partition", "window", "start", "count", "rev"):
            whole.pop(known, None)
        whole |= {FLAT_PREFIX + dimension: value for dimension, value in dimensions.items()}
        fields_text = encode_json(whole)[1:-1].decode()
        made = self._counted[what] = name.encode(), quoted(name)[1:-1], f'{fields_text},"count":'
        return made


def _part(value: Any) -> str:
    """A value as it stands in the name of a cell. A slash parts the values, so in a value it is escaped."""
    if value is None:
        return NONE
    if isinstance(value, tuple):  # a bucket; 15 digits: no length of stay is written with an exponent
        return f"{value[0]:.15g}-{value[1]:.15g}"
    return str(value).replace("%", "%25").replace("/", "%2F")
