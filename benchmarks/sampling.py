"""Where the processor time of a command goes, by samples.

    python -m benchmarks.sampling run --kafka 127.0.0.1:9092 --app shop --input clicks

runs `streams run ...` and prints at its end, when it is asked to stop, the share of each stage. A timer of
processor time interrupts it; the kernel fires that every 4 ms at most. Importing is left out.
"""

import atexit
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from types import FrameType

EVERY_S = 0.002  # of processor time, of all threads
MARK = "sampled:"

# A sample belongs to the first stage of which a function is being called: (stage, end of its file, function).
STAGES = (
    ("funnel: following the tallies", "log/kafka/tail.py", ""),
    ("funnel: totals", "core/funnels/totals.py", ""),
    ("funnel: writing", "log/kafka/funnel.py", ""),
    ("read", "log/kafka/session.py", "KafkaSession.read"),
    ("commit: groups and batches", "log/kafka/session.py", "KafkaSession.commit"),
    ("fold: items, signals, journeys", "processing/processor.py", "Processor._take_records"),
    ("transitions and their counters", "processing/processor.py", "Processor.publish"),
    ("batch: counters, current, state", "processing/processor.py", "Processor.batch"),
    ("timers", "processing/processor.py", "Processor.advance"),
    ("client: sending", "aiokafka/producer/sender.py", ""),
    ("client: fetching", "aiokafka/consumer/fetcher.py", ""),
    ("agents, freeing of batches", "runtime/supervisor.py", ""),
)
OTHER = "loop, sockets, group"


def stage_of(functions: list[tuple[str, str]]) -> str | None:
    """The stage of a stack, of (file, function) from the inside out; None: it imports."""
    if any("importlib" in file for file, _ in functions):
        return None
    for stage, end, name in STAGES:
        if any(file.endswith(end) and function.startswith(name) for file, function in functions):
            return stage
    return OTHER


def begin() -> Counter[str | None]:
    """Samples this process from now on. The counter that is returned grows."""
    found: Counter[str | None] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        functions = []
        while frame is not None:
            functions.append((frame.f_code.co_filename, frame.f_code.co_qualname))
            frame = frame.f_back
        found[stage_of(functions)] += 1

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    return found


def tell(found: Counter[str | None]) -> None:
    """Ends the sampling and prints."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    whole = sum(count for stage, count in found.items() if stage is not None) or 1
    for stage, count in found.most_common():
        if stage is not None:
            print(f"{MARK}  {stage:40}{100 * count / whole:6.1f} %", flush=True)
    print(f"{MARK}  {whole:,} samples", flush=True)


def sampled(text: str) -> Iterator[str]:
    """The lines of `tell` in what a process has written."""
    return (line.removeprefix(MARK) for line in text.splitlines() if line.startswith(MARK))


if __name__ == "__main__":
    from streams.cli import main

    atexit.register(tell, begin())
    sys.argv[0] = "streams"
    main()
