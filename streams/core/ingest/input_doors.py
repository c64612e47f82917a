"""Checks how an input is said to be read, wherever somebody says it: in a setting or by an option."""

from collections.abc import Mapping

from streams.core.ingest.door import AUTO, InputDoor
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.formats.mapping import MAPPING
from streams.core.ingest.zones import is_zone


def input_door(format: str | None, mapping: Mapping[str, str], zone: str | None) -> InputDoor:
    """How an input is read for which this was said. A mapping needs no name of a format."""
    return InputDoor(MAPPING if mapping else format or AUTO, mapping, zone)


def format_fault(format: str, is_mapped: bool) -> str | None:
    """What is wrong with the format of an input; None if nothing is. `is_mapped`: it has a mapping."""
    if format != AUTO and format not in FORMATS:
        return f"is no format; there are: {', '.join((AUTO, *FORMATS))}"
    if format == MAPPING and not is_mapped:
        return "reads records by a mapping, and there is none"
    if is_mapped and format not in (AUTO, MAPPING):
        return f"has fields of its own: a mapping is for the format {MAPPING}"
    return None


def zone_fault(zone: str) -> str | None:
    """What is wrong with the name of a time zone; None if nothing is."""
    return None if is_zone(zone) else "is no time zone: write its IANA name, such as Europe/Rome or UTC"
