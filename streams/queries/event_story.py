"""What `streams why` says of one event of a person, or of a silence."""

from typing import Literal

import msgspec

Ending = Literal[
    "applied", "duplicate", "late", "no_signal", "robot", "refused", "rejected", "waiting", "gone", "silence"
]  # fmt: skip
"""`refused`: the person refused to be measured, so nothing is said of the event but where it is.
`waiting`: not processed yet. `gone`: the record is not stored any more, but transitions name it.
`silence`: no event at all, but the lack of one caused a transition at that time.
"""


class ReadAs(msgspec.Struct, frozen=True):
    """What the rules saw in an event."""

    intent: str
    sure: bool
    confidence: float
    rule: str
    rules: str  # the version
    needs: tuple[str, ...]  # "": the nameless need; "*": every need
    cue: str | None = None  # what happened besides


class DecidedBy(msgspec.Struct, frozen=True):
    """The link that decides whose an event of a device is: of the last one before it and the first one after
    it the nearer.
    """

    user: str  # who was signed in
    at: str
    event: str  # that says so
    is_before: bool  # False: the user signed in after what was done
    shared_by: int | None  # how many users the device had by then, if these are too many: it is its own


class EventStory(msgspec.Struct):
    """One event of a person, and what became of it; or a silence."""

    tenant: str | None
    profile: str  # as the event names it
    at: str | None
    event: str | None  # its id
    name: str | None
    type: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    index: int | None
    forwarded_to: int | None  # the partition that owns the person, if another one read the event
    read_as: ReadAs | None
    ending: Ending
    reason: str | None = None
    detail: str | None = None
    # Of an event that names a device alone: the user who had the device then. None: it is the profile's own.
    belongs_to: str | None = None
    decided_by: DecidedBy | None = None  # None: nobody was signed in near enough
    transitions: list[msgspec.Raw] = []
    cues: list[msgspec.Raw] = []

    def wire(self) -> bytes:
        """One JSON line without its line end."""
        return msgspec.json.encode(self)
