"""Reads any JSON object by a mapping: which field of an event stands where in the record.

A row of a table is such an object, too: text under the names of the columns. What is not mapped goes into the
properties under its own name, so that nothing is lost.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from streams.core.ingest.draft import Draft, Found, Stamp
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.segment import SEGMENT_FORMAT

MAPPING = "mapping"
FIELDS = ("messageId", "anonymousId", "userId", "type", "event", "name", "timestamp", "channel")
BAGS = ("properties", "context")
REQUIRED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "when an event happened": ("timestamp",),
    "who it was": ("userId", "anonymousId"),
}
"""The fields without which every record would be rejected. All others can be made up."""
CONSTANT = "="  # begins what is no path, but the text itself: the same for each record
MAX_SPLIT_TARGETS = 1024  # split fields and paths that are remembered: a mapping has a handful

Tree = dict[str, "Tree"]


class MappingFault(NamedTuple):
    """What is wrong with a mapping."""

    field: str | None  # None: it is about the mapping as a whole
    text: str  # what would be right


def mapping_fault(mapping: Mapping[str, str]) -> MappingFault | None:
    """What is wrong with a mapping from fields of an event to paths in a record; None if nothing is."""
    for field, path in mapping.items():
        bag, *keys = field.split(".")
        if field not in FIELDS and not (bag in BAGS and keys and all(keys)):
            right = ", ".join((*FIELDS, *(f"{bag}.<name>" for bag in BAGS)))
            return MappingFault(field, f"{field!r} is no field; the fields are: {right}")
        if path in ("", CONSTANT):
            return MappingFault(field, "names nothing: write where a record has it, such as user.id")
        inside = next((other for other in mapping if other.startswith(f"{field}.")), None)
        if inside is not None:
            return MappingFault(field, f"{inside} lies inside it; only one of the two can be mapped")
    for meaning, fields in REQUIRED_FIELDS.items():
        if not any(field in mapping for field in fields):
            return MappingFault(None, f"nothing is mapped to {' or '.join(fields)} ({meaning})")
    return None


def mapped_record(document: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """The record as a call of the Segment spec. What the record does not have, or has empty, is left out."""
    used: Tree = {}
    found: list[tuple[str, Any, bool]] = []
    for field, path in mapping.items():
        if path.startswith(CONSTANT):
            found.append((field, path.removeprefix(CONSTANT), False))
            continue
        keys = (path,) if path in document else _split(path)
        value, is_spread = _find(document, keys)
        branch = used
        for key in keys:
            branch = branch.setdefault(key, {})
        if value is not None and value != "":
            found.append((field, value, is_spread))
    record: dict[str, Any] = {"type": "track", "properties": _rest(document, used)}
    for field, value, is_spread in found:
        _put(record, _split(field), value, is_spread)
    return record


def mapping_draft(document: Any, context: InputContext) -> Draft | Rejection | None:
    """Reads an object by the mapping of its input."""
    if not context.mapping:
        return reject(Reason.UNKNOWN_FORMAT, "there is no mapping to read it by")
    if not isinstance(document, dict):
        return reject(Reason.WRONG_TYPE, "the record is not an object")
    draft = SEGMENT_FORMAT.draft(mapped_record(document, context.mapping), context)
    if isinstance(draft, Draft):
        names = context.mapping
        draft.ids, draft.users = _named(draft.ids, names), _named(draft.users, names)
        draft.devices, draft.names = _named(draft.devices, names), _named(draft.names, names)
        draft.happened = tuple(
            [Stamp(names.get(stamp.path, stamp.path), stamp.value, stamp.unit) for stamp in draft.happened]
        )
        draft.identity = document
    return draft


def decisive_paths(mapping: Mapping[str, str]) -> frozenset[str]:
    """Where a record has ids, its time and its name."""
    return frozenset(mapping[field] for field in FIELDS if field in mapping)


def _named(found: Iterable[Found], mapping: Mapping[str, str]) -> tuple[Found, ...]:
    """These values, under the paths where the record has them."""
    return tuple([Found(mapping.get(path, path), value) for path, value in found])


@lru_cache(MAX_SPLIT_TARGETS)
def _split(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _find(value: Any, keys: tuple[str, ...]) -> tuple[Any, bool]:
    """What stands there, and whether it is spread over the members of a list on the way."""
    for n, key in enumerate(keys):
        if isinstance(value, list):
            members = [_find(member, keys[n:])[0] for member in value]
            return (members, True) if any(member is not None for member in members) else (None, False)
        if not isinstance(value, dict):
            return None, False
        value = value.get(key)
    return value, False


def _rest(value: Any, used: Tree) -> Any:
    """What is left of an object, or of each member of a list, without what is used elsewhere."""
    if isinstance(value, list):
        members = [_rest(member, used) for member in value]  # each stays in its place
        return members if any(member not in ({}, None, "") for member in members) else []
    if not isinstance(value, dict):
        return value
    rest = {}
    for key, member in value.items():
        branch = used.get(key)
        if branch is None:
            if member != "":
                rest[key] = member
        elif branch and isinstance(member, dict | list) and (left := _rest(member, branch)):
            rest[key] = left
    return rest


def _put(record: dict[str, Any], keys: tuple[str, ...], value: Any, is_spread: bool) -> None:
    """Puts a value where it belongs. One that is spread over a list goes into the members of a list."""
    *way, last = keys
    for key in way[:-1]:
        record = _inside(record, key)
    if not way:
        record[last] = value
    elif not is_spread or len(keys) <= len(("properties", "skus")):
        _inside(record, way[-1])[last] = value
    else:
        known = record.get(way[-1])
        members = list(known) if isinstance(known, list) else []
        members += [{} for _ in range(len(members), len(value))]
        for n, member in enumerate(value):
            if member is not None and member != "":
                members[n] = {**(members[n] if isinstance(members[n], dict) else {}), last: member}
        record[way[-1]] = members


def _inside(record: dict[str, Any], key: str) -> dict[str, Any]:
    """The object at a key; a copy, since it may stand in the document too."""
    known = record.get(key)
    inner = record[key] = dict(known) if isinstance(known, dict) else {}
    return inner


MAPPING_FORMAT = Format(
    name=MAPPING,
    title="any other tool, by a mapping",
    version=1,
    draft=mapping_draft,
    decisive=frozenset(FIELDS),
)
