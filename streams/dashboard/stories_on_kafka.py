"""The story of one person on a cluster, where steps lie among those of everybody: the worker that owns the
person answers from memory.

The group knows who has which partition, and where each worker can be asked: workers send that when they join.
So nothing has to be configured, and the dashboard need not be a member.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import msgspec

from schemas import Current
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.json_text import rfc3339
from streams.core.processing.record_keys import person_key, profile_key
from streams.core.processing.source_headers import NO_HEADERS, place_headers, source_place
from streams.dashboard.answers import ShownJourney, ShownProfile, Story
from streams.dashboard.stories import StoryUnavailable, shown_journeys, sort_journeys
from streams.errors import InputError, Refused, StreamsError
from streams.log.kafka.group_members import group_members
from streams.log.kafka.log import KafkaLog
from streams.queries.held_persons import OwnerUnavailable, PersonAnswer, PersonQuestion, ask_owners
from streams.queries.person import Person, fold_settings_for
from streams.queries.timeline import timelines_of_records
from streams.queries.worker_client import WorkerClient
from streams.records import Record
from streams.runtime.assignor import owners_of, read_claim

# How old the table of owners may be. A question that a former owner gets is forwarded, so an old table costs
# a way more and nothing else.
TABLE_AGE_S = 10.0
FRESH_S = 1.0  # after a worker could not answer: it is read no more often, however many ask

_decode = msgspec.json.Decoder(Current).decode


class OwnersOfApp:
    """Who has which partition of an app, as its group has it."""

    def __init__(self, log: KafkaLog) -> None:
        self._log, self._lock = log, asyncio.Lock()
        self._owners: Mapping[int, str] = {}
        self._read_s: float | None = None

    async def owners(self, max_age_s: float) -> Mapping[int, str]:
        """Partition -> address, not older than that. While partitions are assigned anew, it is what it was
        before. Raises Refused or Unavailable.
        """
        async with self._lock:
            now_s = asyncio.get_running_loop().time()
            if self._read_s is None or now_s - self._read_s > max_age_s:
                members = await group_members(self._log.cluster, self._log.app)
                found = owners_of((read_claim(one.claim).address, one.partitions) for one in members)
                self._owners, self._read_s = found or self._owners, now_s
            return self._owners


class StoriesOnKafka:
    """Asks the workers that own the person."""

    def __init__(self, log: KafkaLog, client: WorkerClient) -> None:
        self._log, self._client, self._table = log, client, OwnersOfApp(log)
        self._lock = asyncio.Lock()  # however many ask, the log is looked at once
        self._has_tenants: bool | None = None  # None: not looked up yet; it stays as it is

    async def prepare(self) -> None:
        """Looks up what the first question would wait for."""
        with suppress(StreamsError):  # the question that needs it gets the error
            await self._tenants()
            await self._table.owners(TABLE_AGE_S)

    async def story(self, name: str, at_ms: int | None, as_of: str | None) -> Story | None:
        """What was known of a person at a time, as far as the worker holds it."""
        person = Person(name)
        try:
            has_tenants = await self._tenants()
            partitions = person.owners(self._log.partitions, has_tenants=has_tenants)
            answer = await self._ask(PersonQuestion(name, tuple(sorted(partitions))))
        except (OwnerUnavailable, InputError, Refused) as error:
            raise StoryUnavailable(str(error)) from error
        return await story_of_held(person, answer, None if at_ms is None else rfc3339(at_ms))

    async def _tenants(self) -> bool:
        async with self._lock:
            if self._has_tenants is None:
                stored = [decode_checkpoint(raw) for raw in await self._log.checkpoints() if raw is not None]
                self._has_tenants = fold_settings_for(Person(""), stored).tenant is not None
            return self._has_tenants

    async def _ask(self, question: PersonQuestion) -> PersonAnswer:
        owners = await self._table.owners(TABLE_AGE_S)
        try:
            return await ask_owners(question, owners, self._client.ask)
        except OwnerUnavailable:
            newer = await self._table.owners(FRESH_S)
            if newer == owners:
                raise
        return await ask_owners(question, newer, self._client.ask)


async def story_of_held(person: Person, answer: PersonAnswer, at: str | None) -> Story | None:
    """The story that workers' answers tell. `at`: only what had happened by then. None: nobody is held."""
    held = [(_decode(one.current), one) for one in answer.profiles]

    async def steps(_: int) -> AsyncIterator[Record]:
        for current, one in held:
            key = person_key(profile_key(current.tenant or "", current.profile))
            for value, place in zip(one.transitions, one.read_at, strict=True):
                headers = NO_HEADERS if place is None else place_headers(source_place(place[0]), place[1])
                yield Record(-1, -1, key, bytes(value), headers)

    journeys = shown_journeys(await timelines_of_records(person, (0,), steps, until=at))
    found: list[ShownProfile] = []
    for current, one in held:
        shown = journeys.get((current.tenant, current.profile), [])
        if at is None and not one.complete:
            _add_last_journeys(shown, current)
        found.append(ShownProfile(current.tenant, current.profile, current.person or None, shown))
    if not found:
        return None
    found.sort(key=lambda profile: (profile.tenant or "", profile.profile))
    # A name stands for a user and a device: whoever has journeys is meant.
    profiles = [profile for profile in found if profile.journeys] or found
    return Story(answer.as_of, at, all(one.complete for _, one in held), profiles)


def _add_last_journeys(shown: list[ShownJourney], current: Current) -> None:
    """Adds the last journey about each need if no step of it is held any more."""
    known = {(journey.need, journey.journey) for journey in shown}
    for need in current.needs:
        if (need.need, need.journey) not in known:
            journey = ShownJourney(
                journey=need.journey,
                need=need.need,
                opened_at=need.opened_at,
                closed_at=need.since if need.moment is None else None,
                outcome=need.outcome or "open",
                silent=need.stalled,
                moment=need.moment,
                steps=[],
            )
            shown.append(journey)
    sort_journeys(shown)
