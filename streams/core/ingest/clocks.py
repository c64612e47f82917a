"""Decides when an event happened, of all that a record says about it.

A device's clock may be wrong. What was said about it on the way is a witness: when the device sent the event,
by the same clock, and when it arrived, by a server's. docs/journeys.md (Time) has the rules.
"""

from collections.abc import Sequence
from typing import NamedTuple

from streams.core.ingest.draft import Draft, Stamp, Unit
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.repairs import Repair
from streams.core.ingest.stamps import ReadTime, read_stamp
from streams.core.ingest.times import QUARTER_MINUTES
from streams.core.ingest.zones import zone_offset_quarters

# A correction that dates an event later is either a clock that is behind or a retry that kept the time of its
# first sending; these look alike. Beyond this the event's own time stays.
MAX_LATER_MS = 10 * 60_000


class Happened(NamedTuple):
    """When an event happened."""

    at_ms: int
    utc_offset_quarters: int
    clock_error_ms: int | None  # how far the device's clock was ahead; None: nothing says so


def when(
    draft: Draft, zone: str | None, arrived_ms: int, skew_ms: int, repairs: set[Repair]
) -> Happened | Rejection:
    """The event's time. Adds what it repairs to `repairs`.

    `zone`: that of times without an offset, where the event names none. `arrived_ms`: the record's own time;
    -1 where it is not known.
    """
    zone = draft.zone or zone
    sent = _first((draft.sent,) if draft.sent else (), zone, repairs)
    received = _first((draft.received,) if draft.received else (), zone, repairs)
    own = _first(draft.happened, zone, repairs)
    if own is None:
        own = sent or received
        if own is not None and draft.happened:
            repairs.add(Repair.TIME)
    if own is None:
        if stamps := [stamp for stamp in (*draft.happened, draft.sent, draft.received) if stamp]:
            return _unreadable(stamps[0])
        if not draft.arrives_when_it_happens or arrived_ms < 0:
            return reject(Reason.MISSING_TIME, "the event has no time")
        own = ReadTime(arrived_ms, None)
    error_ms = None if sent is None or received is None else sent.at_ms - received.at_ms
    at_ms = own.at_ms
    if sent is not None and not (own.corrected and received) and at_ms > sent.at_ms + skew_ms:
        at_ms = sent.at_ms  # both are by the device's clock
        repairs.add(Repair.CLOCK)
    if error_ms is not None and not own.corrected and -error_ms <= MAX_LATER_MS:
        at_ms -= error_ms
    if received is not None and at_ms > received.at_ms + (
        skew_ms if own.corrected or error_ms is None else 0
    ):
        at_ms = received.at_ms
        repairs.add(Repair.CLOCK)
    return Happened(at_ms, _offset_quarters(draft, own, zone, at_ms), error_ms)


def _first(stamps: Sequence[Stamp], zone: str | None, repairs: set[Repair]) -> ReadTime | None:
    """The first of these times that can be read."""
    for stamp in stamps:
        found = read_stamp(stamp, zone)
        if found is not None:
            if found.repaired:
                repairs.add(Repair.TIME_FORM)
            return found
        repairs.add(Repair.TIME)
    return None


def _offset_quarters(draft: Draft, own: ReadTime, zone: str | None, at_ms: int) -> int:
    if own.utc_offset_quarters:
        return own.utc_offset_quarters
    if draft.offset_minutes is not None:
        return draft.offset_minutes // QUARTER_MINUTES
    return zone_offset_quarters(zone, at_ms) if zone else 0


def _unreadable(stamp: Stamp) -> Rejection:
    wanted = "an RFC 3339 time" if stamp.unit in (Unit.TEXT, Unit.UTC_TEXT) else stamp.unit.name.lower()
    if isinstance(stamp.value, bool) or not isinstance(stamp.value, str | int | float):
        return reject(Reason.WRONG_TYPE, f"{stamp.path} is {stamp.value!r}, not {wanted}")
    return reject(Reason.BAD_TIME, f"{stamp.path} is not {wanted} of the years 2000 to 2199: {stamp.value}")
