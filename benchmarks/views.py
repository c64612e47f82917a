"""What the read model costs: `python -m benchmarks.views`.

Counters of hours, about as many in each as a busy shop has, from some partitions with twelve combinations of
dimensions. Figures are processor time; bytes are those that Python has allocated for the table, names
included.
"""

import argparse
import tracemalloc
from collections.abc import Sequence
from random import Random
from time import process_time

from streams.core.funnels.cells import (
    BEEN_IN_CODES,
    C_SHIFT,
    COHORT_CODES,
    DWELL_CODES,
    ENTRY_CODES,
)
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import BY_HOUR, ChangedCell
from streams.core.ingest.times import MINUTE_MS
from streams.core.processing.tally_text import TallyText
from streams.log.tail import TailPosition
from streams.queries.cell_table import CellTable
from streams.queries.funnel_window import CellWindow
from streams.queries.views.snapshot import decode_snapshot, encode_snapshot
from streams.records import Output

CELLS_PER_HOUR = 226  # of the shop that is measured in docs/operations.md
DIMENSION_CODES = 12
BUCKETS, HOURS = range(40, 220), range(168)
WEEK_MS = 168 * 60 * MINUTE_MS
CODES = (
    *[code for codes in COHORT_CODES for code in codes],
    *BEEN_IN_CODES,
    *[code + (bucket << C_SHIFT) for code in DWELL_CODES[:4] for bucket in BUCKETS],
    *[code + (hour << C_SHIFT) for code in ENTRY_CODES for hour in HOURS],
)


def records(cells: int, partitions: int, seed: int = 1) -> list[Output]:
    """About so many counters, as partitions write them."""
    rnd, found = Random(seed), list[Output]()
    for partition in range(partitions):
        changed: list[ChangedCell] = []
        for hour in range(cells // partitions // CELLS_PER_HOUR):
            for code in rnd.sample(CODES, CELLS_PER_HOUR):
                cell = BY_HOUR, hour * 60, code + rnd.randrange(DIMENSION_CODES)
                changed.append((cell, rnd.randrange(1, 2_000)))
        found += TallyText(partition, Dimensions()).outputs(changed, 1)
    return found


def filled(outputs: Sequence[Output]) -> CellTable:
    """A table that has read them."""
    table = CellTable()
    apply = table.apply
    for output in outputs:
        apply(output.topic, output.key, output.value)
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.views")
    parser.add_argument("--cells", type=int, default=400_000)
    parser.add_argument("--partitions", type=int, default=4)
    given = parser.parse_args(arguments)
    outputs = records(given.cells, given.partitions)
    begun_s = process_time()
    table = filled(outputs)
    print(f"{len(outputs) / (process_time() - begun_s):12,.0f} counters a second are taken in")
    begun_s = process_time()
    sums = table.sums(CellWindow(BY_HOUR, 0, WEEK_MS))
    print(f"{(process_time() - begun_s) * 1e3:12.1f} ms to add up a week of hours ({len(sums):,} sums)")
    raw = encode_snapshot("bench", table, {("tallies", 0): TailPosition(0)})
    begun_s = process_time()
    decode_snapshot(raw, "bench")
    spent_s = process_time() - begun_s
    print(f"{len(table) / spent_s:12,.0f} counters a second come out of a snapshot")
    print(f"{len(raw) / len(table):12.1f} bytes a counter in it")
    del table
    tracemalloc.start()
    table = filled(outputs)
    print(f"{tracemalloc.get_traced_memory()[0] / len(table):12.1f} bytes a counter ({len(table):,})")
    tracemalloc.stop()


if __name__ == "__main__":
    main()
