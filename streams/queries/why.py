"""Why a person is where they are: each stored event of theirs, what it was read as, how it ended, and which
transitions and cues it caused. What silence caused lies between them.

Each record is read by the rules and the door of its era, as `verify` reads it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.core.identity.links import Link
from streams.core.ingest.event import Apart, Event, Rejection
from streams.core.journeys.journey_step import KIND_NAMES
from streams.core.journeys.signal import (
    REFUND_EVERYWHERE,
    TIME,
    Signal,
    event_text,
    given_ref,
    without_needs,
)
from streams.core.moments.verdict import INTENTS
from streams.core.processing.dead_letters import REFUSED_DETAIL
from streams.core.processing.json_text import quoted, rfc3339
from streams.core.processing.publisher import CUE_LABELS, transition_id
from streams.core.processing.record_keys import split_profile_key
from streams.log.port import Reader
from streams.queries.event_sets import CopyFate, EventSet, add_copy
from streams.queries.event_story import DecidedBy, Ending, EventStory, ReadAs
from streams.queries.known_links import KnownLinks
from streams.queries.origins import Origin
from streams.queries.person import Person
from streams.queries.persons_items import FoundItem, Letter, PersonsItems
from streams.queries.persons_search import read_persons_items
from streams.topology import CUES, TRANSITIONS, split_source

REDRIVEN_SINCE = "it was redriven since"


class Why(NamedTuple):
    """The stories of a person's events and silences, by time, and what was not searched for more of them."""

    stories: Sequence[EventStory]
    unreadable: Sequence[str]  # sources with records whose reader this release does not have
    hidden: Mapping[str, int]  # by source: where the open transaction begins that hides the rest


async def read_why(reader: Reader, person: Person, on_progress: Callable[[int, int], None]) -> Why:
    """The stories of all events of a person; there are none if nobody has this name.

    Raises InputError if nothing was processed yet, ConfigError for a tenant where there are none.
    """
    found = await read_persons_items(reader, person, on_progress)
    stories = _Stories(found)
    await stories.add_published(reader, person)
    return Why(sorted(stories.stories, key=_place), found.unreadable, found.hidden)


def _place(story: EventStory) -> tuple[str, str, int, int]:
    """Sorts stories by time, and those of one time as they were read."""
    return story.at or "", story.topic or "", story.offset or 0, story.index or 0


class _CausingEvent(NamedTuple):
    key: str  # of the profile
    ref: bytes


class _Stories:
    """Judges items in the order in which they came to the partition that owns the person."""

    def __init__(self, found: PersonsItems) -> None:
        self.stories: list[EventStory] = []
        self._found = found
        self._by_place: dict[Origin, EventStory] = {}
        self._sets: dict[str, list[EventSet]] = {}
        self._causing: dict[_CausingEvent, EventStory] = {}
        self._needs: dict[_CausingEvent, set[str]] = {}  # that copies of the event name
        self._needs_of_person: dict[str, set[str]] = {}  # by the key of the profile
        self._moved: list[EventStory] = []  # events of devices that are somebody else's, as things stand
        for item in found.in_order():
            self.stories.append(self._story(item, found))
        if found.devices is not None and found.devices.links is not None:
            self._add_devices(found.devices, found.devices.links)
        for origin, letter in found.letters_alone():
            self.stories.append(_letter_story(origin, letter))

    def _add_devices(self, devices: PersonsItems, links: KnownLinks) -> None:
        """Adds what devices did, under their users of that time."""
        for item in devices.in_order():
            event, stored = item.stored.outcome, item.stored
            if not isinstance(event, Event) or event.apart is not None:
                continue
            device = stored.signals.key(event)
            verdict = stored.signals.classify(event)
            if verdict is None:
                continue
            signal = stored.signals.signal(event, verdict, is_redriven=stored.redriven_by is not None)
            known = self._by_place.get(stored.origin)
            story = known or self._story(item, devices)
            user, at_ms = None, signal.head >> TIME
            if stored.origin not in devices.unmoved:
                user = links.user_at(device, at_ms)
                story.belongs_to = None if user is None else split_profile_key(user)[1]
                if (link := links.deciding(device, at_ms)) is not None:
                    shared_by = links.users_on(device, link) if user is None else None
                    story.decided_by = _decided_by(link, at_ms, shared_by)
            for key in filter(self._is_meant, links.users_of(device)):
                name = given_ref(split_profile_key(device)[1][2:], signal.ref)
                self._note_causing(_CausingEvent(key, name), story, signal)
            if known is None:
                is_theirs = user is not None and self._is_meant(user)
                (self.stories if is_theirs else self._moved).append(story)

    def _is_meant(self, key: str) -> bool:
        return self._found.person.has(*split_profile_key(key))

    def _story(self, item: FoundItem, found: PersonsItems) -> EventStory:
        origin, outcome = item.stored.origin, item.stored.outcome
        topic, partition = split_source(origin.source)
        story = EventStory(
            tenant=None, profile="", at=None, event=None, name=None, type=None,
            topic=topic, partition=partition, offset=origin.offset, index=origin.index,
            forwarded_to=item.forwarded_to, read_as=None, ending="waiting",
        )  # fmt: skip
        self._by_place[origin] = story
        letter = found.rejected.get(origin.letter) or found.withheld.get(origin)
        if not isinstance(outcome, Event):
            story.profile = found.person.name
            if item.arrived:
                story.ending = "rejected"
                if letter is not None:
                    story.reason, story.detail = letter.reason, letter.detail
                    if origin in found.redriven:
                        story.detail = f"{letter.detail}; {REDRIVEN_SINCE}, and counts"
                elif isinstance(outcome, Rejection):
                    detail = REFUSED_DETAIL if outcome.is_refused else outcome.detail
                    story.reason, story.detail = outcome.reason.value, detail
            return story
        key = item.stored.signals.key(outcome)
        story.tenant, story.profile = split_profile_key(key)
        if outcome.apart is Apart.REFUSED:
            if item.arrived:
                story.ending = "refused"
                if letter is not None:
                    story.ending, story.reason, story.detail = "rejected", letter.reason, letter.detail
            return story
        story.at, story.event = rfc3339(outcome.at_ms), outcome.id
        story.name, story.type = outcome.name, outcome.type
        verdict = None if outcome.apart is Apart.ROBOT else item.stored.signals.classify(outcome)
        is_redriven = item.stored.redriven_by is not None
        signal = (
            None if verdict is None else item.stored.signals.signal(outcome, verdict, is_redriven=is_redriven)
        )
        if verdict is not None and signal is not None:
            rule, version = item.rule_of(signal.rule)
            story.read_as = ReadAs(
                INTENTS[verdict.intent],
                verdict.sure,
                rule.confidence,
                rule.name,
                version,
                needs=signal.needs,
                cue=CUE_LABELS[verdict.cue],
            )
        if not item.arrived:
            return story
        if letter is not None:
            story.ending, story.reason, story.detail = "rejected", letter.reason, letter.detail
            if signal is not None and origin in found.redriven:
                self._add(found, story, key, signal)
                story.detail = f"{REDRIVEN_SINCE}; first it was rejected: {letter.detail}"
            return story
        if outcome.apart is Apart.ROBOT:
            story.ending = "robot"
            return story
        if signal is None:
            story.ending = "no_signal"
            return story
        late = found.late.get(origin.letter)
        if late is not None and origin in found.redriven:
            self._add(found, story, key, signal)
            story.reason, story.detail = late.reason, f"{REDRIVEN_SINCE}; first it was {late.detail}"
        elif late is not None and not late.left_out:
            story.ending, story.reason, story.detail = "late", late.reason, late.detail
        else:
            self._add(found, story, key, without_needs(signal, late.left_out if late else ()))
            if late is not None:
                story.reason = late.reason
                story.detail = "; ".join(filter(None, (late.detail, story.detail)))
        return story

    def _add(self, found: PersonsItems, story: EventStory, key: str, signal: Signal) -> None:
        fate = add_copy(self._sets.setdefault(key, [{}]), signal, found.delay.copies(signal.head >> TIME))
        if fate is CopyFate.DUPLICATE:
            story.ending = "duplicate"
            return
        story.ending = "applied"
        if fate is CopyFate.SMALLER:
            story.detail = "in place of a copy with the same id that sorts after it"
        if self._is_meant(key):
            self._note_causing(_CausingEvent(key, signal.ref), story, signal)

    def _note_causing(self, caused_by: _CausingEvent, story: EventStory, signal: Signal) -> None:
        self._causing[caused_by] = story
        key = caused_by.key
        self._needs.setdefault(caused_by, set()).update(signal.needs)
        self._needs_of_person.setdefault(key, {""}).update(signal.needs)

    def _needs_of(self, caused_by: _CausingEvent) -> set[str]:
        """The needs in which an event can have caused a step: those that it names, or every need of the
        person.
        """
        needs = self._needs[caused_by]
        return needs if needs.isdisjoint(REFUND_EVERYWHERE) else self._needs_of_person[caused_by.key]

    async def add_published(self, reader: Reader, person: Person) -> None:
        """Puts each transition and each cue under the event that caused it, or under the silence."""
        by_id = {
            transition_id(caused_by.key, need, kind, caused_by.ref): story
            for caused_by, story in self._causing.items()
            for need in self._needs_of(caused_by)
            for kind in KIND_NAMES
            if kind
        }
        gone: dict[tuple[str | None, str, str | None, str], EventStory] = {}
        silences: dict[tuple[str, str], EventStory] = {}  # by the step's id and its time
        texts = [f'"profile":{quoted(name)}'.encode() for name in person.profiles]
        for topic in (TRANSITIONS, CUES):
            for partition in self._found.owners:
                async for _, record in reader.scan(topic.name, partition):
                    value = record.value
                    if value is None or not any(text in value for text in texts):
                        continue
                    published = _decode(value)
                    if not person.has(published.tenant, published.profile):
                        continue
                    if published.event is None:
                        story = silences.get((published.id, published.at))
                        if story is None:
                            story = silences[published.id, published.at] = _story_without_event(
                                published, "silence"
                            )
                            self.stories.append(story)
                    else:
                        event = published.tenant, published.profile, published.device, published.event
                        story = by_id.get(published.id) or gone.get(event)
                        if story is None:
                            story = gone[event] = _story_without_event(published, "gone")
                            self.stories.append(story)
                    if story in self._moved:
                        self._moved.remove(story)
                        self.stories.append(story)
                    (story.cues if topic is CUES else story.transitions).append(msgspec.Raw(value))


class _Published(msgspec.Struct):
    """What transitions and cues have alike."""

    id: str
    tenant: str | None
    profile: str
    at: str
    event: str | None
    device: str | None = None  # of an event that a device gave


_decode = msgspec.json.Decoder(_Published).decode


def _decided_by(link: Link, at_ms: int, shared_by: int | None) -> DecidedBy:
    """`at_ms`: of the event. `shared_by`: see DecidedBy."""
    return DecidedBy(
        user=split_profile_key(link.user)[1],
        at=rfc3339(link.at_ms),
        event=event_text(link.event),
        is_before=link.at_ms <= at_ms,
        shared_by=shared_by,
    )


def _letter_story(origin: Origin, letter: Letter) -> EventStory:
    """The story of a dead letter whose record is not stored any more."""
    topic, partition = split_source(origin.source)
    return EventStory(
        tenant=letter.tenant, profile=letter.profile, at=letter.at, event=letter.event, name=None, type=None,
        topic=topic, partition=partition, offset=origin.offset, index=origin.index,
        forwarded_to=None, read_as=None, ending=letter.ending, reason=letter.reason, detail=letter.detail,
    )  # fmt: skip


def _story_without_event(step: _Published, ending: Ending) -> EventStory:
    profile, belongs_to = step.profile, None
    if step.device is not None:
        profile, belongs_to = f"d:{step.device}", step.profile
    return EventStory(
        tenant=step.tenant, profile=profile, at=step.at, event=step.event,
        name=None, type=None, topic=None, partition=None, offset=None, index=None,
        forwarded_to=None, read_as=None, ending=ending, belongs_to=belongs_to,
    )  # fmt: skip
