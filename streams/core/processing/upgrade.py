"""Brings what an older version of this program has stored to the format of this one, so that nobody has to replay to upgrade.

The checkpoint carries the number of the format that it and all state records have (`checkpoint.FORMAT`: profile heads and segments, cells, versions
of the rules). Whoever changes what is stored raises it by one and adds one step here; `tests/upgrade` keeps data of every format. At a start the
steps are applied in order, in memory, and one commit writes what they changed together with the checkpoint: a crash before it changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from streams.core.processing import checkpoint
from streams.core.processing.checkpoint import FORMAT, Checkpoint
from streams.errors import Incompatible


class Stored(NamedTuple):
    """All that is stored of a partition, in some format."""

    checkpoint: list[Any]  # its fields in order; the first is the format, which steps leave alone
    state: dict[bytes, bytes]  # state records by key


class Upgraded(NamedTuple):
    """The same in this program's format."""

    checkpoint: Checkpoint
    state: list[tuple[bytes, bytes]]
    rewritten: (
        list[tuple[bytes, bytes | None]] | None
    )  # to be committed: state records that differ (a value of None: gone). None: it was so already


Step = Callable[[Stored], Stored]
STEPS: Mapping[int, Step] = {}  # by the format that a step takes; it gives the next


def upgrade(raw: bytes, state: list[tuple[bytes, bytes]]) -> Upgraded:
    """From a stored checkpoint and its state records. Raises Incompatible when they are newer than this program, or no step takes them."""
    number = checkpoint.format_of(raw)
    if number >= FORMAT:
        return Upgraded(checkpoint.decode(raw), state, None)
    before = dict(state)
    stored = Stored(msgspec.msgpack.decode(raw), before.copy())
    for n in range(number, FORMAT):
        if n not in STEPS:
            raise Incompatible(
                f"the state has format {number}, and this program no longer reads what is older than format {FORMAT}: upgrade by way of a"
                " version in between, or start a new data directory and replay"
            )
        stored = STEPS[n](stored)
    after = stored.state
    rewritten: list[tuple[bytes, bytes | None]] = [(key, None) for key in before if key not in after]
    rewritten += [(key, value) for key, value in after.items() if before.get(key) != value]
    return Upgraded(
        checkpoint.decode(msgspec.msgpack.encode([FORMAT, *stored.checkpoint[1:]])),
        list(after.items()),
        rewritten,
    )
