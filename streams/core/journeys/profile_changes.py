"""What comes about in a profile, on its way from the population to whoever publishes it."""

from collections.abc import Sequence

import msgspec

from streams.core.journeys.journey_step import CONVERTED, JourneyStep
from streams.core.journeys.profile import Profile
from streams.core.journeys.summary import Final
from streams.records import Record


class ProfileChange(msgspec.Struct, frozen=True, gc=False):
    """What a signal or a timer has changed for one profile, in the order to publish it."""

    profile: Profile
    retracted: Sequence[JourneyStep]
    asserted: Sequence[JourneyStep]
    caused_by: bytes = b""  # ref of the event that has brought the change about; b"": silence has
    source: Record | None = None  # the item that was read as this event
    moved_from: str | None = None  # the profile that the events came from; None: none was given or taken


class ProfileFinal(msgspec.Struct, frozen=True, gc=False):
    """A journey or refund of a profile that nothing can change any more."""

    profile: Profile
    final: Final


def seen_by_consumers(change: ProfileChange) -> ProfileChange:
    """The change without the corrections that nobody would see: those of a purchase's pieces alone.

    Only final records have the pieces. A page often states the same amount as the server, and no products.
    """
    stated = {(t.need, t.caused_by): t for t in change.asserted if t.kind == CONVERTED}
    unseen = set[tuple[int, bytes]]()
    for t in change.retracted:
        now = stated.get((t.need, t.caused_by)) if t.kind == CONVERTED else None
        if now is not None and msgspec.structs.replace(t, items=now.items) == now:
            unseen.add((t.need, t.caused_by))
    if not unseen:
        return change
    retracted, asserted = (
        [t for t in steps if t.kind != CONVERTED or (t.need, t.caused_by) not in unseen]
        for steps in (change.retracted, change.asserted)
    )
    return msgspec.structs.replace(change, retracted=retracted, asserted=asserted)
