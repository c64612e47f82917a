"""Which column of a table becomes which field of the contract: checked once against the header, then applied to each row.

Columns that are not mapped go into properties under their own names, so that nothing is lost.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from streams.core.ingest.times import time_of_epoch
from streams.errors import ConfigError, InputError

FIELDS = ("messageId", "anonymousId", "userId", "type", "event", "name", "timestamp", "channel")
BAGS = ("properties", "context")
ID_BYTES = 16  # of a row's fingerprint: two of a billion rows share one with a chance of 1e-21
LENGTH_BYTES = 4


def check_targets(mapping: Mapping[str, str]) -> None:
    """Raises ConfigError when a target is no field of the contract, or one lies inside another."""
    for target in mapping:
        bag, *keys = target.split(".")
        if target not in FIELDS and not (bag in BAGS and keys and all(keys)):
            right = ", ".join((*FIELDS, *(f"{bag}.<name>" for bag in BAGS)))
            raise ConfigError(
                f"map {target}={mapping[target]}: {target!r} is no field; right would be: {right}"
            )
        inside = next((other for other in mapping if other.startswith(f"{target}.")), None)
        if inside is not None:
            raise ConfigError(f"map {target}: {inside} lies inside it; only one of the two can be mapped")


class Columns:
    """A header and a mapping (field -> column), ready to turn rows into Segment-shaped objects."""

    def __init__(self, header: Sequence[str], mapping: Mapping[str, str]) -> None:
        """Raises ConfigError for an unknown target, InputError for a mapped column that the header lacks or an ambiguous one."""
        check_targets(mapping)
        names = [name.strip() or f"column_{n}" for n, name in enumerate(header, 1)]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"the header has the column {name!r} more than once; its columns: {', '.join(names)}"
                )
        for target, column in mapping.items():
            if column not in names:
                raise InputError(
                    f"no column {column!r} (mapped to {target}); the header's columns: {', '.join(names)}"
                )
        self.width = len(names)
        mapped = set(mapping.values())
        plain = {name: f"properties.{name}" for name in names if name not in mapped}
        for name in plain:
            taken = next(
                (target for target in mapping if f"{target}.".startswith(f"properties.{name}.")), None
            )
            if taken is not None:
                raise InputError(
                    f"the column {name!r} would become properties.{name}, where {taken} is mapped to; map it to another name too"
                )
        self._fields = [
            (target, names.index(column)) for target, column in mapping.items() if target in FIELDS
        ]
        self._plain = [(name, names.index(name)) for name in plain]
        self._nested = [
            (target.split("."), names.index(column))
            for target, column in mapping.items()
            if target not in FIELDS
        ]

    def record(self, row: Sequence[str]) -> dict[str, Any]:
        """A Segment-shaped object of a row with as many fields as the header. Empty fields are left out."""
        properties: dict[str, Any] = {name: row[n] for name, n in self._plain if row[n]}
        record: dict[str, Any] = {"type": "track", "properties": properties}
        for target, n in self._fields:
            if row[n]:
                record[target] = row[n]
        for keys, n in self._nested:
            if row[n]:
                place = record
                for key in keys[:-1]:
                    place = place.setdefault(key, {})
                place[keys[-1]] = row[n]
        if "messageId" not in record:
            record["messageId"] = fingerprint(row)
        if time := record.get("timestamp"):
            record["timestamp"] = time_of_epoch(time) or time
        return record


def fingerprint(row: Sequence[str]) -> str:
    """32 hex digits that stand for a row: BLAKE2b-128 over its fields, each behind its length in bytes (4, big-endian). Equal rows are one event."""
    fields = [field.encode() for field in row]
    return blake2b(
        b"".join([len(field).to_bytes(LENGTH_BYTES, "big") + field for field in fields]), digest_size=ID_BYTES
    ).hexdigest()
