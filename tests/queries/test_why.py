"""Each event of a person comes with what it was read as, how it ended, and the steps that it caused."""

import json
from collections import Counter
from io import StringIO
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from streams.cli.render.why import render
from streams.core.moments.rules import default_rules, load_rules
from streams.core.processing.checkpoint import OUTCOMES, decode_checkpoint
from streams.errors import ConfigError, InputError
from streams.log.memory import MemoryLog
from streams.queries.event_story import EventStory, ReadAs
from streams.queries.person import Person
from streams.queries.verify import verify
from streams.queries.why import read_why
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.queries.test_slices import NOW, crowd
from tests.queries.test_slices import written as agent_written
from tests.queries.written import DAY, RULES, SHOP, did, written

LAW = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)

FEW = 4  # people


async def why(log: MemoryLog, name: str, tenant: str | None = None) -> list[EventStory]:
    found = await read_why(log, Person(name, tenant), lambda done, total: None)
    assert not found.unreadable
    assert not found.hidden
    return list(found.stories)


def seen(story: EventStory) -> tuple[str, ...]:
    """An event, how it ended, and its steps."""
    steps = [json.loads(bytes(raw)) for raw in story.transitions]
    return (str(story.name), story.ending, *(f"{step['op']} {step['kind']}" for step in steps))


async def test_cues_are_with_the_events_that_had_them() -> None:
    """A cue is under its event, with its corrections; an event says which cue was read in it."""
    slow = {"properties": {"slow": True}}
    log = await written(
        [
            did("u:ann", "glance", 0, **slow),
            did("u:ann", "look", 1, **slow),
            did("u:ann", "noise", 9, **slow),
            did("u:ann", "cart", 5),
        ]
    )
    told = [
        (story.name, story.read_as and story.read_as.cue, [json.loads(bytes(raw)) for raw in story.cues])
        for story in await why(log, "u:ann")
        if story.ending == "applied"
    ]
    assert [
        ("glance", "slow_page", []),
        ("look", "slow_page", ["assert know"]),
        ("cart", None, []),
        ("noise", "slow_page", ["assert know", "retract know", "assert buy"]),
    ] == [(name, cue, [f"{c['op']} {c['moment']}" for c in cues]) for name, cue, cues in told]


async def test_every_ending() -> None:
    """In the order in which things happened, with their steps; what silence caused has lines of its own."""
    log = await written(
        [
            did("u:ann", "look", 0),
            did("u:ann", "scroll", 1),
            did("u:ann", "cart", 5),
            did("u:ann", "look", 0),
            did("u:bob", "look", 3),
            did("u:ann", "glance", 6),
            did("u:bob", "look", 4 * DAY),
            did("u:ann", "look", 2),
            did("u:ann", "pay", 4 * DAY + 1),
            did("u:ann", "look", 4 * DAY + 2, timestamp="soon"),
        ]
    )
    stories = await why(log, "u:ann")
    assert [
        ("None", "rejected"),
        ("look", "applied", "assert opened"),
        ("look", "duplicate"),
        ("scroll", "no_signal"),
        ("look", "late"),
        ("cart", "applied", "assert advanced"),
        ("glance", "applied"),
        ("None", "silence", "assert stalled"),
        ("pay", "applied", "assert resumed", "assert converted"),
    ] == [seen(story) for story in stories]
    rejected, opened, silence = stories[0], stories[1], stories[7]
    assert ("bad_time", "events", 0, 9, 0) == (
        rejected.reason, rejected.topic, rejected.partition, rejected.offset, rejected.index,
    )  # fmt: skip
    assert ReadAs("know", True, 0.9, "look", RULES.version, ("",)) == opened.read_as
    assert (None, "u:ann", "2024-05-01T01:06:00.000Z") == (silence.event, silence.profile, silence.at)
    assert "lateness" == next(story for story in stories if story.ending == "late").reason
    assert json.loads(opened.wire())["read_as"]["rule"] == "look"


async def test_an_abandoned_journey_is_told_where_its_silence_ended() -> None:
    """Not under the event that had opened it. A correction of it is under the same silence; if that ends at
    another time, it is another one.
    """
    log = await written(
        [did("u:ann", "look", 0), did("u:ann", "cart", 5), did("u:bob", "look", 30 * DAY + 10)]
    )
    later = did("u:ann", "look", 29.5 * DAY), did("u:bob", "look", 0, timestamp="2024-07-10T00:00:00Z")
    await log.append([NewRecord(0, None, record, NOW) for record in later])
    await (await PartitionAgent.open(log, 0, load_settings(), RULES)).catch_up()
    assert [
        ("look", "2024-05-01T00:00:00.000Z", "assert opened"),
        ("cart", "2024-05-01T00:05:00.000Z", "assert advanced"),
        ("None", "2024-05-01T01:05:00.000Z", "assert stalled"),
        ("look", "2024-05-30T12:00:00.000Z", "assert resumed", "assert returned"),
        ("None", "2024-05-31T00:05:00.000Z", "assert abandoned", "retract abandoned"),
        ("None", "2024-06-02T12:00:00.000Z", "assert stalled"),
        ("None", "2024-06-29T12:00:00.000Z", "assert abandoned"),
    ] == [(str(story.name), story.at, *seen(story)[2:]) for story in await why(log, "ann")]
    shown = StringIO()
    Console(file=shown, width=200).print(render(await why(log, "ann")))
    assert "3 events, 9 steps" in shown.getvalue()


async def test_a_table_can_show_whatever_an_event_was_read_as() -> None:
    """A refund, too, which is no moment."""
    stories = await why(await written(SHOP), "ann")
    shown = StringIO()
    Console(file=shown, width=200).print(render(stories))
    intents = {story.read_as.intent for story in stories if story.read_as is not None}
    assert "refund" in intents
    assert all(intent in shown.getvalue() for intent in intents)


async def test_a_correction_is_under_the_events_that_caused_it() -> None:
    """An event that comes late retracts a step of another one, and that is shown there."""
    log = await written([did("u:ann", "look", 0), did("u:ann", "cart", 30), did("u:ann", "cart", 10)])
    assert [
        ("look", "applied", "assert opened"),
        ("cart", "applied", "assert advanced"),
        ("cart", "applied", "assert advanced", "retract advanced"),
    ] == [seen(story) for story in await why(log, "ann")]


@LAW
@given(st.integers(0, 2**32), st.sampled_from((2.0, 60.0)), st.booleans())
async def test_the_stories_of_all_people_add_up(seed: int, days: float, needs: bool) -> None:
    """How their items ended are the counts of the checkpoint, and each transition is under one event."""
    overrides: dict[str, Any] = {"need": ["properties.products.category"]} if needs else {}
    log = await agent_written(crowd(seed, 200, days, FEW), **overrides)
    endings, steps = Counter[str](), 0
    for number in range(FEW):
        for profile in (f"u:p{number}", f"d:p{number}"):
            stories = await why(log, profile)
            endings += Counter(story.ending for story in stories)
            steps += sum(len(story.transitions) for story in stories)
    (raw,) = await log.checkpoints()
    assert raw is not None
    counts = decode_checkpoint(raw).counts
    expected = {name: getattr(counts, name) for name in OUTCOMES if name not in ("rejected", "no_signal")}
    assert expected == {name: endings[name] for name in expected}
    assert endings["gone"] == 0
    assert steps == len(log._stored[0].appended["transitions"])


async def test_forwarded_events() -> None:
    """An input that is keyed by nothing: what others read is found, with the partition it was forwarded to;
    what waits in the inbox or in the input is said to wait.
    """
    log = MemoryLog(3)
    records = [did("u:ann", event, minute) for minute, event in enumerate(("look", "cart", "scroll", "pay"))]
    await log.append([NewRecord(n % 3, None, record, NOW) for n, record in enumerate(records)])
    agents = [await PartitionAgent.open(log, n, load_settings(), RULES) for n in range(3)]
    for _ in range(6):
        for agent in agents:
            await agent.step()
    stories = await why(log, "ann")
    assert ["look", "cart", "scroll", "pay"] == [story.name for story in stories]
    assert ["applied", "applied", "no_signal", "applied"] == [story.ending for story in stories]
    assert 3 == sum(len(story.transitions) > 0 for story in stories)
    (owner,) = {story.forwarded_to for story in stories} - {None}
    assert all(story.partition != owner for story in stories if story.forwarded_to is not None)
    await log.append(
        [NewRecord((owner or 0) + n & 1, None, did("u:ann", "look", 9 + n), NOW) for n in range(2)]
    )
    assert ["waiting", "waiting"] == [story.ending for story in await why(log, "ann")][-2:]


async def test_rules_of_the_time() -> None:
    """Each event is read by the rules that were in force when it came."""
    log = MemoryLog(1)
    later = load_rules(
        'name = "later"\n[[event]]\nname = "all"\nmoment = "buy"\nconfidence = 0.8\n'
        'names = ["Product Viewed"]\n'
    )
    for rules, minute in ((default_rules(), 0), (later, 5)):
        await log.append([NewRecord(0, None, did("u:ann", "Product Viewed", minute), NOW)])
        await (await PartitionAgent.open(log, 0, load_settings(), rules)).catch_up()
    first, second = [story.read_as for story in await why(log, "ann")]
    assert first is not None
    assert second is not None
    assert ("know", default_rules().version) == (first.intent, first.rules)
    assert ("buy", "all", later.version) == (second.intent, second.rule, second.rules)


async def test_what_is_not_stored_any_more() -> None:
    """Transitions name events whose records retention took; they are shown without a place."""
    log = await written([did("u:ann", "look", 0), did("u:ann", "cart", 5)])
    del log._stored[0].appended["events"][:1]
    gone, kept = await why(log, "ann")
    assert ("None", "gone", "assert opened") == seen(gone)[:3]
    assert ("look-0", None) == (gone.event, gone.topic)
    assert ("cart", "applied") == seen(kept)[:2]


async def test_tenants() -> None:
    """Two people of one name are told apart by their tenant."""
    records = [
        did("u:ann", event, minute, properties={"shop": shop})
        for minute, (event, shop) in enumerate((("look", "x"), ("cart", "y"), ("pay", "x")))
    ]
    log = await written(records, tenant="properties.shop")
    assert ["x", "y", "x"] == [story.tenant for story in await why(log, "ann")]
    assert ["look", "pay"] == [story.name for story in await why(log, "ann", "x")]
    assert [] == await why(log, "ann", "z")
    late = did("u:ann", "look", 3, properties={"shop": "y"})
    log = await written(
        [*records, did("u:bob", "look", 9 * DAY, properties={"shop": "x"}), late], tenant="properties.shop"
    )
    assert ["look", "pay"] == [story.name for story in await why(log, "ann", "x")]
    assert ["late"] == [story.ending for story in await why(log, "ann", "y") if story.name == "look"]
    log._stored[0].appended["events"].clear()
    assert {"x": ["gone"] * 2, "y": ["gone", "late", "silence"]} == {
        shop: [story.ending for story in await why(log, "ann", shop)] for shop in "xy"
    }
    with pytest.raises(ConfigError, match="--tenant x: there are no tenants here"):
        await why(await written(records), "ann", "x")


async def test_nobody() -> None:
    """Nobody of a name has no stories; where there is nothing at all, that is said."""
    assert [] == await why(await written([did("u:ann", "look", 0)]), "zoe")
    with pytest.raises(InputError, match="nothing has been processed"):
        await why(MemoryLog(1), "ann")
    log = await written([did("u:u:ann", "look", 0), did("d:ann", "look", 1)])
    assert ["d:ann"] == [story.profile for story in await why(log, "ann")]
    assert ["u:u:ann"] == [story.profile for story in await why(log, "u:ann")]
    assert msgspec.json.decode((await why(log, "d:ann"))[0].wire())["ending"] == "applied"


async def test_needs_that_were_left_out_are_told() -> None:
    """Of a person with as many needs as there are places: the event is applied in those that have places,
    `why` names the others, and `verify` agrees.
    """

    def about(*numbers: int) -> dict[str, Any]:
        return {"properties": {"products": [{"category": f"need {n:04d}"} for n in numbers]}}

    full = [did("u:ann", "look", n, **about(*range(32 * n, min(32 * n + 32, 999)))) for n in range(32)]
    mixed = did("u:ann", "pay", 40, **about(7, 2_000))
    log = await written(
        [*full, mixed, mixed, did("u:ann", "look", 41, **about(3_000))],
        need=["properties.products.category"],
    )
    narrowed, copy, no_place = [
        story for story in await why(log, "u:ann") if story.name == "pay" or not story.transitions
    ]
    assert ("applied", "needs_full", "does not count in need 2000", ("need 0007", "need 2000")) == (
        narrowed.ending,
        narrowed.reason,
        narrowed.detail,
        narrowed.read_as.needs if narrowed.read_as else None,
    )
    assert [("pay", "applied", "assert converted"), ("pay", "duplicate"), ("look", "late")] == [
        seen(story) for story in (narrowed, copy, no_place)
    ]
    assert "over_cap" == no_place.reason
    verified = await verify(log, lambda done, total: None)
    assert (None, 35) == (verified.difference, verified.records)
    raw = (await log.checkpoints())[0]
    assert raw is not None
    counts = decode_checkpoint(raw).counts
    assert (33, 1, 1, 1) == (counts.applied, counts.narrowed, counts.duplicate, counts.late)
