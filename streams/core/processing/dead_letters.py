"""Records of the late and rejected topics.

The value is the item as it came. Headers say why it was not counted, and where it was read. Of what a device
gave no bytes are kept, so its dead letters hold it in canonical form (`canonical.py`): a header says so.
"""

from streams.core.ingest.event import Event, Rejection
from streams.core.ingest.headers import READ_AS_HEADER, SCHEMA_HEADER, decisive_headers, header
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.signal import event_text
from streams.core.processing.canonical import DeviceEvent
from streams.core.processing.json_text import encode_json, rfc3339
from streams.core.processing.record_keys import person_key, split_profile_key
from streams.records import DecodedRecord, Headers, Output, Record
from streams.topology import LATE, REJECTED, split_source

NEEDS_FULL = "needs_full"  # the reason of a record about needs that were left out of an event that counts
# The detail of a rejected item whose person has refused to be measured: what it held is kept nowhere.
REFUSED_DETAIL = "its person has refused consent: nothing of it is kept here"
LATE_BY_TIME, LATE_OVER_CAP = "lateness", "over_cap"  # the reasons of an event that came too late
LATE_LINK = "link"  # the reason of a record about an event that is late as a link
# The reason of a record about an event of a device that was not where it was given to, or was there already.
INCONSISTENT = "inconsistent"
# The reason of what a device of a partition gave that the settled mark had passed.
LATE_SETTLED = "settled"
LATE_REASONS = (LATE_BY_TIME, LATE_OVER_CAP, NEEDS_FULL, LATE_LINK, LATE_SETTLED, INCONSISTENT)
# Their events count, or are recorded elsewhere: there is nothing to redrive.
COUNTED_REASONS = (NEEDS_FULL, LATE_LINK, INCONSISTENT)
FORM_HEADER, CANONICAL_FORM = "form", b"event"
MAX_VALUE_BYTES = 64 * 1024  # a longer item is cut: with its headers a dead letter must fit any topic


def rejected_item(source: str, record: Record, rejection: Rejection) -> Output:
    """The dead letter of an item that could not be read. Where its person has refused to be measured, it has
    the reason and the place, and no byte of the item.
    """
    detail = REFUSED_DETAIL if rejection.is_refused else rejection.detail
    why = (("reason", rejection.reason.encode()), ("detail", detail.encode("utf-8", "replace")))
    if rejection.is_refused:
        record = Record(record.offset, record.time_ms, None, None, (), record.index)
    return _dead_letter(REJECTED.name, None, source, record, why)


def late_item(
    source: str, record: Record, event: Event, key: str, why: tuple[str | LeftOut, float]
) -> Output:
    """The dead letter of an event that came too late, or that counts, but not in all of its needs.

    `key`: of its profile. `why`: the reason, or those needs, and by how many seconds the event is behind the
    watermark.
    """
    shared = _late_headers(event.profile, event.id, event.at_ms, why)
    return _dead_letter(LATE.name, person_key(key), source, record, shared)


def canonical_late(
    value: bytes, event: DeviceEvent, key: str, why: tuple[str | LeftOut, float], where: Headers = ()
) -> Output:
    """The dead letter of an event of a device, in canonical form (`value`).

    `key`: of the profile in which it does not count, or not in all of its needs. `why`: see `late_item`.
    `where`: where it was read, if that is known.
    """
    shared = _late_headers(split_profile_key(key)[1], event_text(event.ref), event.at_ms, why)
    device = split_profile_key(event.device)[1][2:].encode()
    headers = (*shared, ("device", device), (FORM_HEADER, CANONICAL_FORM), *where, *_cut(value))
    return Output(LATE.name, person_key(key), value[:MAX_VALUE_BYTES], headers)


def is_canonical(letter: Record) -> bool:
    """True if a record of the late topic holds an event in canonical form, not an item as it came."""
    return (FORM_HEADER, CANONICAL_FORM) in letter.headers


def _late_headers(profile: str, event: str, at_ms: int, why: tuple[str | LeftOut, float]) -> Headers:
    reason, late_s = why
    left_out: Headers = ()
    if isinstance(reason, LeftOut):
        left_out = (("left_out", encode_json(reason.needs)),)
        reason = NEEDS_FULL
    elif reason == LATE_BY_TIME:  # an update may be late by its order's time, and ahead by its own
        late_s = max(0.0, late_s)
    return (
        ("reason", reason.encode()),
        ("late_s", str(late_s).encode()),
        ("profile", profile.encode()),
        ("event", event.encode()),
        ("at", rfc3339(at_ms).encode()),
        *left_out,
    )


def _dead_letter(topic: str, key: bytes | None, source: str, record: Record, why: Headers) -> Output:
    value = (record.original if isinstance(record, DecodedRecord) else record.value) or b""
    where = read_at(source, record.offset, record.index)
    schema = tuple([header for header in record.headers if header[0] == SCHEMA_HEADER])
    headers = (*why, *where, *_cut(value), *schema, *_as_read(record))
    return Output(topic, key, value[:MAX_VALUE_BYTES], headers)


def _cut(value: bytes) -> Headers:
    """What says that not all of a value is there."""
    return (("cut", b"true"),) if len(value) > MAX_VALUE_BYTES else ()


def read_at(source: str, offset: int, index: int) -> Headers:
    """The headers that say where an item was read."""
    name, partition = split_source(source)
    return (
        ("topic", name.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
        ("index", str(index).encode()),
    )


def _as_read(record: Record) -> Headers:
    """What it takes beside its bytes to read the item again."""
    decisive = decisive_headers(record.headers)
    is_known = record.time_ms >= 0 and header(decisive, READ_AS_HEADER) is None  # of a file it says nothing
    appended: Headers = (("appended", rfc3339(record.time_ms).encode()),) if is_known else ()
    # (The number of a schema is no text. It is a header of its own.)
    pairs = [(name, text.decode("utf-8", "replace")) for name, text in decisive if name != SCHEMA_HEADER]
    return (*appended, ("read_with", encode_json(pairs))) if pairs else appended
