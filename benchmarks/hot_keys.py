"""What an event costs when its person has sent very many: `python -m benchmarks.hot_keys`.

The same people and the same events, once after 30 signals each, once after 3,000 and 30,000, which is more
than a profile keeps. Then batches in which all events are one person's. Figures are processor time of the
whole step (`take`, `advance`, `batch`), and the ratio to people with few signals is what counts: it is taken
in one run, so it holds on any machine.
"""

import argparse
from collections.abc import Callable, Sequence
from random import Random
from time import gmtime, process_time, strftime

from benchmarks.common import NAMES, START_MS
from benchmarks.stages import SOURCE, processor, quiet_collector
from streams.core.moments.rules import Rules, default_rules
from streams.core.processing.processor import Processor
from streams.records import Fetched, Record
from streams.runtime.collector import GC_THRESHOLD

GOAL = 1.3
FEW = 30
PEOPLE = 10
EACH = 50  # events of each person in a batch that is measured: people with few have at most 80 after it
ROUNDS = 4  # batches in one measurement
LARGE_BATCH = 1_000  # events of one person
HELD = 3_000  # signals of the one person at most, since more than that are not held
BEHIND_MS = 20_000  # how far an event that is out of order is behind


class Crowd:
    """A few people, who act one after the other, each every `gap_ms`."""

    def __init__(self, rules: Rules, people: int, gap_ms: int, disorder: float) -> None:
        self.processor: Processor = processor(rules)
        self.people, self.gap_ms, self.disorder = people, gap_ms, disorder
        self.random, self.sent = Random(1), 0

    def records(self, each: int) -> list[Record]:
        """The next events: so many of each person."""
        found = []
        for n in range(self.sent, self.sent + each * self.people):
            at_ms = START_MS + n * self.gap_ms // self.people
            if self.random.random() < self.disorder:
                at_ms -= BEHIND_MS
            h, name = f"{self.random.getrandbits(128):032x}", NAMES[self.random.randrange(len(NAMES))]
            stamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(at_ms // 1000))
            order = f',"order_id":"o{n}"' if name == "Order Completed" else ""
            value = (
                f'{{"type":"track","messageId":"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}",'
                f'"userId":"u{n % self.people}","event":"{name}","timestamp":"{stamp}.{at_ms % 1000:03d}Z",'
                f'"properties":{{"price":12.5{order}}}}}'
            )
            found.append(Record(n, at_ms, None, value.encode()))
        self.sent += each * self.people
        return found

    def work(self, records: list[Record]) -> float:
        """Processor time of a batch, in seconds."""
        begun_s = process_time()
        self.processor.take(Fetched.of(SOURCE, records))
        self.processor.advance()
        self.processor.batch()
        return process_time() - begun_s

    def live_through(self, each: int) -> None:
        """Processes so many events of each person, unmeasured."""
        while each > 0:
            self.work(self.records(min(each, 500)))
            each -= 500


class Figure:
    """Processor time per event, in us: the least of several measurements."""

    def __init__(self) -> None:
        self.us = float("inf")

    def take(self, seconds: float, events: int) -> None:
        """Another measurement."""
        self.us = min(self.us, seconds * 1e6 / events)


def measure_few(make: Callable[[int], Crowd], figure: Figure) -> None:
    """People with FEW signals: new ones for each batch, since they would have more after it."""
    spent_s = 0.0
    for _ in range(ROUNDS):
        crowd = make(PEOPLE)
        crowd.live_through(FEW)
        spent_s += crowd.work(crowd.records(EACH))
    figure.take(spent_s, ROUNDS * EACH * PEOPLE)


def measure_many(crowd: Crowd, figure: Figure) -> None:
    """People who have many signals, and get more."""
    spent_s = sum(crowd.work(crowd.records(EACH)) for _ in range(ROUNDS))
    figure.take(spent_s, ROUNDS * EACH * PEOPLE)


def measure_batch(make: Callable[[int], Crowd], signals: int, figure: Figure) -> None:
    """One person, to whom all events of a batch belong."""
    crowd = make(1)
    crowd.live_through(signals)
    figure.take(crowd.work(crowd.records(LARGE_BATCH)), LARGE_BATCH)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints. All figures are measured in turn, several times, so that they share what the
    machine does beside this.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hot_keys", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--many", type=int, nargs="*", default=[3_000, 30_000], help="signals of a person")
    parser.add_argument("--gap", type=float, default=10.0, help="seconds between two events of a person")
    parser.add_argument("--disorder", type=float, default=0.0, help="the part of them that is out of order")
    parser.add_argument("--runs", type=int, default=5, help="of which the least counts")
    given = parser.parse_args(arguments)
    rules = default_rules()

    def make(people: int) -> Crowd:
        return Crowd(rules, people, int(given.gap * 1000), given.disorder)

    few, many = Figure(), {signals: Figure() for signals in given.many}
    batches = {signals: Figure() for signals in (FEW, *given.many)}
    with quiet_collector(GC_THRESHOLD):
        crowds = {signals: make(PEOPLE) for signals in many}
        for signals, crowd in crowds.items():
            crowd.live_through(signals)
        for _ in range(given.runs):
            measure_few(make, few)
            for signals, crowd in crowds.items():
                measure_many(crowd, many[signals])
            for signals in batches:
                measure_batch(make, min(signals, HELD), batches[signals])
    print(f"people with {FEW} signals: {few.us:.1f} us per event")
    for signals, figure in many.items():
        show(f"people with {signals:,} signals", figure.us, few.us)
    for signals, figure in batches.items():
        show(f"{LARGE_BATCH:,} events in one batch of a person with {signals:,} signals", figure.us, few.us)


def show(what: str, many_us: float, few_us: float) -> None:
    """One line."""
    ratio = many_us / few_us
    met = "met" if ratio <= GOAL else "MISSED"
    print(f"{what}: {many_us:6.1f} us, {ratio:.2f} times; goal {GOAL}: {met}")


if __name__ == "__main__":
    main()
