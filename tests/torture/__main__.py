"""`python -m tests.torture SEED`: one run.

Exit code 1 when a law breaks; then the logs stay, and where they are is said.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from tests.kafka.broker import Missing
from tests.torture.bugs import BUGS
from tests.torture.ground import Brokers, Ground
from tests.torture.in_memory import run_in_memory
from tests.torture.plan import KIND_NAMES, LONG, SHORT, draw
from tests.torture.run import Outcome, run

SHOWN = 500  # characters of how a law was broken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument(
        "--short",
        action="store_true",
        help=f"{SHORT.events:,} events and {SHORT.hits} hits; else {LONG.events:,} and {LONG.hits}",
    )
    parser.add_argument("--events", type=int, help="how many")
    parser.add_argument("--hits", type=int, help="how many")
    parser.add_argument("--seconds", type=float, help="that the events and hits are spread over")
    parser.add_argument("--kinds", nargs="+", choices=KIND_NAMES, default=(), help="only such hits")
    parser.add_argument("--brokers", type=int, choices=(1, 3), help="how many; 1 in a short run, else 3")
    parser.add_argument("--plant", choices=sorted(BUGS), help="a bug that the run is to find")
    parser.add_argument("--memory", action="store_true", help="no brokers, no processes and no hits")
    parser.add_argument("--logs", type=Path, help="where the workers' logs go, and stay")
    args = parser.parse_args()
    size = SHORT if args.short else LONG
    given = {"events": args.events, "hits": args.hits, "seconds": args.seconds}
    size = size._replace(**{name: n for name, n in given.items() if n})
    directory = args.logs or Path(tempfile.mkdtemp(prefix="torture-"))
    directory.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def say(text: str) -> None:
        line = f"{time.monotonic() - began:6.1f} s  {text}"
        print(line, flush=True)
        with (directory / "run.log").open("a") as file:
            file.write(line + "\n")

    plan = draw(args.seed, size, args.kinds)
    named = " with names" if plan.static else ""
    reach = {} if plan.links is None else plan.links._asdict()
    links = " ".join(f"{name} {value}" for name, value in reach.items()) or "off"
    say(
        f"seed {args.seed}: {plan.workers} workers{named}, idle after {plan.idle_after}, identity {links}, "
        f"{size.events:,} events, {size.hits} hits"
    )
    if args.memory:
        outcome = asyncio.run(run_in_memory(plan, args.seed, say))
    else:
        try:
            brokers = Brokers(args.brokers or (1 if args.short else 3))
        except Missing as missing:
            print(missing, file=sys.stderr)
            return 2
        say(str(brokers))
        ground = Ground(brokers, f"t{uuid4().hex[:10]}")
        try:
            outcome = asyncio.run(run(plan, ground, brokers, args.plant, directory, say))
        finally:
            brokers.end()
    show(outcome, args.seed)
    if outcome.broken:
        (directory / "broken.txt").write_text("".join(f"{law}: {how}\n" for law, how in outcome.broken))
        print(f"logs: {directory}")
        return 1
    if args.logs is None:
        shutil.rmtree(directory)
    return 0


def show(outcome: Outcome, seed: int) -> None:
    """The table at the end."""
    print(f"\n{'hits':36}" + ", ".join(f"{n} {kind}" for kind, n in sorted(outcome.hits.items())))
    for what, n in outcome.figures.items():
        print(f"{what:36}{n:>12,}")
    laws = dict.fromkeys(law for law, _ in outcome.broken)
    for name in laws:
        hows = [how for law, how in outcome.broken if law == name]
        print(f"BROKEN {name}, {len(hows)} times: {hows[0][:SHOWN]}")
    print(
        f"seed {seed}: {'BROKEN' if outcome.broken else 'every law holds'}, {outcome.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
