"""What comes about in a profile, on its way from the population to whoever publishes it."""

from collections.abc import Sequence

import msgspec

from streams.core.journeys.journey_step import JourneyStep
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


class ProfileFinal(msgspec.Struct, frozen=True, gc=False):
    """A journey or refund of a profile that nothing can change any more."""

    profile: Profile
    final: Final
