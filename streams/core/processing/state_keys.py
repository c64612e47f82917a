"""The records of the state topic: what each kind of key holds, and how it is encoded and decoded.

p <profile> <zero byte>             the head of a profile
p <profile> <zero byte> b           its needs and its base
p <profile> <zero byte> g           which devices gave it events
p <profile> <zero byte> <number>    one sealed segment of its journal
i <device> <zero byte>              the links of a device
i <device> <zero byte> <event>      an event that it gave, and to whom
c <window> <start> <group>          a group of counters
r <number>                          a version of the rules
d <number>                          a door
o <hash of an item>                 which command redrove it, or to which partition it was sent on
"""

from collections.abc import Iterable
from struct import Struct

import msgspec

from streams.core.funnels.windows import CellGroup, GroupCounts
from streams.core.identity.device import DevicePart
from streams.core.ingest.door import Door
from streams.core.journeys.store import BASE_PART, HEAD_PART, ORIGINS_PART, ProfilePart
from streams.core.processing.rulebook import Rulebook, RulesVersion
from streams.records import StateRecord

# First byte of a key.
PROFILE, LINKED_DEVICE, CELLS, RULES, DOOR, REDRIVEN_ITEM = b"p", b"i", b"c", b"r", b"d", b"o"
_BASE, _ORIGINS = b"b", b"g"
_PARTS = {BASE_PART: _BASE, ORIGINS_PART: _ORIGINS}  # parts of a profile that have a name
_NUMBERS = {name: number for number, name in _PARTS.items()}
_SEGMENT, _GROUP, _NUMBER = Struct(">I"), Struct(">BIQ"), Struct(">H")

_encode = msgspec.msgpack.Encoder().encode
_decode_counts = msgspec.msgpack.Decoder(GroupCounts).decode
_decode_version = msgspec.msgpack.Decoder(RulesVersion).decode
_decode_door = msgspec.msgpack.Decoder(Door).decode


class ItemFate(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of a redriven item in a partition."""

    letters: str  # where its dead letter lies: `late:3`, `rejected:0`
    letter_offset: int
    taken_by: str | None  # the command; None: it was sent on
    sent_to: int = -1  # the partition to which it was sent on


_decode_fate = msgspec.msgpack.Decoder(ItemFate).decode


class Restored(msgspec.Struct):
    """The state records of a partition, decoded."""

    profiles: dict[str, dict[int, bytes]] = {}  # parts by number, by the profile's key
    devices: dict[str, dict[bytes, bytes]] = {}  # parts by name, by the key of the device's profile
    counters: list[tuple[CellGroup, GroupCounts]] = []
    versions: dict[int, RulesVersion] = {}
    doors: dict[int, Door] = {}
    redriven: dict[bytes, ItemFate] = {}  # by hash of the item


def profile_records(parts: Iterable[ProfilePart]) -> list[StateRecord]:
    """The state records of parts of profiles."""
    records = []
    for part in parts:
        key = PROFILE + part.key.encode() + b"\0"
        if part.number != HEAD_PART:
            key += _PARTS.get(part.number) or _SEGMENT.pack(part.number)
        records.append(StateRecord(key, part.value))
    return records


def device_records(parts: Iterable[DevicePart]) -> list[StateRecord]:
    """The state records of parts of devices."""
    return [StateRecord(LINKED_DEVICE + part.key.encode() + b"\0" + part.name, part.value) for part in parts]


def counter_records(groups: Iterable[tuple[CellGroup, GroupCounts | None]]) -> list[StateRecord]:
    """The state records of groups of counters. Counts of None: their window has expired."""
    return [
        StateRecord(CELLS + _GROUP.pack(*group), None if counts is None else _encode(counts))
        for group, counts in groups
    ]


def rules_record(number: int, version: RulesVersion) -> StateRecord:
    """The state record of a version of the rules. `number`: its place in the rulebook."""
    return StateRecord(RULES + _NUMBER.pack(number), _encode(version))


def door_record(number: int, door: Door) -> StateRecord:
    """The state record of a door. `number`: its place in the rulebook."""
    return StateRecord(DOOR + _NUMBER.pack(number), _encode(door))


def version_records(book: Rulebook, versions: int, doors: int) -> list[StateRecord]:
    """The state records of the versions of rules and the doors that the state does not hold yet: it has so
    many of them.
    """
    new = [rules_record(n, book.versions[n]) for n in range(versions, len(book.versions))]
    return new + [door_record(n, book.doors[n]) for n in range(doors, len(book.doors))]


def redriven_record(item: bytes, fate: ItemFate | None) -> StateRecord:
    """The state record of a redriven item, by its hash. None: its dead letter is kept no longer."""
    return StateRecord(REDRIVEN_ITEM + item, None if fate is None else _encode(fate))


def restored(state: Iterable[StateRecord]) -> Restored:
    """Decodes state records, sorted by what they hold.

    Raises msgspec.MsgspecError, struct.error or ValueError for a damaged one.
    """
    found = Restored()
    for record in state:
        key, value = record.key, record.value
        if value is None:
            continue
        match key[:1]:
            case b"p":
                name, _, number = key[1:].partition(b"\0")
                part = HEAD_PART
                if number:
                    part = _NUMBERS[number] if number in _NUMBERS else _SEGMENT.unpack(number)[0]
                found.profiles.setdefault(name.decode(), {})[part] = value
            case b"i":
                name, _, event = key[1:].partition(b"\0")
                found.devices.setdefault(name.decode(), {})[event] = value
            case b"c":
                found.counters.append((_GROUP.unpack(key[1:]), _decode_counts(value)))
            case b"r":
                found.versions[_NUMBER.unpack(key[1:])[0]] = _decode_version(value)
            case b"d":
                found.doors[_NUMBER.unpack(key[1:])[0]] = _decode_door(value)
            case b"o":
                found.redriven[key[1:]] = _decode_fate(value)
            case unknown:
                raise ValueError(f"no state key begins with {unknown!r}")
    return found
