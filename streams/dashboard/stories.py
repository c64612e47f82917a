"""The story of one person: journeys with the evidence of each step, from the log itself."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from schemas import Current
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.json_text import rfc3339
from streams.core.processing.record_keys import bare_id, split_profile_key
from streams.dashboard.answers import ShownJourney, ShownProfile, Story
from streams.dashboard.key_index import KeyIndex, keep_growing
from streams.dashboard.model import shown_step
from streams.dashboard.step_index import StepIndex
from streams.errors import InputError
from streams.log.port import EmbeddedReader
from streams.queries.person import Person, fold_settings_for
from streams.queries.state_profiles import profile_of_head
from streams.queries.timeline import (
    PartitionsOf,
    Timeline,
    TimelineJourney,
    timelines_of_records,
)
from streams.records import Record
from streams.topology import CURRENT_DEVICES, STATE

_decode = msgspec.json.Decoder(Current).decode

ProfileOf = tuple[str | None, str]  # tenant and name
AT_ONCE = 2  # stories that are looked for at the same time: each reads the partition of its person


class Stories(Protocol):
    """Answers what is known of a person."""

    async def prepare(self) -> None:
        """Does what makes stories quick, until it is cancelled or done. Raises Unavailable."""
        ...

    async def story(self, name: str, at_ms: int | None, as_of: str | None) -> Story | None:
        """What was known of a person at a time, now if it is None; None: nobody of that name is known.

        Raises StoryUnavailable, and Unavailable if the log does not answer.
        """
        ...


class StoryUnavailable(Exception):
    """Whoever knows the person cannot be asked now; the text says why, and names nobody."""


class StoriesOfLog:
    """Reads the partitions that can own the person."""

    def __init__(self, reader: EmbeddedReader) -> None:
        self._reader, self._index = reader, StepIndex(reader)
        self._heads = KeyIndex(reader, STATE, _profile_in_state)  # by profile, without its tenant
        self._devices = KeyIndex(reader, CURRENT_DEVICES, bare_id)
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._owners: PartitionsOf | None = None  # not known before anything was processed
        self._has_tenants = False

    @property
    def _indexes(self) -> Sequence[KeyIndex]:
        return (self._index, self._heads, self._devices)

    async def prepare(self) -> None:
        """Finds out where the steps of each person stand, until it is cancelled."""
        await keep_growing(self._indexes)

    async def index(self) -> None:
        """Finds out where all that there is now stands."""
        for index in self._indexes:
            while not await index.grow():
                pass

    async def story(self, name: str, at_ms: int | None, as_of: str | None) -> Story | None:
        """What was known of a person."""
        at = None if at_ms is None else rfc3339(at_ms)
        async with self._asking:
            try:
                profiles = await self._profiles(Person(name), at)
            except InputError:  # nothing was processed yet
                return None
        if not profiles:
            return None
        return Story(as_of, at, not self._reader.drops_old_records, profiles)

    async def _profiles(self, person: Person, at: str | None) -> list[ShownProfile]:
        owners = await self._owners_of_persons()
        partitions = owners(person)
        steps = partial(self._steps_of, person)
        timelines = await timelines_of_records(person, partitions, steps, until=at)
        found = [ShownProfile(*key, None, shown) for key, shown in shown_journeys(timelines).items()]
        return found or await self._without_journeys(person, partitions)

    def _steps_of(self, person: Person, partition: int) -> AsyncIterator[Record]:
        return self._index.records(partition, person.ids)

    async def _owners_of_persons(self) -> PartitionsOf:
        """Says who owns a person. Whether there are tenants was settled when the log began. Raises InputError
        if nothing was processed yet.
        """
        if self._owners is None:
            stored = [decode_checkpoint(raw) for raw in await self._reader.checkpoints() if raw is not None]
            has_tenants = self._has_tenants = fold_settings_for(Person(""), stored).tenant is not None
            partitions = self._reader.partitions
            self._owners = lambda person: sorted(person.owners(partitions, has_tenants=has_tenants))
        return self._owners

    async def _without_journeys(self, person: Person, partitions: Sequence[int]) -> list[ShownProfile]:
        """Those who gave unsure signals only, and devices whose journeys are their users'."""
        found: dict[ProfileOf, ShownProfile] = {}
        single = not self._has_tenants
        for number in partitions:
            for name in person.profiles:
                for key in await self._heads.newest(number, name.encode(), single=single):
                    known = split_profile_key((profile_of_head(key) or b"").decode())
                    found[known] = ShownProfile(*known, None, [])
            for one in person.ids:
                for value in (await self._devices.newest(number, one, single=single)).values():
                    now = _decode(value)
                    if person.has(now.tenant, now.profile):
                        shown = ShownProfile(now.tenant, now.profile, now.person or None, [])
                        found[now.tenant, now.profile] = shown
        return [*found.values()]


def _profile_in_state(key: bytes) -> bytes | None:
    """The profile, without its tenant, whose head is the state record with this key."""
    profile = profile_of_head(key)
    return None if profile is None else bare_id(profile)


def shown_journeys(timelines: Iterable[Timeline]) -> dict[ProfileOf, list[ShownJourney]]:
    """The journeys of each profile for the API, the newest first."""
    found: dict[ProfileOf, list[ShownJourney]] = {}
    for timeline in timelines:
        shown = found.setdefault((timeline.tenant, timeline.profile), [])
        shown += [_shown_journey(timeline, journey) for journey in timeline.journeys]
    for journeys in found.values():
        sort_journeys(journeys)
    return found


def sort_journeys(journeys: list[ShownJourney]) -> None:
    """Brings journeys into the order in which they are shown."""
    journeys.sort(key=lambda journey: journey.opened_at, reverse=True)


def _shown_journey(timeline: Timeline, journey: TimelineJourney) -> ShownJourney:
    return ShownJourney(
        journey=journey.journey,
        need=timeline.need,
        opened_at=journey.opened_at,
        closed_at=journey.closed_at,
        outcome=journey.outcome,  # type: ignore[arg-type]  # a name of an outcome
        silent=journey.stalled,
        moment=journey.steps[-1].to if journey.outcome == "open" else None,
        steps=[shown_step(step, source) for step, source in zip(journey.steps, journey.sources, strict=True)],
    )
