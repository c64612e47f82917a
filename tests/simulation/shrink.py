"""The shortest script that still breaks the same law: operations are left out, in halves, quarters and
one by one, for as long as time is given.
"""

from collections.abc import Callable, Sequence

from tests.simulation.run import simulate
from tests.simulation.script import Op
from tests.simulation.world import World


def shrink(
    world: World, script: Sequence[Op], law: str, clock: Callable[[], float], seconds: float
) -> list[Op]:
    """`clock`: seconds, from anywhere; nothing else is timed here. Those of the process are as good on a busy
    machine.
    """
    until = clock() + seconds

    def breaks(ops: Sequence[Op]) -> bool:
        return any(broken.law == law for broken in simulate(world, ops).broken)

    kept, size = list(script), max(1, len(script) // 2)
    while clock() < until:
        begin, before = 0, len(kept)
        while begin < len(kept) and clock() < until:
            shorter = kept[:begin] + kept[begin + size :]
            if breaks(shorter):
                kept = shorter
            else:
                begin += size
        if size == 1 and len(kept) == before:
            break
        size = max(1, size // 2)
    return kept
