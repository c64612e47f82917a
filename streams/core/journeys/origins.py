"""Which device gave an event to a user's profile, and under which id.

In the user's journal a given event has a name that is a hash (`signal.given_ref`). What is published shows
the id as it was sent, and the device. The names stand side by side in one `bytes`, which is searched at the
speed of C: most profiles have none, and few are asked for.
"""

from collections.abc import Collection, Iterable
from struct import Struct
from typing import NamedTuple

import msgspec

ORIGIN = Struct(">17s17sH")  # the name in the journal, the id as it was sent, the number of the device
NAME_SIZE = 17


class EventOrigin(NamedTuple):
    """Where an event of a profile came from."""

    device: str  # its bare id
    ref: bytes  # the event's id within the device


class EventOrigins(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The origins of all events of a profile that devices gave."""

    devices: tuple[str, ...]
    names: bytes  # an ORIGIN for each event, in no order


NO_ORIGINS = EventOrigins((), b"")


def origin_count(origins: EventOrigins) -> int:
    """How many events have one."""
    return len(origins.names) // ORIGIN.size


def find_origin(origins: EventOrigins | None, name: bytes) -> EventOrigin | None:
    """The origin of an event by its name in the journal; None: no device gave it."""
    if origins is None:
        return None
    at = origins.names.find(name)
    while at >= 0 and at % ORIGIN.size:
        at = origins.names.find(name, at + 1)
    if at < 0:
        return None
    _, ref, device = ORIGIN.unpack_from(origins.names, at)
    return EventOrigin(origins.devices[device], ref)


def sent_id(origins: EventOrigins | None, name: bytes) -> bytes:
    """The id under which an event was sent, by its name in the journal."""
    found = find_origin(origins, name)
    return name if found is None else found.ref


def with_origins(
    origins: EventOrigins | None, device: str, events: Iterable[tuple[bytes, bytes]]
) -> EventOrigins:
    """The origins with these events (name in the journal, id) of a device added. Known ones stay."""
    old = origins or NO_ORIGINS
    events = [(name, ref) for name, ref in events if find_origin(origins, name) is None]
    devices = old.devices if device in old.devices else (*old.devices, device)
    number = devices.index(device)
    return EventOrigins(
        devices, old.names + b"".join([ORIGIN.pack(name, ref, number) for name, ref in events])
    )


def only_origins(origins: EventOrigins, kept: Collection[bytes]) -> EventOrigins | None:
    """The origins of the events with these names, and of the devices that gave one; None: of no event."""
    found = [origin for origin in ORIGIN.iter_unpack(origins.names) if origin[0] in kept]
    numbers = {number: n for n, number in enumerate(sorted({number for _, _, number in found}))}
    names = b"".join([ORIGIN.pack(name, ref, numbers[number]) for name, ref, number in found])
    return EventOrigins(tuple([origins.devices[number] for number in numbers]), names) if found else None
