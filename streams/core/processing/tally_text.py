"""Writes the counters that a batch has changed, as the JSON of `schemas.Tally`.

A counter is written from four pieces that are kept: what its window and what is counted in it are called in
the cell's name, and the fields that say the same. Tests compare the text with the type.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_args

from schemas.kinds import Measure
from streams.core.funnels.cells import (
    A_SHIFT,
    B_SHIFT,
    C_SHIFT,
    COHORT_OUTCOMES,
    COUNTER_MASK,
    MEASURE_SHIFT,
    START_SHIFT,
    WHOLE_JOURNEY,
    dwell_bounds_ms,
)
from streams.core.funnels.currencies import CURRENCIES
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import (
    ALL_TIME,
    BY_DAY,
    BY_HOUR,
    BY_MINUTE,
    KEPT_MIN,
    LENGTH_MIN,
    WINDOWS,
    ChangedCell,
)
from streams.core.ingest.times import MINUTE_MS
from streams.core.journeys.journey_step import KIND_NAMES
from streams.core.journeys.signal import DIMS
from streams.core.processing.json_text import encode_json, quoted, rfc3339
from streams.core.processing.publisher import CUE_LABELS, MOMENT_LABELS
from streams.records import Output
from streams.topology import TALLIES

MEASURES: tuple[Measure, ...] = get_args(Measure)  # in the order of their numbers; the last one has none
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
        self._dims: dict[int, tuple[str, str, str]] = {}  # of the dimensions, by their code

    def outputs(self, changed: Sequence[ChangedCell], rev: int) -> list[Output]:
        """The records that a batch writes to `<app>.tallies`. `rev`: the number of the batch."""
        outputs: list[Output] = []
        counted_of, end = self._counted.get, f',"rev":{rev}}}'
        last_window, last_start = -1, -1
        key_begin, begin, window_fields = b"", "", ""
        for (window, start, what), n in changed:
            if start != last_start or window != last_window:  # cells of one window follow each other
                last_window, last_start = window, start
                key_begin, begin, window_fields = self._window(window, start)
            name, name_json, fields = counted_of(what) or self._what(what)
            value = None if n is None else f"{begin}{name_json}{window_fields}{fields}{n}{end}".encode()
            outputs.append(Output(_TALLIES, key_begin + name, value))
        return outputs

    def moved(self, delta: Mapping[int, int], settled_mark_ms: int) -> dict[str, int]:
        """Changes of counters (as `Windows.delta` holds them) by the names of their cells: those of a day, or
        of `all` where the day is not kept any more.
        """
        oldest_min = settled_mark_ms // MINUTE_MS - LENGTH_MIN[BY_DAY] - KEPT_MIN[BY_DAY]
        moved: dict[str, int] = {}
        for cell, change in delta.items():
            day = (cell >> START_SHIFT) // LENGTH_MIN[BY_DAY] * LENGTH_MIN[BY_DAY]
            begin = self._window(ALL_TIME, 0) if day < oldest_min else self._window(BY_DAY, day)
            what = cell & COUNTER_MASK
            key = begin[0] + (self._counted.get(what) or self._what(what))[0]
            name = key.decode().partition("/")[2]  # without the partition
            moved[name] = moved.get(name, 0) + change
        return {name: change for name, change in moved.items() if change}

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
        """What a cell counts, and under which dimensions: in its name, and as the fields of a Tally."""
        code, dims = what >> C_SHIFT, what & DIMS
        name, name_json, fields = _counter(code)
        dims_name, dims_json, dims_fields = self._dims.get(dims) or self._dimensions(dims)
        made = self._counted[what] = (
            f"{name}{dims_name}".encode(),
            name_json + dims_json,
            f'{fields}{dims_fields},"count":',
        )
        return made

    def _dimensions(self, dims: int) -> tuple[str, str, str]:
        """The values of the dimensions, as the end of a cell's name and as fields."""
        values = self.dimensions.names(dims)
        name = "".join([f"/{_part(value)}" for value in values.values()])
        fields = {"dimensions": values} | {FLAT_PREFIX + key: value for key, value in values.items()}
        made = self._dims[dims] = name, quoted(name)[1:-1], "," + encode_json(fields)[1:-1].decode()
        return made


@cache  # some 3,000 of them: most are buckets and hours
def _counter(code: int) -> tuple[str, str, str]:
    """What a cell counts, without its dimensions (`counter_code`): in its name, and as the fields of a Tally.

    The fields are in the order of the type, and those that are null are left out.
    """
    what = code << C_SHIFT
    measure, a = MEASURES[what >> MEASURE_SHIFT], what >> A_SHIFT & 15
    if (measure, a) == ("dwell", WHOLE_JOURNEY):
        measure = "time_to_convert"
    b, c = what >> B_SHIFT & 7, what >> C_SHIFT & 511
    fields: dict[str, Any] = {}
    match measure:
        case "transitions":
            fields = {"kind": KIND_NAMES[a], "from": MOMENT_LABELS[b - 1], "to": MOMENT_LABELS[c - 1]}
        case "cohort":
            fields = {"furthest": MOMENT_LABELS[a - 1], "outcome": COHORT_OUTCOMES[c]}
        case "dwell":
            lower, upper = dwell_bounds_ms(c)
            fields = {"from": MOMENT_LABELS[a - 1], "bucket_s": (lower / 1000, upper / 1000)}
        case "time_to_convert":
            lower, upper = dwell_bounds_ms(c)
            fields = {"bucket_s": (lower / 1000, upper / 1000)}
        case "hour_of_week":
            fields = {"to": MOMENT_LABELS[a - 1], "hour": c}
        case "been_in":
            fields = {"moment": MOMENT_LABELS[a - 1]}
        case "cues":
            fields = {"cue": CUE_LABELS[a], "moment": MOMENT_LABELS[b - 1]}
        case "revenue":
            fields = {"kind": KIND_NAMES[a], "from": MOMENT_LABELS[b - 1], "currency": CURRENCIES[c]}
        case "stitched":
            fields = {"from": MOMENT_LABELS[b - 1]}
    name = "/".join([measure, *map(_part, fields.values())])
    given = {"measure": measure} | {key: value for key, value in fields.items() if value is not None}
    return name, quoted(name)[1:-1], encode_json(given)[1:-1].decode()


def _part(value: Any) -> str:
    """A value as it stands in the name of a cell. A slash parts the values, so in a value it is escaped."""
    if value is None:
        return NONE
    if isinstance(value, tuple):  # a bucket; 15 digits: no length of stay is written with an exponent
        return f"{value[0]:.15g}-{value[1]:.15g}"
    return str(value).replace("%", "%25").replace("/", "%2F")
