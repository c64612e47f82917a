"""`why` of a person shows what they did as a guest, with the device; of a device, to whom its events went."""

import json
from collections import Counter
from io import StringIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from streams.cli.render.why import render
from streams.core.ingest.partition import partition_of
from streams.core.processing.checkpoint import OUTCOMES, decode_checkpoint
from streams.log.memory import MemoryLog
from streams.queries.event_story import EventStory
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.queries.signing_in import IDENTITY, at_rest, guests, signed_in
from tests.queries.test_slices import NOW
from tests.queries.test_verify_redriven_devices import call, read_more, redriven
from tests.queries.test_why import seen, why
from tests.queries.written import RULES, did

LAW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None)
USERS, DEVICES = 3, 3


def on(device: str, who: str, event: str, minute: float) -> bytes:
    """The record of what a user did on a device."""
    return did(who, event, minute, anonymousId=device)


async def read_by(partitions: int, *records: bytes) -> MemoryLog:
    """A log in whose partitions these records lie by turns."""
    log = MemoryLog(partitions)
    given = Settings(identity=IDENTITY)
    agents = [await PartitionAgent.open(log, number, given, RULES) for number in range(partitions)]
    for n, record in enumerate(records):
        await log.append([NewRecord(n % partitions, None, record, NOW)])
        await at_rest(agents)
    return log


def whose(story: EventStory) -> tuple[str, str | None, tuple[str, ...]]:
    """Who did it, whose it is, what and how it ended, and the steps that stand."""
    name, ending, *steps = seen(story)
    net = Counter(step.removeprefix("assert ") for step in steps if step.startswith("assert "))
    net.subtract(step.removeprefix("retract ") for step in steps if step.startswith("retract "))
    return story.profile, story.belongs_to, (name, ending, *(+net).elements())


def has_retracted(story: EventStory) -> bool:
    """True if a step of it was retracted."""
    return any(step.startswith("retract ") for step in seen(story))


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_guest_signs_in(partitions: int) -> None:
    """The user's events are there, and those of the device that are theirs, each where it was read; the
    device's say to whom they went, and what was taken back of them.
    """
    log = await read_by(
        partitions, did("d:phone", "look", 0), did("d:phone", "cart", 5), on("phone", "u:ann", "pay", 9)
    )
    stories = await why(log, "u:ann")
    assert [
        ("d:phone", "u:ann", ("look", "applied", "opened")),
        ("d:phone", "u:ann", ("cart", "applied", "advanced")),
        ("u:ann", None, ("pay", "applied", "converted")),
    ] == [whose(story) for story in stories]
    assert [(n % partitions, n // partitions) for n in range(3)] == [
        (story.partition, story.offset) for story in stories
    ]
    said = [json.loads(story.wire()) for story in stories]
    assert ["u:ann", "u:ann", None] == [of["belongs_to"] for of in said]
    paid = {"user": "u:ann", "at": said[2]["at"], "event": said[2]["event"]}
    assert [paid | {"is_before": False, "shared_by": None}] * 2 + [None] == [of["decided_by"] for of in said]
    assert [
        ("d:phone", "u:ann", ("look", "applied")),
        ("d:phone", "u:ann", ("cart", "applied")),
    ] == [whose(story) for story in await why(log, "d:phone")]
    shown = StringIO()
    Console(file=shown, width=200).print(render(stories))
    assert "d:phone → u:ann" in shown.getvalue()
    assert f"applied; u:ann signed in 4 min after, by event {paid['event']}" in shown.getvalue()


async def test_what_was_given_and_taken_back() -> None:
    """Somebody else signs in nearer to an event: the first user's steps of it are shown, as taken back."""
    log = await read_by(
        2,
        did("d:phone", "look", 60),
        on("phone", "u:ann", "scroll", 0),
        on("phone", "u:ben", "scroll", 70),
        did("d:phone", "look", 200),
    )
    assert [("d:phone", "u:ben", ("look", "applied"))] == [
        whose(story) for story in await why(log, "u:ann") if story.name == "look"
    ]
    ben = [whose(story) for story in await why(log, "u:ben") if story.name == "look"]
    assert [("d:phone", "u:ben", ("look", "applied", "opened"))] == ben[:1]
    assert ["u:ben", "u:ben"] == [owner for _, owner, _ in ben]
    # A word without a prefix is looked for as both; nobody else's steps are among them.
    assert [] == await why(log, "ann-and-ben")


async def test_nobody_has_what_is_done_on_a_shared_device() -> None:
    """It says how many users there are; before the first of them signs in, nobody is near enough."""
    users = [on("till", f"u:{who}", "scroll", 3_000 + n) for n, who in enumerate("abc")]
    log = await read_by(1, did("d:till", "look", 0), *users, did("d:till", "look", 3_010))
    early, late = await why(log, "d:till")
    assert (None, None) == (early.belongs_to, early.decided_by)
    assert late.decided_by is not None
    assert (None, "u:c", True, 3) == (
        late.belongs_to,
        late.decided_by.user,
        late.decided_by.is_before,
        late.decided_by.shared_by,
    )
    shown = StringIO()
    Console(file=shown, width=200).print(render([early, late]))
    assert "applied; the device's own: 3 users share it" in shown.getvalue()


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_late_link_gives_nothing(partitions: int) -> None:
    """Time had gone on by more than the lateness as it was read: what is near it stays the device's."""
    day = 24 * 60.0
    log = await read_by(
        partitions,
        did("d:phone", "look", 0.2 * day),
        did("u:zoe", "look", 9 * day),
        on("phone", "u:ann", "pay", 0.3 * day),
    )
    (look,) = [story for story in await why(log, "d:phone") if story.name == "look"]
    assert ("d:phone", None, ("look", "applied", "opened")) == whose(look)
    assert not [story for story in await why(log, "u:ann") if story.name == "look"]


async def test_what_was_redriven_too_late_stays_the_devices() -> None:
    """The links of its time may be gone by then, so none decides whose it is."""
    log = MemoryLog(1)
    await read_more(log, [call("Signed In", 10, userId="ann", anonymousId="phone")])
    await read_more(log, [call("Product Viewed", 20, userId="zoe")])
    await read_more(log, [call("Product Viewed", 9.9, anonymousId="phone")])
    assert {"applied": 1} == (await redriven(log, "late", "one")).ended
    story, _ = await why(log, "d:phone")  # and a silence
    assert ("applied", None, None) == (story.ending, story.belongs_to, story.decided_by)
    assert [] == [story for story in await why(log, "u:ann") if story.profile == "d:phone"]


async def test_what_is_not_stored_any_more() -> None:
    """A step names the device that gave its event."""
    log = await read_by(1, did("d:phone", "look", 0), on("phone", "u:ann", "pay", 9))
    del log._stored[0].appended["events"][:1]
    gone, _ = await why(log, "u:ann")
    assert ("d:phone", "u:ann", ("None", "gone", "opened")) == whose(gone)


@LAW
@given(st.integers(0, 2**32), st.sampled_from((1, 3)))
async def test_the_stories_of_all_people_add_up(seed: int, partitions: int) -> None:
    """How their items ended is what the checkpoints count, each transition is under one event or silence, and
    a user's are all of those that devices gave them.

    All is in one day, so no id comes again after the finality delay: how far the settled mark had come by
    then, and so whether the id was still known, is in no log.
    """
    log = await signed_in(guests(seed, 120, 1.0, USERS, DEVICES), partitions, seed)
    endings, steps = Counter[str](), 0
    for profile in [f"u:user{n}" for n in range(USERS)] + [f"d:phone{n}" for n in range(DEVICES)]:
        stories = await why(log, profile)
        endings += Counter(story.ending for story in stories if story.profile == profile)
        steps += sum(len(story.transitions) for story in stories)
        assert not [story for story in stories if story.ending == "gone"]
        for story in stories:
            for raw in story.transitions:
                step = json.loads(bytes(raw))
                assert profile == step["profile"]
                assert story.event == step["event"] or step["kind"] in ("stalled", "abandoned")
                assert step.get("device") == (story.profile[2:] if story.profile != profile else None)
    counts = [decode_checkpoint(raw).counts for raw in await log.checkpoints() if raw is not None]
    names = [name for name in OUTCOMES if name not in ("rejected", "no_signal")]
    assert {name: sum(getattr(each, name) for each in counts) for name in names} == {
        name: endings[name] for name in names
    }
    assert steps == sum(len(part.appended["transitions"]) for part in log._stored)


async def test_a_device_of_another_partition() -> None:
    """The owner of the device judged its events: where they were forwarded is that partition."""
    log = await read_by(3, *[did("d:phone", "look", n) for n in range(3)], on("phone", "u:ann", "pay", 9))
    owner = partition_of(b"phone", 3)
    places = {
        (story.partition, story.forwarded_to) for story in await why(log, "u:ann") if story.name == "look"
    }
    assert {(n, None if n == owner else owner) for n in range(3)} == places
