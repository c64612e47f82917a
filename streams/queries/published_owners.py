"""Whose devices are, as a partition had published it at a checkpoint, to compare it with others."""

import msgspec

from schemas import Identity
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.record_keys import profile_key, split_person_key
from streams.core.processing.state_keys import LINKED_DEVICE
from streams.log.port import Reader
from streams.queries.slices import Slice
from streams.topology import IDENTITIES, STATE

_decode = msgspec.json.Decoder(Identity).decode


class PublishedOwners:
    """The records of the devices of one slice, by the keys of their profiles."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.records: dict[str, Identity] = {}  # without `rev`: a recomputation has no batches
        self.newer: set[str] = set()  # of which only later records are left: nobody knows what was said then
        # A tombstone came, before the checkpoint or after it: it has no `rev`.
        self.deleted: set[str] = set()
        self.reached_ms = checkpoint.settled_mark_ms  # the settled mark when they had been read

    @classmethod
    async def load(
        cls, reader: Reader, partition: int, checkpoint: Checkpoint, people: Slice
    ) -> "PublishedOwners":
        """Reads them as they were at the checkpoint. Later batches have a greater `rev`."""
        found = cls(checkpoint)
        async for record in reader.scan_versions(IDENTITIES.name, partition):
            tenant, device = split_person_key(record.key or b"")
            key = profile_key(tenant or "", f"d:{device}")
            if not people.has(key):
                continue
            if record.value is None:
                found.deleted.add(key)
                continue
            identity = _decode(record.value)
            if identity.rev <= checkpoint.batches:
                found.records[key] = msgspec.structs.replace(identity, rev=0)
                found.deleted.discard(key)
            elif key not in found.records:
                found.newer.add(key)
        (raw,) = await reader.checkpoints(partition)
        if raw is not None:
            found.reached_ms = max(found.reached_ms, decode_checkpoint(raw).settled_mark_ms)
        return found


async def read_linked_devices(reader: Reader, partition: int) -> set[str]:
    """The keys of the devices whose links the state of a partition has."""
    found = set[str]()
    async for _, record in reader.scan(STATE.name, partition):
        key = record.key or b""
        device, _, event = key[1:].partition(b"\0")
        if key[:1] == LINKED_DEVICE and not event:
            found.add(device.decode())
    return found
