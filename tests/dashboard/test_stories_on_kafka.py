"""What the owner of a person answers from memory is what the log says."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.dashboard.answers import ShownProfile, Story
from streams.dashboard.stories import StoriesOfLog
from streams.dashboard.stories_on_kafka import story_of_held
from streams.host.person_desk import look_up
from streams.log.memory import MemoryLog
from streams.queries.held_persons import PersonAnswer, joined_answer
from streams.queries.instants import ms_of
from streams.queries.person import Person
from streams.queries.state_profiles import read_state_profiles
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.queries.written import DAY, HOUR, RULES, did, written

WHO = ("u:ann", "u:bob", "d:cat", "d:dog")
ASKED = ("ann", "u:bob", "cat", "d:dog", "zed")
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(WHO),
        st.sampled_from(("look", "glance", "cart", "pay", "back")),
        st.one_of(st.integers(0, 3 * HOUR), st.integers(0, 12 * DAY)),
        st.sampled_from(("", "cars")),
        st.sampled_from((None, None, "cat", "dog")),  # a user's device
    ),
    max_size=25,
)


async def held(log: MemoryLog, name: str, **given: Any) -> PersonAnswer:
    """What the owners hold, in the bytes that travel."""
    has_tenants = given.get("tenant") is not None
    parts: list[PersonAnswer] = []
    for partition in range(log.partitions):
        agent = await PartitionAgent.open(log, partition, Settings.model_validate(given), RULES)
        parts.append(look_up(agent, Person(name).profiles, has_tenants=has_tenants))
    return msgspec.json.decode(msgspec.json.encode(joined_answer(parts)), type=PersonAnswer)


async def told(log: MemoryLog, name: str, at: str | None = None, **given: Any) -> Story | None:
    """The story that the owners tell."""
    return await story_of_held(Person(name), await held(log, name, **given), at)


async def read(log: MemoryLog, name: str, at: str | None = None) -> list[ShownProfile]:
    """The profiles of the story that the log tells. Where events were read is looked at, and left out."""
    story = await StoriesOfLog(log).story(name, None if at is None else ms_of(at), None)
    for profile in [] if story is None else story.profiles:
        await _check_sources(log, profile)
    return [] if story is None else [_placeless(profile) for profile in story.profiles]


def _placeless(profile: ShownProfile) -> ShownProfile:
    journeys = [
        replace(journey, steps=[replace(step, source=None) for step in journey.steps])
        for journey in profile.journeys
    ]
    # The log is not asked whose a device is that has journeys of its own.
    return replace(profile, journeys=journeys, person=None if journeys else profile.person)


@settings(max_examples=60)
@given(
    HAPPENINGS,
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from((None, "2024-05-01T01:30:00.000Z", "2024-05-07T00:00:00.000Z")),
)
async def test_an_owner_answers_what_the_log_says(
    happened: Sequence[tuple[str, str, int, str, str | None]], partitions: int, on: bool, at: str | None
) -> None:
    """Of everybody, now and at an earlier time, also after late events and corrections."""
    options: dict[str, Any] = {"identity": {"on": on}, "need": ["properties.category"]}
    records = [
        did(
            who,
            name,
            minute,
            **({"properties": {"category": need}} if need else {}),
            **({"anonymousId": device} if device and who.startswith("u:") else {}),
        )
        for who, name, minute, need, device in happened
    ]
    log = await written(records, partitions, **options)
    for name in ASKED:
        story, expected = await told(log, name, at, **options), await read(log, name, at)
        if story is None:  # whoever was forgotten, or was never there
            stored = {key.decode() for key in await read_state_profiles(log)}
            assert not stored & Person(name).profiles
            continue
        for profile in story.profiles:
            await _check_sources(log, profile)
        found = [_placeless(profile) for profile in story.profiles]
        if story.complete:
            assert expected == found
        else:
            assert _steps(found) <= _steps(expected)


async def _check_sources(log: MemoryLog, profile: ShownProfile) -> None:
    """Every step that an event has caused says where that event lies, be it the person's or the device's."""
    for step in [step for journey in profile.journeys for step in journey.steps]:
        if step.event is None:
            assert step.source is None
            continue
        source, _, offset = (step.source or "").rpartition(":")
        (value,) = [record.value async for record in log.scan_source(source) if record.offset == int(offset)]
        sent = json.loads(value or b"")
        whose = f"u:{sent['userId']}" if "userId" in sent else f"d:{sent['anonymousId']}"
        assert (step.event, f"d:{step.device}" if step.device else profile.profile) == (
            sent["messageId"],
            whose,
        )


def _steps(profiles: Sequence[ShownProfile]) -> set[str]:
    return {
        json.dumps(msgspec.to_builtins(step), sort_keys=True)
        for profile in profiles
        for journey in profile.journeys
        for step in journey.steps
    }


async def test_a_device_says_whose_it_is() -> None:
    """What a guest did is in the user's story; the device has none, or what came before."""
    options: dict[str, Any] = {"identity": {"on": True}}
    records = [did("d:cat", "look", 0), did("u:ann", "cart", 5, anonymousId="cat")]
    log = await written(records, **options)
    device, user = await told(log, "cat", **options), await told(log, "ann", **options)
    assert device is not None
    assert user is not None
    assert [("d:cat", "u:ann", 0)] == [(p.profile, p.person, len(p.journeys)) for p in device.profiles]
    assert await read(log, "cat") == device.profiles
    assert [("opened", "look-0", "events:0:0"), ("advanced", "cart-300", "events:0:1")] == [
        (step.kind, step.event, step.source) for step in user.profiles[0].journeys[0].steps
    ]


OLD = [
    did("u:ann", "look", 0), did("u:ann", "cart", 1),
    *(did("u:ann", "pay", minute) for minute in range(2, 9)),  # one purchase, told again and again
]  # fmt: skip
LONG_AFTER = [did("u:bob", "look", 30 * DAY)]


async def test_of_what_the_base_has_swallowed_the_last_journey_is_left() -> None:
    """Without its steps, and the answer says that it is not complete."""
    log = await written([*OLD, *LONG_AFTER])
    story = await told(log, "ann")
    assert story is not None
    ((journey,),) = [profile.journeys for profile in story.profiles]
    assert (False, "converted", "2024-05-01T00:02:00.000Z", None, []) == (
        story.complete,
        journey.outcome,
        journey.closed_at,
        journey.moment,
        journey.steps,
    )
    at = await told(log, "ann", "2024-05-31T00:00:00.000Z")
    assert at is not None
    assert (False, []) == (at.complete, at.profiles[0].journeys)


async def test_a_refund_of_a_purchase_that_the_base_has_swallowed() -> None:
    """The journey is over, though the step that closed it is not held."""
    log = await written([*OLD, *LONG_AFTER, did("u:ann", "back", 30 * DAY + 1)])
    story = await told(log, "u:ann")
    assert story is not None
    ((journey,),) = [profile.journeys for profile in story.profiles]
    assert ("refunded", None, ["refunded"]) == (
        journey.outcome,
        journey.moment,
        [step.kind for step in journey.steps],
    )
    assert not story.complete


async def test_a_name_is_looked_for_in_every_tenant() -> None:
    """Each has a profile of its own."""
    options: dict[str, Any] = {"tenant": "properties.shop", "identity": {"on": True}}
    records = [
        did("u:ann", "look", 0, properties={"shop": "one"}),
        did("u:ann", "cart", 1, properties={"shop": "two"}),
        did("u:annie", "cart", 1, properties={"shop": "two"}),
    ]
    log = await written(records, **options)
    story = await told(log, "ann", **options)
    assert story is not None
    assert [("one", "u:ann"), ("two", "u:ann")] == [(p.tenant, p.profile) for p in story.profiles]
