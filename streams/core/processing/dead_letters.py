"""Records of the late and rejected topics.

The value is the item as it came. Headers say why it was not counted, and where it was read.
"""

from streams.core.ingest.event import Event, Rejection
from streams.core.ingest.headers import READ_AS_HEADER, SCHEMA_HEADER, decisive_headers, header
from streams.core.journeys.needs import LeftOut
from streams.core.processing.json_text import encode_json, rfc3339
from streams.core.processing.record_keys import person_key
from streams.records import DecodedRecord, Headers, Output, Record
from streams.topology import LATE, REJECTED, split_source

NEEDS_FULL = "needs_full"  # the reason of a record about needs that were left out of an event that counts
# The detail of a rejected item whose person has refused to be measured: what it held is kept nowhere.
REFUSED_DETAIL = "its person has refused consent: nothing of it is kept here"
LATE_BY_TIME, LATE_OVER_CAP = "lateness", "over_cap"  # the reasons of an event that came too late
LATE_REASONS = (LATE_BY_TIME, LATE_OVER_CAP, NEEDS_FULL)
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
    reason, late_s = why
    left_out: Headers = ()
    if isinstance(reason, LeftOut):
        left_out = (("left_out", encode_json(reason.needs)),)
        reason = NEEDS_FULL
    elif reason == LATE_BY_TIME:  # an update may be late by its order's time, and ahead by its own
        late_s = max(0.0, late_s)
    headers = (
        ("reason", reason.encode()),
        ("late_s", str(late_s).encode()),
        ("profile", event.profile.encode()),
        ("event", event.id.encode()),
        ("at", rfc3339(event.at_ms).encode()),
        *left_out,
    )
    return _dead_letter(LATE.name, person_key(key), source, record, headers)


def _dead_letter(topic: str, key: bytes | None, source: str, record: Record, why: Headers) -> Output:
    value = (record.original if isinstance(record, DecodedRecord) else record.value) or b""
    name, partition = split_source(source)
    where: Headers = (
        ("topic", name.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(record.offset).encode()),
        ("index", str(record.index).encode()),
    )
    cut: Headers = (("cut", b"true"),) if len(value) > MAX_VALUE_BYTES else ()
    schema = tuple([header for header in record.headers if header[0] == SCHEMA_HEADER])
    headers = (*why, *where, *cut, *schema, *_as_read(record))
    return Output(topic, key, value[:MAX_VALUE_BYTES], headers)


def _as_read(record: Record) -> Headers:
    """What it takes beside its bytes to read the item again."""
    decisive = decisive_headers(record.headers)
    is_known = record.time_ms >= 0 and header(decisive, READ_AS_HEADER) is None  # of a file it says nothing
    appended: Headers = (("appended", rfc3339(record.time_ms).encode()),) if is_known else ()
    # (The number of a schema is no text. It is a header of its own.)
    pairs = [(name, text.decode("utf-8", "replace")) for name, text in decisive if name != SCHEMA_HEADER]
    return (*appended, ("read_with", encode_json(pairs))) if pairs else appended
