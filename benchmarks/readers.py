"""What it costs to read a record of each format: `python -m benchmarks.readers`.

The records are those of the golden files. Figures are processor time per record, and the ratio to Segment's
is what counts: it is taken in one run, so it holds on any machine.
"""

import argparse
from collections.abc import Sequence
from time import process_time

from benchmarks.stages import SOURCE
from streams.core.ingest.door import door_of
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from tests.core.ingest.formats.goldens import GOLDEN, goldens

BASE = "segment"


def cost_us(name: str, rounds: int) -> float:
    """The microseconds of one record of a format, the least of all rounds."""
    records = [(golden.value, golden.headers) for golden in goldens(name)]
    reader = RecordReader(door_of(0), SOURCE)
    best_s = float("inf")
    for _ in range(rounds):
        begun_s = process_time()
        for value, headers in records:
            reader.read(value, headers, -1, LATEST_MS)
        best_s = min(best_s, process_time() - begun_s)
    return best_s / len(records) * 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.readers")
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args(arguments).rounds
    costs_us = {name: cost_us(name, rounds) for name in FORMATS if (GOLDEN / f"{name}.jsonl").exists()}
    for name, found_us in costs_us.items():
        ratio = found_us / costs_us[BASE]
        print(f"{name:<16} {found_us:8.1f} us a record   {ratio:5.1f} times Segment's")


if __name__ == "__main__":
    main()
