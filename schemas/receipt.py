"""`<app>.redriven`: how redriven items ended, one receipt per item and command.

The key is the item and the command: `topic:partition:offset:index:part command`. A receipt names no person.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import COUNT, INSTANT, documented

DeadLetterTopic = Literal["late", "rejected"]
# More may come with a minor version, as reasons do: so the schema names them in words only.
RedrivenOutcome = Literal[
    "applied", "duplicate", "no_signal", "refused", "robot", "late", "rejected", "already", "forwarded"
]


class MovedCounter(msgspec.Struct, frozen=True, gc=False):
    """A counter that a redriven item has changed."""

    cell: Annotated[
        str,
        documented("the counter, named as in `tallies`: of a day, or of `all` where the day is not kept"),
    ]
    change: Annotated[int, documented("by how much; negative where something was taken back")]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """How one redriven item ended."""

    command: Annotated[str, documented("the id of the command that redrove it")]
    letter: Annotated[str, documented("where its dead letter lies: late or rejected")]
    topic: Annotated[str, documented("the topic that the item was read from first")]
    partition: Annotated[int, documented("the partition of that topic", **COUNT)]
    offset: Annotated[int, documented("the offset of its record in that partition", **COUNT)]
    index: Annotated[int, documented("which item of its record; 0 if the record is one item", **COUNT)]
    part: Annotated[
        int, documented("which of the items that its dead letter is read as now; 0 if that is one", **COUNT)
    ]
    outcome: Annotated[
        str,
        documented(
            "applied; duplicate: its event is known; no_signal: it says nothing about intent; refused: its"
            " person refuses to be measured; robot: a robot sent it; late: once more; rejected: it still"
            " cannot be read; already: redriven before; forwarded: the receipt of the partition"
            " `forwarded_to` says how it ended"
        ),
    ]
    reason: Annotated[
        str | None,
        documented(
            "of late: final (something final lies behind it); of rejected: as in the rejected topic, or"
            " owner_changed (another partition took it first), or letter_gone (its dead letter is not kept"
            " any more); else null"
        ),
    ] = None
    parts: Annotated[
        int,
        documented("how many items its dead letter is read as now; each has a receipt of its own", **COUNT),
    ] = 1
    new_person: Annotated[bool, documented("nothing was held of its person, who counts as new")] = False
    held_from: Annotated[
        str | None,
        documented(
            "events of its person that are dated before this were not known one by one as it was taken",
            **INSTANT,
        ),
    ] = None
    parted: Annotated[bool, documented("and they were not held at all: it is read without them")] = False
    link: Annotated[
        bool, documented("it is a link: it says that its user was on its device, and that is taken")
    ] = False
    unmoved: Annotated[
        bool, documented("it is a device's, and stays its own: no link can move what is so old")
    ] = False
    left_out: Annotated[
        tuple[str, ...], documented("the needs in which it does not count: there was no place for them")
    ]
    forwarded_to: Annotated[int | None, documented("the partition that owns its person")] = None
    counters: Annotated[tuple[MovedCounter, ...], documented("the counters that it has changed")]
    rev: Annotated[int, documented("the number of the batch of the partition that wrote this", **COUNT)]
