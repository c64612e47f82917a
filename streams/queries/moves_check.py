"""Compares the links and the events that a partition had to send to others with what lies in their inboxes.

What a partition has sent is known by its checkpoint, whether or not the others have taken it since.
"""

from collections.abc import AsyncIterator

import msgspec

from streams.core.journeys.signal import event_text
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.inbox import (
    GiveMessage,
    LinkMessage,
    TakeMessage,
    decode_message,
    may_connect,
)
from streams.core.processing.json_text import rfc3339
from streams.core.processing.record_keys import split_profile_key
from streams.log.port import Reader
from streams.queries.known_links import EventLink, UserQuarter
from streams.queries.moves import GivenName, Moves, digest_of_sent
from streams.queries.slices import Slice
from streams.queries.stored_items import owner_of
from streams.topology import is_inbox


class SentMoves:
    """What a partition has sent to all others by one checkpoint, about the devices of one slice."""

    def __init__(self, reader: Reader, partition: int, checkpoint: Checkpoint, people: Slice) -> None:
        self.reader, self.partition, self.checkpoint, self.slice = reader, partition, checkpoint, people
        self.given: dict[GivenName, list[bytes]] = {}  # and not taken back
        self.links: dict[str, dict[UserQuarter, tuple[int, str]]] = {}  # by device: the first of each quarter
        self.broken: str | None = None  # the first event that was taken from a user who did not have it
        self.is_cut = False  # the beginning of an inbox is not stored any more

    async def read(self) -> None:
        """Reads the inboxes of all other partitions."""
        for number in range(self.reader.partitions):
            if number != self.partition:
                async for message in self._messages(number):
                    self._take(message)

    async def _messages(self, number: int) -> AsyncIterator[LinkMessage | GiveMessage | TakeMessage]:
        """The messages in the inbox of a partition that are about devices."""
        for source in filter(is_inbox, self.reader.sources(number)):
            is_first = True
            async for record in self.reader.scan_source(source):
                self.is_cut = self.is_cut or (is_first and record.offset > 0)
                is_first = False
                if not may_connect(record.value):
                    continue
                message = decode_message(record.value)
                if isinstance(message, LinkMessage | GiveMessage | TakeMessage):
                    yield message

    def _take(self, message: LinkMessage | GiveMessage | TakeMessage) -> None:
        if not self.slice.has(message.device):
            return
        if isinstance(message, LinkMessage):
            position = self.checkpoint.sources.get(message.source)
            # (A redriven item may be taken in another partition than the one that read it.)
            is_first_read = position is not None and message.offset < position.offset
            if is_first_read and not message.is_redriven:
                link = EventLink(message.device, message.user, message.at_ms, message.event)
                first, quarter = self.links.setdefault(link.device, {}), (link.user, link.quarter)
                found = link.at_ms, link.event
                first[quarter] = min(found, first.get(quarter, found))
            return
        is_ours = owner_of(message.device, self.reader.partitions) == self.partition
        if not is_ours or message.batch > self.checkpoint.batches:
            return
        if isinstance(message, GiveMessage):
            for sent in message.signals:
                name = GivenName(message.user, message.device, sent.ref)
                digests, digest = self.given.setdefault(name, []), digest_of_sent(sent)
                if message.redriven is None or digest not in digests:  # else it is given once more
                    digests.append(digest)
            return
        for ref in message.refs:
            name = GivenName(message.user, message.device, ref)
            if held := self.given.get(name):
                held.pop()
            else:
                self.broken = self.broken or f"{_words(name)} was taken, but it was not given"


def difference_in_moves(found: Moves, sent: SentMoves) -> str | None:
    """The first link or event that had to be sent and was not, or was sent and should not have been."""
    if sent.is_cut:
        return None
    if sent.broken:
        return sent.broken
    for device in sorted(found.sent.keys() | sent.links.keys()):
        if difference := _difference_in_links(device, found.sent.get(device, {}), sent.links.get(device, {})):
            return difference
    for name in sorted(found.given.keys() | sent.given.keys(), key=msgspec.structs.astuple):
        if name.device in found.unsure:
            continue
        expected, given = sorted(found.given.get(name, ())), sorted(sent.given.get(name, ()))
        if len(given) < len(expected):
            return f"{_words(name)} was recomputed, but not sent"
        if len(given) > len(expected):
            return f"{_words(name)} was sent, but not recomputed"
        if given != expected:
            return f"{_words(name)} was sent as another one than is recomputed"
    return None


def _words(name: GivenName) -> str:
    user, device = split_profile_key(name.user)[1], split_profile_key(name.device)[1]
    return f"event {event_text(name.ref)} of {device}, given to {user},"


def _difference_in_links(
    device: str, read: dict[UserQuarter, tuple[int, str]], sent: dict[UserQuarter, tuple[int, str]]
) -> str | None:
    for name in sorted(read.keys() | sent.keys()):
        if read.get(name) != sent.get(name):
            at_ms, event = read.get(name) or sent[name]
            what = "read, but not sent" if name in read else "sent, but not read"
            link = f"{split_profile_key(name[0])[1]} on {split_profile_key(device)[1]}"
            return f"link of {link} at {rfc3339(at_ms)} (event {event}) was {what}"
    return None
