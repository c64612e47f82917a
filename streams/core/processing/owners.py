"""Reads whose an event is, and whose a whole record is: who owns a person follows from the record key."""

from collections.abc import Callable
from operator import attrgetter

from streams.core.ingest.event import Event
from streams.core.ingest.formats import Format
from streams.core.ingest.partition import partition_of
from streams.core.ingest.times import LATEST_MS
from streams.core.processing.record_keys import person_key, profile_key
from streams.core.processing.subject import first_text
from streams.records import Fetched, Headers


def profile_reader(tenant: str | None) -> Callable[[Event], str]:
    """Reads the key of an event's profile. `tenant`: the path to its tenant; None: there are no tenants."""
    if not tenant:
        return attrgetter("profile")  # the quickest way to it
    tenant_of = first_text((tenant,))
    return lambda event: profile_key(tenant_of(event), event.profile)


RecordKeyOf = Callable[[bytes | None, Headers], bytes]
"""Reads the record key of a record's person: b"" for nobody, and for several people."""


def key_reader(format: Format, tenant: str | None) -> RecordKeyOf:
    """What reads the record key of a record's person.

    The format finds an id cheaply but knows of no tenant, so with tenants the whole record is read.
    """
    if not tenant:
        return lambda value, headers: format.key_of(value or b"")
    profile_of, read = profile_reader(tenant), format.read

    def key_of(value: bytes | None, headers: Headers) -> bytes:
        event = read(value, headers, LATEST_MS)
        return person_key(profile_of(event)) if isinstance(event, Event) else b""

    return key_of


def holds_foreign(fetched: Fetched, key_of: RecordKeyOf, partition: int, partitions: int) -> bool:
    """True if another of the partitions than this one owns somebody whom these records are about."""
    keys = (key_of(record.value, record.headers) for _, records in fetched.chunks for record in records)
    return any(key and partition_of(key, partitions) != partition for key in keys)
