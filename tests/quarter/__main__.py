"""`python -m tests.quarter`: a quarter of a shop, at full speed through all partitions, and by the oracle.

Prints how items ended and what moved; exit code 1 if a counter differs. 5,000,000 events take some twenty
minutes and 5 GB of memory.
"""

import argparse
import sys

from streams.core.moments.rules import default_rules
from tests.quarter.run import Plan, differences, publish

SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.quarter",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument(
        "--ahead", type=int, default=1, help="days that a partition may be ahead of another one"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--off", action="store_true", help="with identity off")
    given = parser.parse_args()
    plan = Plan(given.events, given.partitions, given.seed, not given.off, given.ahead)
    rules = default_rules()
    published = publish(plan, rules)
    print(
        f"{plan.events:,} events, {plan.partitions} partitions: {published.spent_s:.0f} s of processor time"
    )
    print("items:", ", ".join(f"{n:,} {name}" for name, n in published.counts.items()))
    print("moves:", ", ".join(f"{n:,} {name}" for name, n in published.moves.items()))
    print(f"{len(published.counters):,} counters are kept", flush=True)
    found = differences(plan, rules, published)
    for line in found[:SHOWN]:
        print(line)
    print(f"{len(found):,} counters differ from the oracle's" if found else "All are the oracle's.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
