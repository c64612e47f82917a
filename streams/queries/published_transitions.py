"""The transitions and the cues that a partition had published when it wrote a checkpoint, person by person.

Records that were written later have a greater `rev` than the checkpoint, and are passed over: an agent may
be at work meanwhile.
"""

from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from streams.core.ingest.times import parse_time
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.record_keys import profile_key
from streams.log.port import Reader
from streams.topology import CUES, TRANSITIONS, Topic

DIGEST_BYTES = 16


class _Header(msgspec.Struct):
    rev: int
    op: str
    tenant: str | None
    profile: str
    opened_at: str


_decode = msgspec.json.Decoder(_Header).decode


class PublishedRecord(NamedTuple):
    """One record of a topic with corrections."""

    rev: int
    sign: int  # 1: it asserts; -1: it retracts
    key: str  # of its profile
    opened_ms: int
    offset: int
    time_ms: int  # when it was written
    value: bytes


CORRECTED = (TRANSITIONS, CUES)
"""The topics with corrections."""


def last_rev_of(topic: Topic, checkpoint: Checkpoint) -> int:
    """The `rev` of the last record of this topic that belongs to a checkpoint."""
    return checkpoint.cues if topic is CUES else checkpoint.rev


async def read_published(
    reader: Reader, partition: int, checkpoint: Checkpoint, topic: Topic = TRANSITIONS
) -> AsyncIterator[PublishedRecord]:
    """All records up to the checkpoint, in the order in which they were written."""
    last_rev = last_rev_of(topic, checkpoint)
    async for _, record in reader.scan(topic.name, partition):
        if record.value is None:
            continue
        header = _decode(record.value)
        if header.rev > last_rev:
            continue
        opened = parse_time(header.opened_at)
        assert opened is not None, "we wrote it"
        yield PublishedRecord(
            rev=header.rev,
            sign=1 if header.op == "assert" else -1,
            key=profile_key(header.tenant or "", header.profile),
            opened_ms=opened[0],
            offset=record.offset,
            time_ms=record.time_ms,
            value=record.value,
        )


class NetRecords:
    """How often each content was asserted and not retracted since, by person; contents are kept as digests.

    One of these serves both topics: no transition has the content of a cue.
    """

    def __init__(self) -> None:
        self.by_person: dict[str, dict[bytes, int]] = {}

    def add(self, published: PublishedRecord) -> None:
        person = self.by_person.setdefault(published.key, {})
        digest = digest_of(published.value)
        n = person.get(digest, 0) + published.sign
        if n:
            person[digest] = n
        else:
            del person[digest]

    def pop(self, key: str) -> dict[bytes, int]:
        """Those of one person, which are then left out."""
        return self.by_person.pop(key, {})


def content_of(raw: bytes) -> bytes:
    """A transition or a cue as it was written, without what it says of its writing: `rev`, `op` and
    `moved_from`.
    """
    before, _, rest = raw.partition(b',"rev":')
    rest, is_moved, _ = rest.partition(b',"moved_from":')  # its last field
    rest += b"}" if is_moved else b""
    return before + b"," + rest.partition(b'","tenant":')[2]


def digest_of(raw: bytes) -> bytes:
    """What stands for the content of a record."""
    return blake2b(content_of(raw), digest_size=DIGEST_BYTES).digest()


async def text_of(reader: Reader, partition: int, digest: bytes) -> tuple[Topic, str]:
    """The content that a digest stands for, and the topic that it is in."""
    for topic in CORRECTED:
        async for _, record in reader.scan(topic.name, partition):
            if record.value is not None and digest_of(record.value) == digest:
                return topic, content_of(record.value).decode()
    return TRANSITIONS, "(it is not stored any more)"
