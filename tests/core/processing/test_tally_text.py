"""A counter is written as its type would be, and its cell names it and nothing else."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Tally
from streams.core.funnels.cells import COHORT_OUTCOMES, counter_code, dwell_bounds_ms
from streams.core.funnels.dimensions import DEFAULT_DIMENSIONS, Dimension, Dimensions
from streams.core.funnels.windows import ALL_TIME, BY_DAY, BY_HOUR, BY_MINUTE, WINDOWS
from streams.core.journeys.journey_step import KIND_NAMES
from streams.core.moments.verdict import CUE_NAMES
from streams.core.processing.json_text import rfc3339
from streams.core.processing.publisher import MOMENT_LABELS
from streams.core.processing.tally_text import FLAT_PREFIX, MEASURES, TallyText
from streams.topology import TALLIES

LAW = settings(max_examples=150, deadline=None, database=None)
ENCODE = msgspec.json.Encoder().encode
COUNTRIES = Dimension("a country", ("it", "a/b", "a%2Fb", '"quoted"', "日本", "-"), path="context.country")
DIMENSIONS = Dimensions([*DEFAULT_DIMENSIONS, COUNTRIES])

moments = st.integers(0, 4)
codes = st.integers(0, DIMENSIONS.codes - 1)
what = st.one_of(
    st.builds(
        lambda k, f, t: (
            counter_code(0, k, f, t),
            {"kind": KIND_NAMES[k], "from_": MOMENT_LABELS[f - 1], "to": MOMENT_LABELS[t - 1]},
        ),
        st.integers(2, 5),
        moments,
        moments,
    ),
    st.builds(
        lambda f, o: (
            counter_code(1, f + 1, 0, o),
            {"furthest": MOMENT_LABELS[f], "outcome": COHORT_OUTCOMES[o]},
        ),
        moments,
        moments,
    ),
    st.builds(
        lambda m, b: (
            counter_code(2, m + 1, 0, b),
            {
                "from_": MOMENT_LABELS[m],
                "bucket_s": (dwell_bounds_ms(b)[0] / 1000, dwell_bounds_ms(b)[1] / 1000),
            },
        ),
        moments,
        st.integers(0, 340),
    ),
    st.builds(
        lambda m, h: (counter_code(3, m + 1, 0, h), {"to": MOMENT_LABELS[m], "hour": h}),
        moments,
        st.integers(0, 167),
    ),
    st.builds(lambda m: (counter_code(4, m + 1, 0, 0), {"moment": MOMENT_LABELS[m]}), moments),
    st.builds(
        lambda c, m: (counter_code(5, c, m + 1, 0), {"cue": CUE_NAMES[c - 1], "moment": MOMENT_LABELS[m]}),
        st.integers(1, len(CUE_NAMES)),
        st.integers(-1, 4),
    ),
)


cells = st.builds(
    lambda counted, dims, window, start: (
        (window, 0 if window == ALL_TIME else start * (1, 60, 1440)[window], counted[0] + dims),
        counted[1],
    ),
    what,
    codes,
    st.integers(0, 3),
    st.integers(0, 40_000),
)


def written(
    partition: int, cell: tuple[int, int, int], n: int | None = 1, rev: int = 1
) -> tuple[bytes, bytes | None]:
    """Key and value of one counter."""
    (output,) = TallyText(partition, DIMENSIONS).outputs([(cell, n)], rev)
    assert output.topic == TALLIES.name
    return output.key or b"", output.value


@LAW
@given(cells, st.integers(0, 2**40), st.integers(1, 2**40))
def test_a_tally_says_what_its_cell_counts(
    cell: tuple[tuple[int, int, int], dict[str, Any]], n: int, rev: int
) -> None:
    """Byte for byte what encoding the type would write, with the dimensions once more as flat fields.

    Each measure has its own fields and no other; a zero is a count like any other.
    """
    (window, start, code), fields = cell
    key, raw = written(3, cell[0], n, rev)
    assert raw is not None
    read = msgspec.json.decode(raw, type=Tally)
    expected = Tally(
        cell=key.decode().removeprefix("3/"),
        partition=3,
        # the two lists of windows are held together by this test
        window=WINDOWS[window],  # type: ignore[arg-type]
        start=None if window == ALL_TIME else rfc3339(start * 60_000),
        measure=MEASURES[code >> 32],
        dimensions=DIMENSIONS.names(code & 0xFFFF),
        count=n,
        rev=rev,
        **fields,
    )
    assert expected == read
    flat = {FLAT_PREFIX + name: value for name, value in read.dimensions.items()}
    before, counted, after = ENCODE(expected).partition(b',"count":')
    assert before + b"," + ENCODE(flat)[1:-1] + counted + after == raw
    assert (key, None) == written(3, cell[0], None, rev)


@LAW
@given(cells, cells)
def test_a_cell_names_one_counter(
    one: tuple[tuple[int, int, int], Any], other: tuple[tuple[int, int, int], Any]
) -> None:
    """Two counters have one name exactly when they are one; the name is the same in every partition."""
    first, second, elsewhere = written(0, one[0]), written(0, other[0]), written(11, one[0])
    assert (first[0] == second[0]) == (one[0] == other[0])
    assert first[0].removeprefix(b"0/") == elsewhere[0].removeprefix(b"11/")


def test_the_names_of_cells() -> None:
    """A person can read them: the window, its start, the measure, what it counts, the dimensions' values."""
    minute = 29_540_000  # since 1970
    cell = [
        (BY_MINUTE, minute, counter_code(0, 2, 0, 1)),
        (BY_HOUR, minute // 60 * 60, counter_code(1, 3, 0, 3)),
        (BY_DAY, minute // 1440 * 1440, counter_code(2, 1, 0, 170)),
        (ALL_TIME, 0, counter_code(3, 4, 0, 167) + 1 + 1 * 7 + 2 * 42),
    ]
    assert [
        "7/minute/2026-03-01T21:20/transitions/opened/-/know/other/other/other",
        "7/hour/2026-03-01T21/cohort/do/abandoned/other/other/other",
        "7/day/2026-03-01/dwell/know/10485.76-11534.336/other/other/other",
        "7/all/hour_of_week/buy/167/tablet/web/it",
    ] == [written(7, of)[0].decode() for of in cell]
