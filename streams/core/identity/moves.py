"""What moves between a device and users: what one partition decides, and another one does."""

import msgspec

from streams.core.journeys.signal import Signal


class Give(msgspec.Struct, frozen=True, gc=False):
    """Events of a device for the user to whom they belong."""

    user: str  # the key of the profile
    device: str  # likewise
    signals: tuple[Signal, ...]
    is_new: bool = False  # they have just come, and were nobody's before


class Take(msgspec.Struct, frozen=True, gc=False):
    """Events of a device that no longer belong to a user."""

    user: str
    device: str
    events: tuple[bytes, ...]  # `facts_key` of each: its time, and its id within the device
