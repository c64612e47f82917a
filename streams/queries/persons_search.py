"""Finds what is stored of one person: in the input, in the inbox, and among the dead letters.

Where no event was ever forwarded, all of it is in the partition that owns the person. Else every partition
may have read something.

With identity on, the input is searched once more: for what the devices did on which the person was ever
signed in, and for everybody who was.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import NamedTuple

from streams.core.ingest.event import Event
from streams.core.ingest.formats.segment import QuickReader
from streams.core.ingest.placeholders import Placeholders
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.dead_letters import LATE_LINK, REFUSED_DETAIL, is_canonical
from streams.core.processing.inbox import Forwarded, LinkMessage, Redriven, decode_message
from streams.core.processing.parameters import Parameters
from streams.core.processing.record_keys import split_person_key, split_profile_key
from streams.log.port import Reader
from streams.queries.known_links import EventLink, KnownLinks, link_of
from streams.queries.known_receipts import KnownReceipts
from streams.queries.origins import Origin, first_read_at, left_out_of, origin_of
from streams.queries.person import Person, fold_settings_for
from streams.queries.persons_items import FoundItem, Letter, PersonsItems, SoughtDevices
from streams.queries.stored_items import ItemReader, StoredItem, Unreadable, owner_of, read_rulebook
from streams.records import Record
from streams.runtime.parameters import parameters_of
from streams.topology import LATE, REJECTED, is_inbox

_QUICK = QuickReader(Placeholders(), 0)  # for a cheap look at whose a record is
_REPORT_EVERY = 5_000  # records between two reports of progress


async def read_persons_items(
    reader: Reader, person: Person, on_progress: Callable[[int, int], None]
) -> PersonsItems:
    """Everything stored of the person. `on_progress`: records read, of about how many.

    Raises InputError if nothing was processed yet, ConfigError for a tenant where there are none.
    """
    stored = [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
    known = [checkpoint for checkpoint in stored if checkpoint is not None]
    parameters = parameters_of(fold_settings_for(person, known))
    everywhere = frozenset(range(reader.partitions))
    owners = person.owners(reader.partitions, has_tenants=parameters.tenant is not None)
    # (A redriven item may have been sent on, too.)
    is_forwarding = any(
        checkpoint.forwarding or checkpoint.counts.forwarded or checkpoint.counts.redriven
        for checkpoint in known
    )
    found = PersonsItems(person, owners, parameters.finality)
    places = everywhere if is_forwarding else owners
    read_from = [
        _ReadPartition(n, known, ItemReader(parameters, await read_rulebook(reader, n, known)))
        for n, known in enumerate(stored)
        if known is not None and n in places
    ]
    await _search(reader, read_from, parameters, found, on_progress)
    keys = found.devices_of_links(parameters)
    if keys and parameters.identity is not None:
        owners = frozenset(owner_of(key, reader.partitions) for key in keys)
        found.devices = PersonsItems(SoughtDevices(person.name, keys), owners, parameters.finality)
        found.devices.links = KnownLinks(parameters.identity.spans)
        await _search(reader, read_from, parameters, found.devices, on_progress)
        found.devices.links.close()
        found.unreadable += [name for name in found.devices.unreadable if name not in found.unreadable]
    return found


class _ReadPartition(NamedTuple):
    number: int
    checkpoint: Checkpoint
    items: ItemReader


async def _search(
    reader: Reader,
    read_from: Sequence[_ReadPartition],
    parameters: Parameters,
    found: PersonsItems,
    on_progress: Callable[[int, int], None],
) -> None:
    """Adds everything that these partitions have of whoever is sought."""
    searches = [_Search(reader, partition, found, parameters) for partition in read_from]
    # What a collector holds back in an open transaction was not processed, and may never come: nobody waits.
    extents, done = await reader.extents(), 0
    searched = [source for search in searches for source in search.sources]
    ends = {source: extents[source].end for source in searched if source in extents}
    found.hidden = {source: end for source, end in ends.items() if extents[source].written > end}
    total = sum(ends.values())
    for search in searches:
        await search.read_letters()
    for search in searches:
        for source in search.sources:
            async for offset in search.read_source(source, ends.get(source, 0)):
                on_progress(done + offset, total)
            done += ends.get(source, 0)


class _Search:
    """The search in one partition."""

    def __init__(
        self, reader: Reader, read: _ReadPartition, found: PersonsItems, parameters: Parameters
    ) -> None:
        self._parameters, self._items = parameters, read.items
        self.reader, self.partition, self.checkpoint = reader, read.number, read.checkpoint
        self._found, self._person, self._ids = found, found.person, found.person.ids
        # The inbox of a partition that owns none of the person's ids has nothing of theirs.
        is_owner = read.number in found.owners
        self._receipts = KnownReceipts()
        self.sources = [name for name in read.checkpoint.sources if is_owner or not is_inbox(name)]

    async def read_letters(self) -> None:
        """Notes the dead letters of the person."""
        async for _, record in self.reader.scan(REJECTED.name, self.partition):
            is_theirs = _names(record.value, self._ids)
            if not is_theirs and record.value:
                continue
            headers = _texts(record)
            letter = Letter("rejected", headers["reason"], headers["detail"], self._person.name)
            if is_theirs:
                self._found.rejected[origin_of(record, self.partition)] = letter
            elif letter.detail == REFUSED_DETAIL:
                self._found.withheld[origin_of(record, self.partition)] = letter
        self._receipts = await KnownReceipts.load(self.reader, self.partition, self.checkpoint)
        self._found.redriven |= self._receipts.applied
        self._found.unmoved |= self._receipts.unmoved
        async for _, record in self.reader.scan(LATE.name, self.partition):
            headers = _texts(record)
            if is_canonical(record):  # of no item that was read
                if headers["reason"] == LATE_LINK:
                    self._found.late_links.add(first_read_at(record))
                continue
            tenant, _ = split_person_key(record.key or b"")
            if self._person.has(tenant, headers["profile"]):
                left_out = left_out_of(record)
                behind = f"{float(headers['late_s']):,.0f} s behind the watermark"
                self._found.late[origin_of(record, self.partition)] = Letter(
                    ending="applied" if left_out else "late",
                    reason=headers["reason"],
                    detail=f"does not count in {', '.join(left_out)}" if left_out else behind,
                    profile=headers["profile"],
                    tenant=tenant,
                    event=headers["event"],
                    at=headers["at"],
                    left_out=left_out,
                )

    async def read_source(self, source: str, end: int) -> AsyncIterator[int]:
        """Adds the person's items of a source before this offset. Yields how far it has come, every few
        thousand records.
        """
        position, items, n = self.checkpoint.sources[source].offset, self._items, 0
        async for record in self.reader.scan_source(source, end):
            n += 1
            if n % _REPORT_EVERY == 0:
                yield record.offset
            if self._found.links is not None and is_inbox(source) and record.offset < position:
                self._note_sent_link(self._found.links, record)
            if not self._may_be_theirs(source, record):
                continue
            read = items.read(source, record)
            if isinstance(read, Unreadable):
                if source not in self._found.unreadable:
                    self._found.unreadable.append(source)
                continue
            for item in read:
                if record.offset < position and not item.forwarded:
                    self._note_link(item)
                if item.redriven_by is not None and item.origin not in self._found.redriven:
                    continue  # it was refused again
                if self._is_theirs(item):
                    found = FoundItem(item, items.rule_of, record.offset < position, self._forwarded_to(item))
                    self._found.add(found)

    def _may_be_theirs(self, source: str, record: Record) -> bool:
        """A cheap look: most records are of others."""
        value = record.value
        if is_inbox(source):
            message = decode_message(value)
            if not isinstance(message, Forwarded | Redriven):
                return False
            value = message.value
        key = _QUICK.key_of(value or b"")
        if not key or key in self._ids:  # without a key, it takes a closer look
            return True
        if self._found.links is None or value is None:
            return False
        # A user's event may name a device; where text is escaped, it takes a closer look, too.
        return b"\\" in value or any(identifier in value for identifier in self._ids)

    def _note_link(self, item: StoredItem) -> None:
        """Takes the link that an event makes where it was read first or redriven, if links are searched."""
        event, identity, links = item.outcome, self._parameters.identity, self._found.links
        if links is None or identity is None or not isinstance(event, Event) or event.apart is not None:
            return
        if item.redriven_by is not None:
            receipt = self._receipts.get(item.origin, item.redriven_by)
            if receipt is None or not receipt.is_link:
                return
        link = link_of(event, item.signals.key(event), identity)
        is_sought = link is not None and self._person.has(*split_profile_key(link.device))
        if link is not None and is_sought and item.origin not in self._found.late_links:
            links.add(link)

    def _note_sent_link(self, links: KnownLinks, record: Record) -> None:
        """Takes the link of a redriven event that another partition has sent. (Others are known already.)"""
        message = decode_message(record.value)
        if (
            isinstance(message, LinkMessage)
            and message.is_redriven
            and self._person.has(*split_profile_key(message.device))
            and Origin(message.source, message.offset, message.index) not in self._found.late_links
        ):
            links.add(EventLink(message.device, message.user, message.at_ms, message.event))

    def _is_theirs(self, item: StoredItem) -> bool:
        if isinstance(item.outcome, Event):
            return self._person.has(*split_profile_key(item.signals.key(item.outcome)))
        return _names(item.value, self._ids)

    def _forwarded_to(self, item: StoredItem) -> int | None:
        if item.redriven_by is not None:
            return None
        if item.forwarded:
            return self.partition
        event = item.outcome
        if not isinstance(event, Event) or event.apart is not None or item.signals.classify(event) is None:
            return None
        owner = owner_of(item.signals.key(event), self.reader.partitions)
        return None if owner == self.partition else owner


def _names(value: bytes | None, ids: Collection[bytes]) -> bool:
    """True if an item that could not be read names one of these ids."""
    key = _QUICK.key_of(value or b"")
    return key in ids if key else any(b'"%s"' % identifier in (value or b"") for identifier in ids)


def _texts(letter: Record) -> dict[str, str]:
    return {name: value.decode("utf-8", "replace") for name, value in letter.headers}
