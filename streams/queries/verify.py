"""Computes everything again from the stored input, in one batch, and compares it with what was published."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streams.core.processing.checkpoint import decode_checkpoint
from streams.errors import InputError
from streams.log.port import Reader
from streams.queries.recomputation import Recomputation, Unchecked


class Verified(NamedTuple):
    """How much was compared, the first difference, and the records that could not be checked."""

    records: int
    profiles: int
    transitions: int
    difference: str | None
    unchecked: Sequence[Unchecked] = ()


async def verify(reader: Reader, on_progress: Callable[[int, int], None]) -> Verified:
    """Recomputes and compares partition after partition, and stops at the first difference.

    `on_progress` is called with the items done so far and the number of all items. A partition is not
    compared if it has records of an era whose reader this release does not have: `unchecked` names their
    offsets. Raises InputError if nothing was processed yet, and Incompatible for another format.
    """
    stored = [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
    if not any(stored):
        raise InputError("nothing has been processed in this data directory yet: there is nothing to verify")
    total = sum(checkpoint.counts.received for checkpoint in stored if checkpoint is not None)
    done = profiles = transitions = 0
    unchecked: list[Unchecked] = []
    for partition, checkpoint in enumerate(stored):
        if checkpoint is None:
            continue
        found = await Recomputation.load(reader, partition, checkpoint)
        async for n in found.read_input():
            on_progress(done + n, total)
        done += found.counts.received
        profiles += len(found.people)
        if found.unchecked:
            unchecked += found.unchecked
            continue
        difference = found.difference_in_counts() or await found.difference()
        transitions += found.transitions
        if difference:
            return Verified(done, profiles, transitions, f"partition {partition}: {difference}", unchecked)
    return Verified(done, profiles, transitions, None, unchecked)
