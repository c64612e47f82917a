"""Compares the published transitions and cues of people with those that their stored events give.

Where retention has taken the beginning of something, only people whose history is whole are compared; see
`histories`.
"""

from collections.abc import Iterator, Mapping

from streams.core.funnels.cells import count_step
from streams.core.funnels.windows import Windows
from streams.core.journeys.journey_step import CUE, JourneyStep
from streams.core.journeys.profile import Profile
from streams.core.processing.publisher import Publisher
from streams.queries.event_sets import first_ms, fold_sets
from streams.queries.histories import complete_from_ms, read_whole
from streams.queries.published_transitions import (
    CORRECTED,
    NetRecords,
    PublishedRecord,
    content_of,
    digest_of,
    last_rev_of,
    read_published,
    text_of,
)
from streams.queries.recomputation import Recomputation, StoredPartition
from streams.topology import CUES, Topic

PEOPLE_PER_ROLL_UP = 1_000  # counters are added up so often: expired windows take no memory
NEVER_MS = 1 << 62  # later than any event


class PeopleCheck:
    """The comparison of the people of one partition, slice by slice."""

    def __init__(self, stored: StoredPartition, publisher: Publisher) -> None:
        self.stored, self.publisher = stored, publisher
        self.checked = self.transitions = self.cues = 0  # people, and what of theirs was compared
        self.unchecked = 0  # people whose history is not whole
        self.windows = Windows()  # the sum over the steps of all people
        self.complete_from_ms = -1  # no transition or cue from this time on was deleted; -1: none at all was
        self.lost: set[str] = set()  # the topics of them whose beginning was deleted by age

    async def compare(self, reading: Recomputation, *, is_whole: bool) -> str | None:
        """The first difference in the transitions of one slice. `is_whole`: the input has lost nothing."""
        people, former = reading.sets.people, reading.sets.former
        unsure: set[str] = set()  # people whose history may not be whole
        if not is_whole:
            whole, without_events = await read_whole(
                self.stored.reader,
                self.stored.partition,
                reading.slice,
                people,
                self.stored.parameters.patience,
            )
            self.unchecked += without_events
            unsure = (people.keys() - whole) | former.keys()
        elif reading.moves is not None:
            unsure = {key for key in reading.moves.unsure if reading.slice.has(key)}
        may_be_cut = self.stored.reader.drops_old_records
        # (What was forgotten before an event was redriven is compared, too.)
        firsts_ms = (
            {key: min([first_ms(sets) for sets in reading.sets.histories(key)]) for key in people}
            if may_be_cut
            else {}
        )
        net, gap = NetRecords(), None
        for topic in CORRECTED:
            gap = await self._read_topic(topic, reading, net, unsure, firsts_ms, is_whole=is_whole) or gap
        self.unchecked += len(unsure)
        self.checked += len(people.keys() - unsure)
        return await self._fold(reading, net, unsure, is_whole=is_whole) or gap

    async def _read_topic(
        self,
        topic: Topic,
        reading: Recomputation,
        net: NetRecords,
        unsure: set[str],
        firsts_ms: Mapping[str, int],
        *,
        is_whole: bool,
    ) -> str | None:
        """Adds up what a topic says of the people of a slice. Returns the first gap in it."""
        gap, last_rev = None, None
        stored = self.stored
        expected_rev = last_rev_of(topic, stored.checkpoint)
        async for published in read_published(stored.reader, stored.partition, stored.checkpoint, topic):
            if last_rev is None:
                self._note_beginning(topic, published)
                unsure.update(key for key, at_ms in firsts_ms.items() if at_ms < self.complete_from_ms)
                last_rev = 0 if topic.name not in self.lost else published.rev - 1
            if published.rev != last_rev + 1 and gap is None:
                gap = f"{topic.name} published: rev {published.rev} comes after rev {last_rev}"
            last_rev = published.rev
            key = published.key
            if not reading.slice.has(key) or key in unsure:
                continue
            if not is_whole:
                first = firsts_ms.get(key)
                if first is None:
                    continue
                if published.opened_ms < first:  # of an earlier history of theirs, which was forgotten
                    unsure.add(key)
                    net.pop(key)
                    continue
            net.add(published)
        if last_rev is None and expected_rev and stored.reader.drops_old_records:
            self.lost.add(topic.name)
            self.complete_from_ms = NEVER_MS
            unsure.update(reading.sets.people)
        elif (last_rev or 0) < expected_rev:
            gap = gap or f"{topic.name} published: rev {last_rev} is the last, of {expected_rev}"
        return gap

    def _note_beginning(self, topic: Topic, oldest: PublishedRecord) -> None:
        if self.stored.reader.drops_old_records and oldest.offset > 0 and oldest.rev > 1:
            self.lost.add(topic.name)
            known = oldest.time_ms >= 0
            at_ms = complete_from_ms(oldest.time_ms, self.stored.book.doors) if known else NEVER_MS
            self.complete_from_ms = max(self.complete_from_ms, at_ms)

    async def _fold(
        self, reading: Recomputation, net: NetRecords, unsure: set[str], *, is_whole: bool
    ) -> str | None:
        """Compares the steps of each person with what is published of them, and counts them."""
        for n, key in enumerate(sorted(reading.sets.people), 1):
            if key in unsure and not is_whole:
                continue
            published = net.pop(key)
            for p, t in self._steps(reading, key, is_whole=is_whole):
                if is_whole:
                    count_step(t, 1, self.windows.delta)
                if not t.journey or key in unsure:  # what has no journey is counted, not published
                    continue
                what = "cue" if t.kind == CUE else "transition"
                if t.kind == CUE:
                    self.cues += 1
                    raw = self.publisher.cue(p, "assert", 0, t)
                else:
                    self.transitions += 1
                    raw = self.publisher.transition(p, "assert", 0, t)
                digest = digest_of(raw)
                if not published.get(digest):
                    return f"{what} recomputed, but not published: {content_of(raw).decode()}"
                published[digest] -= 1
            if difference := await self._left_over(published):
                return difference
            if n % PEOPLE_PER_ROLL_UP == 0:
                self.windows.roll_up(self.stored.checkpoint.settled_mark_ms)
        for published in net.by_person.values():  # of people without an event
            if difference := await self._left_over(published):
                return difference
        return None

    def _steps(
        self, reading: Recomputation, key: str, *, is_whole: bool
    ) -> Iterator[tuple[Profile, JourneyStep]]:
        """The steps of a person: of what is held together, and of each history that was forgotten before."""
        timers_fired_ms, patience = self.stored.checkpoint.timers_fired_ms, self.stored.parameters.patience
        held = reading.sets
        for sets in held.histories(key) if is_whole else (held.people[key],):
            p, steps = fold_sets(key, sets, timers_fired_ms, patience, held.origins.get(key))
            for t in steps:
                yield p, t

    async def _left_over(self, published: dict[bytes, int]) -> str | None:
        digest = next((digest for digest, n in published.items() if n), None)
        if digest is None:
            return None
        topic, text = await text_of(self.stored.reader, self.stored.partition, digest)
        return f"{'cue' if topic is CUES else 'transition'} published, but not recomputed: {text}"
