"""Whose devices are, as the topic `identities` says."""

from collections import Counter
from heapq import nlargest

import msgspec

from schemas import Identity
from streams.log.port import Reader
from streams.queries.person import Person
from streams.topology import IDENTITIES

BUSIEST = 10  # devices, and people, that are named

_decode = msgspec.json.Decoder(Identity).decode


class BusyPerson(msgspec.Struct, frozen=True):
    """Somebody with many devices."""

    tenant: str | None
    person: str
    devices: int


class DeviceSummary(msgspec.Struct):
    """How many devices there are, and the busiest."""

    linked: int  # that are one user's
    people: int  # whose they are
    shared: int
    most_users: list[Identity]  # the devices on which most users are signed in
    most_devices: list[BusyPerson]


async def read_identities(reader: Reader, asked: Person | None = None) -> list[Identity]:
    """The records of a device, or of all devices of a user, by tenant and device; without a name, all."""
    found = []
    async for _, record in reader.scan(IDENTITIES.name):
        if record.value is None:
            continue
        identity = _decode(record.value)
        names = (f"d:{identity.device}", identity.person)
        if asked is None or any(name is not None and asked.has(identity.tenant, name) for name in names):
            found.append(identity)
    return sorted(found, key=lambda identity: (identity.tenant or "", identity.device))


async def count_devices(reader: Reader) -> DeviceSummary:
    """How many devices there are, and the busiest devices and people. Of equals the first by name."""
    devices, shared = Counter[tuple[str | None, str]](), 0
    most_users: list[Identity] = []
    async for _, record in reader.scan(IDENTITIES.name):
        if record.value is None:
            continue
        identity = _decode(record.value)
        if identity.person is None:
            shared += 1
        else:
            devices[identity.tenant, identity.person] += 1
        most_users = nlargest(BUSIEST, [*most_users, identity], key=lambda one: one.users)
    people = nlargest(BUSIEST, devices.items(), key=lambda pair: pair[1])
    return DeviceSummary(
        linked=devices.total(),
        people=len(devices),
        shared=shared,
        most_users=[identity for identity in most_users if identity.users > 1],
        most_devices=[BusyPerson(tenant, person, n) for (tenant, person), n in people if n > 1],
    )
