"""`python -m tests.simulation SEED`: lives through one seed, or
`--seeds N` from it on, or `--soak` without end.

Exit code 1 when a law breaks: then the seed, the law, the commit and the shortest trace found are
printed. The same seed does the same again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.simulation.run import Broken, simulate
from tests.simulation.script import Send, write
from tests.simulation.shrink import shrink
from tests.simulation.world import World, draw

SHRINK_S = 30.0
SHOWN = 60  # operations of a trace
SIZES = ("partitions", "workers", "events")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from this one on")
    parser.add_argument("--met", action="store_true", help="says last what came about, as JSON")
    parser.add_argument("--soak", action="store_true", help="goes on with new seeds until it is stopped")
    for name in SIZES:
        parser.add_argument(f"--{name}", type=int, help="instead of what the seed draws")
    args = parser.parse_args()
    seed = args.seed or (time.time_ns() // 1_000_000_000 * 1_000 if args.soak else 0)
    last = None if args.soak else seed + args.seeds
    began, done, records, met = time.monotonic(), 0, 0, Counter[str]()
    try:
        while last is None or seed < last:
            world = draw(seed, args.partitions, args.workers, args.events)
            outcome = simulate(world)
            if outcome.broken:
                report(world, outcome.broken)
                return 1
            done, records, seed = done + 1, records + outcome.records, seed + 1
            met += outcome.met
            if args.soak and done % 50 == 0:
                print(
                    f"{done} seeds, {records} records, {(time.monotonic() - began) / done:.2f} s a seed, "
                    f"next {seed}",
                    flush=True,
                )
    except KeyboardInterrupt:
        pass
    if done == 1:
        print(f"seed {seed - 1}: every law holds over {records} records; digest {outcome.digest}")
    else:
        print(
            f"{done} seeds up to {seed - 1}: every law holds over {records} records, "
            f"{time.monotonic() - began:.1f} s"
        )
    if args.met:
        print(json.dumps(met))
    return 0


def report(world: World, broken: list[Broken], seconds: float = SHRINK_S) -> None:
    """What broke, and the shortest way to it that is found in that time."""
    first = broken[0]
    print(f"seed {world.seed} breaks the law `{first.law}` at commit {commit()}\n  {first.how}")
    for other in broken[1:]:
        print(f"also `{other.law}`: {other.how[:300]}")
    plain = draw(world.seed)
    over = {name: getattr(world, name) for name in SIZES if getattr(world, name) != getattr(plain, name)}
    again = f"python -m tests.simulation {world.seed}" + "".join(f" --{name} {n}" for name, n in over.items())
    print(f"{world.partitions} partitions, {world.workers} workers, {world.events} events; again: {again}")
    print(f"settings: {world.settings.fold.record().decode()}")
    script = write(world)
    kept = shrink(world, script, first.law, time.process_time, seconds)
    print(f"trace, {len(kept)} of {len(script)} operations:")
    for op in kept[:SHOWN]:
        print(
            f"  send p{op.partition} at {op.time_ms}: {op.value.decode(errors='replace')}"
            if isinstance(op, Send)
            else f"  {op}"
        )
    for found in simulate(world, kept).broken:
        if found.law == first.law:
            print(f"which breaks it so:\n  {found.how}")
            break


def commit() -> str:
    """Of the working tree, if there is one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "(none)"
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
