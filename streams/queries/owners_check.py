"""Compares the topic `identities` of one partition with what its stored input says of its devices."""

import msgspec

from schemas import Identity
from streams.core.processing.publisher import Publisher
from streams.queries.device_owners import FoundOwner, is_forgotten
from streams.queries.moves import Moves
from streams.queries.published_owners import PublishedOwners, read_linked_devices
from streams.queries.recomputation import StoredPartition
from streams.queries.slices import Slice

_decode = msgspec.json.Decoder(Identity).decode


class OwnersCheck:
    """The comparison of the devices of one partition, slice by slice."""

    def __init__(self, stored: StoredPartition, publisher: Publisher) -> None:
        self.stored, self.publisher = stored, publisher
        self.checked = 0  # devices

    async def compare(self, people: Slice, moves: Moves) -> str | None:
        """The first difference in the devices of one slice, or None. `moves`: all of the slice was read."""
        stored = self.stored
        published = await PublishedOwners.load(stored.reader, stored.partition, stored.checkpoint, people)
        stale: list[str] = []  # devices that could be forgotten by now, and are not
        for device in sorted((moves.owners.keys() | published.records.keys()) - moves.unsure):
            found = moves.owners.get(device)
            record = self._published(device, found, published)
            if record is None:
                if found is not None and self._must_be_published(device, found, published, moves):
                    return f"device recomputed, but not published: {_text(self._identity(device, found))}"
                continue
            if found is None:
                if device not in moves.doubtful:
                    return f"device published, but not recomputed: {_text(record)}"
                continue
            if record != (right := self._identity(device, found)):
                return f"device published, but not recomputed: {_text(record)}; it is {_text(right)}"
            self.checked += 1
            if self._is_forgotten(found, stored.checkpoint.settled_mark_ms):
                stale.append(device)
        return await self._difference_in_stale(stale, people, published) if stale else None

    def _published(
        self, device: str, found: FoundOwner | None, published: PublishedOwners
    ) -> Identity | None:
        """What was published of a device at the checkpoint. A tombstone counts as older than that, unless the
        device was forgotten since then.
        """
        if device in published.deleted and (
            found is None
            or self._is_forgotten(found, self.stored.checkpoint.settled_mark_ms)
            or not self._is_forgotten(found, published.reached_ms)
        ):
            return None
        return published.records.get(device)

    def _must_be_published(
        self, device: str, found: FoundOwner, published: PublishedOwners, moves: Moves
    ) -> bool:
        return (
            found.is_certain
            and device not in moves.doubtful | published.newer
            and not self._is_forgotten(found, published.reached_ms)
        )

    def _is_forgotten(self, found: FoundOwner, mark_ms: int) -> bool:
        identity = self.stored.parameters.identity
        assert identity is not None
        return is_forgotten(found.links, mark_ms, self.stored.parameters.finality, identity.spans)

    async def _difference_in_stale(
        self, stale: list[str], people: Slice, published: PublishedOwners
    ) -> str | None:
        """The first device of which the topic says something and the state knows nothing. (As long as the
        state has it, there was no time yet to tidy up.)
        """
        stored = self.stored
        held = await read_linked_devices(stored.reader, stored.partition)
        gone = [device for device in stale if device not in held]
        if not gone:
            return None
        # What the topic says before and after the state was read, it says meanwhile, too.
        now = await PublishedOwners.load(stored.reader, stored.partition, stored.checkpoint, people)
        for device in gone:
            if device in now.records and device not in now.deleted:
                return f"device published, but forgotten: {_text(published.records[device])}"
        return None

    def _identity(self, device: str, found: FoundOwner) -> Identity:
        return _decode(self.publisher.identity(device, found.owner, 0))


def _text(identity: Identity) -> str:
    """A record without its `rev`."""
    return msgspec.json.encode(identity).replace(b',"rev":0', b"").decode()
