"""Computes everything again from the stored input, in one batch, and compares it with what was published."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streams.core.processing.checkpoint import decode_checkpoint
from streams.errors import ConfigError, InputError
from streams.log.port import Reader
from streams.queries.partition_check import PartitionCheck
from streams.queries.recomputation import Unchecked

DEFAULT_MEMORY_BYTES = 1 << 30
BASE_BYTES = 64 << 20  # measured: Python, this program and its client, before a record is read

LEAST_BYTES = 8 << 20  # for people: with less, the input would be read hundreds of times


class Verified(NamedTuple):
    """How much was compared, the first difference, and what could not be checked."""

    records: int
    profiles: int
    transitions: int
    difference: str | None
    unchecked: Sequence[Unchecked] = ()
    unchecked_profiles: int = 0  # people whose history is not whole any more, as far as they are known
    cues: int = 0
    counters: int = 0
    unchecked_counters: int = 0
    cut: Sequence[str] = ()  # `topic:partition`, where retention has taken the beginning
    slices: int = 1  # how often the input was read, at most
    devices: int = 0  # whose owner was compared; none with identity off


async def verify(
    reader: Reader, on_progress: Callable[[int, int], None], memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> Verified:
    """Recomputes and compares partition after partition, and stops at the first difference.

    `on_progress` is called with the items done so far and the number of all items. `memory_bytes` bounds what
    people take: with less, the input is read more often. A partition is not compared if it has records of an
    era whose reader this release does not have: `unchecked` names their offsets. Raises InputError if nothing
    was processed yet, ConfigError for too little memory, and Incompatible for another format.
    """
    stored = [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
    if not any(stored):
        raise InputError("nothing has been processed yet: there is nothing to verify")
    totals = [0 if known is None else known.counts.received + known.counts.forwarded for known in stored]
    found = Verified(0, 0, 0, None)
    done = 0
    for partition in range(len(stored)):
        (raw,) = await reader.checkpoints(partition)
        if raw is None:
            continue
        check = await PartitionCheck.load(reader, partition, decode_checkpoint(raw))
        rest = sum(totals[partition + 1 :])

        def report(read: int, total: int, before: int = done, rest: int = rest) -> None:
            on_progress(before + read, before + total + rest)

        for_people = memory_bytes - BASE_BYTES - check.size_bytes
        if for_people < LEAST_BYTES:
            needed = (memory_bytes - for_people + LEAST_BYTES >> 20) + 1
            raise ConfigError(
                f"--memory: {memory_bytes >> 20} MB are not enough for the counters and dead letters of "
                f"partition {partition}: give at least {needed}MB"
            )
        difference = await check.run(for_people, report)
        done += check.records
        found = Verified(
            records=found.records + check.records,
            profiles=found.profiles + check.people.checked,
            transitions=found.transitions + check.people.transitions,
            difference=None if difference is None else f"partition {partition}: {difference}",
            unchecked=[*found.unchecked, *check.unchecked],
            unchecked_profiles=found.unchecked_profiles + check.people.unchecked,
            cues=found.cues + check.people.cues,
            counters=found.counters + check.counters.checked,
            unchecked_counters=found.unchecked_counters + check.counters.unchecked,
            cut=sorted({*found.cut, *check.cut}),
            slices=max(found.slices, check.slices),
            devices=found.devices + check.owners.checked,
        )
        if difference is not None:
            break
    return found
