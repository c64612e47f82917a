"""Reads the times in records."""

from datetime import datetime


def ms_of(instant: str) -> int:
    """Milliseconds since 1970 of a time in a record."""
    return round(datetime.fromisoformat(instant).timestamp() * 1000)
