"""Maps the columns of a table to the fields of an event.

The mapping is checked once against the header, then applied to each row. A column that is not mapped goes
into the properties under its own name, so that nothing is lost.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from streams.core.ingest.times import time_of_epoch
from streams.errors import ConfigError, InputError

FIELDS = ("messageId", "anonymousId", "userId", "type", "event", "name", "timestamp", "channel")
BAGS = ("properties", "context")
ID_BYTES = 16  # a row's fingerprint: two of a billion rows have the same one with a chance of 1e-21
LENGTH_BYTES = 4


def check_targets(mapping: Mapping[str, str]) -> None:
    """Raises ConfigError if a target is no field of an event, or if one target lies inside another."""
    for target in mapping:
        bag, *keys = target.split(".")
        if target not in FIELDS and not (bag in BAGS and keys and all(keys)):
            right = ", ".join((*FIELDS, *(f"{bag}.<name>" for bag in BAGS)))
            raise ConfigError(
                f"--map {target}={mapping[target]}: {target!r} is no field; the fields are: {right}"
            )
        inside = next((other for other in mapping if other.startswith(f"{target}.")), None)
        if inside is not None:
            raise ConfigError(f"--map {target}: {inside} lies inside it; only one of the two can be mapped")


class Columns:
    """A header and a mapping (field -> column), ready to turn rows into Segment-shaped objects."""

    def __init__(self, header: Sequence[str], mapping: Mapping[str, str]) -> None:
        """Raises ConfigError for an unknown target, InputError for a missing or ambiguous column."""
        check_targets(mapping)
        names = [name.strip() or f"column_{n}" for n, name in enumerate(header, 1)]
        unmapped = [name for name in names if name not in mapping.values()]
        _check_columns(names, mapping)
        _check_properties(unmapped, mapping)
        self.width = len(names)
        self._unmapped = [(name, names.index(name)) for name in unmapped]
        self._fields = [
            (target, names.index(column)) for target, column in mapping.items() if target in FIELDS
        ]
        self._nested = [
            (target.split("."), names.index(column))
            for target, column in mapping.items()
            if target not in FIELDS
        ]

    def record(self, row: Sequence[str]) -> dict[str, Any]:
        """The Segment-shaped object of a row, which has as many fields as the header.

        Empty fields are left out.
        """
        properties: dict[str, Any] = {name: row[n] for name, n in self._unmapped if row[n]}
        record: dict[str, Any] = {"type": "track", "properties": properties}
        for target, n in self._fields:
            if row[n]:
                record[target] = row[n]
        for keys, n in self._nested:
            if row[n]:
                bag = record
                for key in keys[:-1]:
                    bag = bag.setdefault(key, {})
                bag[keys[-1]] = row[n]
        if "messageId" not in record:
            record["messageId"] = fingerprint(row)
        if time := record.get("timestamp"):
            record["timestamp"] = time_of_epoch(time) or time
        return record


def _check_columns(names: Sequence[str], mapping: Mapping[str, str]) -> None:
    """Raises InputError if the header has a name twice, or lacks a mapped column."""
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


def _check_properties(unmapped: Sequence[str], mapping: Mapping[str, str]) -> None:
    """Raises InputError if a column that is not mapped would overwrite a mapped property."""
    for name in unmapped:
        for target in mapping:
            if f"{target}.".startswith(f"properties.{name}."):
                raise InputError(
                    f"the column {name!r} would become properties.{name}, but another column is mapped to "
                    f"{target}: map this one to another name"
                )


def fingerprint(row: Sequence[str]) -> str:
    """The id of a row that has none, 32 hex digits, so that equal rows are one event.

    It is the BLAKE2b-128 of the row's fields, each behind its length in bytes (4 bytes, big-endian).
    """
    fields = [field.encode() for field in row]
    text = b"".join([len(field).to_bytes(LENGTH_BYTES, "big") + field for field in fields])
    return blake2b(text, digest_size=ID_BYTES).hexdigest()
