"""Reads whose an event is, and whose a whole record is: who owns a person follows from the record key."""

from collections.abc import Callable
from operator import attrgetter

from streams.core.ingest.event import Event, events_in
from streams.core.ingest.partition import partition_of
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.processing.readers import Readers
from streams.core.processing.record_keys import person_key, profile_key
from streams.core.processing.subject import first_text
from streams.records import Fetched, Headers
from streams.topology import is_inbox


def profile_reader(tenant: str | None) -> Callable[[Event], str]:
    """Reads the key of an event's profile. `tenant`: the path to its tenant; None: there are no tenants."""
    if not tenant:
        return attrgetter("profile")  # the quickest way to it
    tenant_of = first_text((tenant,))
    return lambda event: profile_key(tenant_of(event), event.profile)


RecordKeyOf = Callable[[bytes | None, Headers], bytes]
"""Reads the record key of a record's person: of the first where there are several, b"" for nobody."""


def key_reader(reader: RecordReader, tenant: str | None) -> RecordKeyOf:
    """What reads the record key of a record's person.

    A cheap look finds most ids but knows of no tenant, so with tenants the whole record is read.
    """
    profile_of = profile_reader(tenant)

    def key_of(value: bytes | None, headers: Headers) -> bytes:
        if not tenant and (quick := reader.quick_key_of(value, headers)):
            return quick
        found = reader.read(value, headers, -1, LATEST_MS)
        events = events_in(found)
        return person_key(profile_of(events[0])) if events else b""

    return key_of


def holds_foreign(fetched: Fetched, readers: Readers, tenant: str | None, owned: tuple[int, int]) -> bool:
    """True if these records are about somebody whom another partition owns.

    `owned`: this partition, and how many there are.
    """
    partition, partitions = owned
    for source, records in fetched.chunks:
        if is_inbox(source):
            return True
        key_of = key_reader(readers.of(source), tenant)
        keys = (key_of(record.value, record.headers) for record in records)
        if any(key and partition_of(key, partitions) != partition for key in keys):
            return True
    return False
