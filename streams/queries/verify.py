"""Recomputes everything from the stored input, in one batch, and compares it with what was published.

The recomputation has no increments, no corrections and no timers: it makes each person's set of events and folds it once. It takes over only the
judgements that depend on arrival and were therefore recorded: which records were late or rejected, and which version of the rules read
which record. Everything else must come out the same: the standing transitions, every counter, how many events ended how.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from streams import topology
from streams.core.funnels.cells import count_transition
from streams.core.funnels.windows import ALL_TIME, KEPT_MIN, LENGTH_MIN, WINDOWS, Windows
from streams.core.ingest.event import Event, Items, Reason, Rejection, reject
from streams.core.ingest.formats.segment import read
from streams.core.ingest.partition import partition_of, person_key
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.machine import UNMATCHED
from streams.core.journeys.profile import Profile, fold
from streams.core.journeys.signal import ALL as EVERY_NEED
from streams.core.journeys.signal import NAMELESS, PACK, TIME, event_ref, head, order_key, order_ref
from streams.core.moments import rules
from streams.core.moments.classifier import classifier_for
from streams.core.moments.verdict import REFUND, TRUTH
from streams.core.processing import checkpoint as checkpoints
from streams.core.processing.checkpoint import Checkpoint, Counts
from streams.core.processing.parameters import Parameters
from streams.core.processing.publisher import Publisher, profile_key
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.step import RULES, RULES_KEY, decode_inbox, decode_version
from streams.core.processing.subject import first_text, needs_of
from streams.core.processing.watermark import INBOX, WatermarkReport
from streams.errors import InputError
from streams.log.port import Reader
from streams.log.source_names import source_of
from streams.runtime.partition_agent import plan
from streams.settings.fold import FoldSettings

PROGRESS_EVERY = 5_000  # records between two words of progress


class Verified(NamedTuple):
    """What was compared, and the first difference."""

    records: int
    profiles: int
    transitions: int
    difference: str | None


class Copy(NamedTuple):
    """One copy of an event, so that the smallest of several is the one that counts (docs/journeys.md, The set)."""

    head: int
    offset: int
    rule: int
    order: bytes
    needs: tuple[str, ...]


Origin = tuple[str, int]
"""Source and offset of a record, where it was read first."""

Events = dict[bytes, Copy]
People = dict[str, list[Events]]
"""By profile: what it has done, as sets of events. More than one set where an id came again after it was no longer known."""


async def verify(reader: Reader, on_progress: Callable[[int, int], None]) -> Verified:
    """`on_progress(records done, records in all)`. Raises InputError when nothing was processed yet, Incompatible for another format."""
    stored = await reader.checkpoints()
    total = sum(checkpoints.decode(raw).counts.received for raw in stored if raw is not None)
    if not any(raw is not None for raw in stored):
        raise InputError("nothing has been processed in this data directory yet: there is nothing to verify")
    done = profiles = transitions = 0
    for partition, raw in enumerate(stored):
        if raw is None:
            continue
        recomputed = await _Partition.load(reader, partition, checkpoints.decode(raw))
        async for n in recomputed.read_input():
            on_progress(done + n, total)
        done += recomputed.counts.received
        difference = recomputed.difference_in_counts() or await recomputed.difference()
        profiles += len(recomputed.people)
        transitions += recomputed.transitions
        if difference:
            return Verified(done, profiles, transitions, f"partition {partition}: {difference}")
    return Verified(done, profiles, transitions, None)


class _Partition:
    """One partition, recomputed."""

    def __init__(
        self,
        reader: Reader,
        partition: int,
        checkpoint: Checkpoint,
        book: Rulebook,
        late: set[Origin],
        rejected: set[Origin],
    ) -> None:
        self.reader, self.partition, self.checkpoint, self.book = reader, partition, checkpoint, book
        self.late, self.rejected = late, rejected
        self.plan: Parameters = plan(FoldSettings.model_validate_json(checkpoint.fold))
        self.publisher = Publisher(partition, self.plan.dimensions, book)
        self.people: People = {}
        self.mark = -1
        self.counts = Counts()
        self.broken: str | None = None
        self.transitions = 0

    @classmethod
    async def load(cls, reader: Reader, partition: int, checkpoint: Checkpoint) -> "_Partition":
        """With the ledgers, and every version of the rules that was ever in force."""
        versions = {
            RULES_KEY.unpack(record.key[1:])[0]: decode_version(record.value)
            async for _, record in reader.scan(topology.STATE.name, partition)
            if record.key is not None and record.value is not None and record.key[:1] == RULES
        }
        book = Rulebook([versions[n] for n in sorted(versions)], checkpoint.eras)
        late = {origin async for origin in _origins(reader, topology.LATE.name, partition)}
        rejected = {origin async for origin in _origins(reader, topology.REJECTED.name, partition)}
        return cls(reader, partition, checkpoint, book, late, rejected)

    async def read_input(self) -> AsyncIterator[int]:
        """Takes every stored record up to the checkpoint into its person's set. Yields how many were read, now and then."""
        classifiers = [classifier_for(rules.load_rules(version.text)) for version in self.book.versions]
        order_of = first_text(self.plan.orders)
        tenant = first_text((self.plan.tenant,)) if self.plan.tenant else None
        for source, position in self.checkpoint.sources.items():
            begins = [era.offsets.get(source, 0) for era in self.book.eras]
            era = 0
            async for record in self.reader.scan_source(source):
                if record.offset >= position.offset:
                    break
                while era + 1 < len(begins) and begins[era + 1] <= record.offset:
                    era += 1
                found = decode_inbox(record) if source.startswith(INBOX) else None
                if isinstance(found, WatermarkReport):
                    continue
                self.counts.received += 1
                if self.counts.received % PROGRESS_EVERY == 0:
                    yield self.counts.received
                where, record = found or (source, record)
                origin = where, record.offset
                if origin in self.rejected:
                    self.counts.rejected += 1
                    continue
                event = read(record.value, record.headers, LATEST_MS)
                if isinstance(event, Items):
                    event = reject(Reason.UNKNOWN_TYPE, "a batch of calls")
                if isinstance(event, Rejection):
                    self.broken = (
                        self.broken
                        or f"record {origin} can't be read ({event.reason}: {event.detail}), and is not in the rejected topic"
                    )
                    continue
                self.mark = max(self.mark, event.at_ms)
                number = self.book.eras[era].version
                verdict = classifiers[number].classify(event)
                if verdict is None:
                    self.counts.no_signal += 1
                elif found is None and self.foreign(event):
                    self.counts.received -= 1
                    self.counts.forwarded += 1
                elif origin in self.late:
                    self.counts.late += 1
                else:
                    order = order_of(event) if verdict.intent >= TRUTH else ""
                    needs = (
                        ("*",)
                        if order and verdict.intent == REFUND
                        else needs_of(event, self.plan.needs)
                        if self.plan.needs
                        else NAMELESS
                    )
                    key = profile_key(tenant(event), event.profile) if tenant else event.profile
                    self.add(key, event, Copy(
                        head(event.at_ms, verdict.intent, verdict.sure, self.plan.dimensions.code(event)), event.utc_offset_quarters,
                        self.book.versions[number].base + verdict.rule, order_ref(order) if order else b"", needs,
                    ))  # fmt: skip

    def foreign(self, event: Event) -> bool:
        """Whether its person lives in another partition."""
        return (
            self.plan.at_home
            and self.reader.partitions > 1
            and partition_of(person_key(event), self.reader.partitions) != self.partition
        )

    def add(self, key: str, event: Event, copy: Copy) -> None:
        """An event id is one event for two horizons; the smallest copy stays.

        Sources are read here one after the other, so the mark may be beyond what it was then: but never more than a horizon beyond an event in time.
        """
        ref, ids_from = (
            event_ref(event.id),
            min(self.mark, event.at_ms + self.plan.allowed_lateness_ms) - 2 * self.plan.allowed_lateness_ms,
        )
        sets = self.people.setdefault(key, [{}])
        for events in sets:
            known = events.get(ref)
            if known is None:
                events[ref] = copy
                self.counts.applied += 1
                return
            if known.head >> TIME >= ids_from:
                if copy < known:
                    events[ref] = copy
                    self.counts.applied += 1  # it was applied too, in the place of the other
                else:
                    self.counts.duplicate += 1
                return
        sets.append({ref: copy})
        self.counts.applied += 1

    def difference_in_counts(self) -> str | None:
        """How the records ended, against the checkpoint's counts."""
        if self.broken:
            return self.broken
        names = [name for name in Counts.__struct_fields__ if name not in ("applied", "duplicate")]
        found = [(name, getattr(self.checkpoint.counts, name), getattr(self.counts, name)) for name in names]
        pair = [(counts.applied, counts.duplicate) for counts in (self.checkpoint.counts, self.counts)]
        if len([position for position in self.checkpoint.sources.values() if position.offset]) > 1:
            # Which of two copies came first is known of one source only; that each was applied or a duplicate is known of all.
            found.append(("applied or duplicate", sum(pair[0]), sum(pair[1])))
        else:
            found += [
                (name, stored, now) for name, stored, now in zip(("applied", "duplicate"), *pair, strict=True)
            ]
        for name, stored, now in found:
            if stored != now:
                return f"events {name}: {stored} counted, {now} recomputed"
        return None

    async def difference(self) -> str | None:
        """The first standing transition or counter that is not as recomputed."""
        standing = await self.standing()
        windows = Windows()
        for key in sorted(self.people):
            p, out = self.fold(key)
            for t in out:
                count_transition(t, 1, windows.delta)
                if t.kind == UNMATCHED:
                    continue
                self.transitions += 1
                content = _content(self.publisher.transition(p, "assert", 0, t))
                standing[content] -= 1
                if standing[content] < 0:
                    return f"transition recomputed, and not published so: {content.decode()}"
        for content, n in standing.items():
            if n:
                return f"transition published, and not so when recomputed: {content.decode()}"
        return await self.difference_in_counters(windows)

    async def standing(self) -> Counter[bytes]:
        """What the published transitions say and have not taken back."""
        standing: Counter[bytes] = Counter()
        async for _, record in self.reader.scan(topology.TRANSITIONS.name, self.partition):
            if record.value is not None:
                standing[_content(record.value)] += 1 if b'"op":"assert"' in record.value[:100] else -1
        return standing

    def fold(self, key: str) -> tuple[Profile, list[Any]]:
        """One person's whole set, folded at once."""
        events = [pair for events in self.people[key] for pair in events.items()]
        needs = ("", *sorted({name for _, copy in events for name in copy.needs} - {"", "*"}))
        number = {name: n for n, name in enumerate(needs)} | {"*": EVERY_NEED}
        journal = b"".join(
            sorted(
                PACK(copy.head, ref, copy.rule, number[name], copy.offset)
                for ref, copy in events
                for name in copy.needs
            )
        )
        orders = {order_key(copy.head, ref): copy.order for ref, copy in events if copy.order}
        states, out = fold(journal, needs, orders, self.checkpoint.timer, self.plan.patience)
        return Profile(key, states, needs), out

    async def difference_in_counters(self, windows: Windows) -> str | None:
        """Published counters against the sum over the recomputed transitions. Windows that have expired are left out on both sides."""
        windows.roll_up(self.checkpoint.mark)
        expected: dict[bytes, bytes] = {}
        for cell, n in windows.cells():
            key, value = self.publisher.tally(cell, n)
            expected[key] = value or b""
        async for _, record in self.reader.scan(topology.TALLIES.name, self.partition):
            key, value = record.key or b"", record.value or b""
            if expected.pop(key, None) != value and not self.expired(key):
                return f"counter {value.decode()} is not so when recomputed"
        for key, value in expected.items():
            if not self.expired(key):
                return f"counter {value.decode()} is recomputed, and not published so"
        return None

    def expired(self, key: bytes) -> bool:
        """Whether a counter's window may have taken corrections that were not written any more, or is about to go."""
        _, window, start, _ = (int(part) for part in key.split(b":"))
        return window != ALL_TIME and windows_end_min(window, start) < self.checkpoint.mark // 60_000


def windows_end_min(window: int, start: int) -> int:
    """The minute beyond which a window is no longer kept."""
    assert window < len(WINDOWS) - 1
    return start + LENGTH_MIN[window] + KEPT_MIN[window]


async def _origins(reader: Reader, topic: str, partition: int) -> AsyncIterator[Origin]:
    async for _, record in reader.scan(topic, partition):
        said = dict(record.headers)
        yield source_of(said["topic"].decode(), int(said["partition"])), int(said["offset"])


def _content(raw: bytes) -> bytes:
    """A transition as it was written, less what says when that was (rev) and whether it was taken back (op)."""
    before, _, rest = raw.partition(b',"rev":')
    return before + b"," + rest.partition(b'","tenant":')[2]
