"""What is redriven ends as anything else that is read, and every question about it says the same."""

import json
from collections import Counter
from typing import Any

import msgspec

from streams.clock import Clock
from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import Rules, default_rules, load_rules
from streams.core.processing.checkpoint import Counts, decode_checkpoint
from streams.log.memory import MemoryLog
from streams.queries.event_story import EventStory
from streams.queries.person import Person
from streams.queries.redriving import Redrive, Redrove, Wanted
from streams.queries.verify import verify
from streams.queries.why import read_why
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.agents import catch_up
from tests.queries.written import DAY, RULES, did

MORE_RULES = load_rules(
    'name = "more"\n[[event]]\nname = "all"\nmoment = "do"\nconfidence = 0.9\nnames = ["look", "glimpse"]\n'
)
PARTITIONS = 2
LATER_MS = 2_000_000_000_000  # than every event here
MAY_MS = 1_714_521_600_000  # the first minute of `did`


async def opened(log: MemoryLog, rules: Rules = RULES, **overrides: Any) -> list[PartitionAgent]:
    given = load_settings(**overrides)
    return [await PartitionAgent.open(log, number, given, rules) for number in range(log.partitions)]


async def fed(log: MemoryLog, agents: list[PartitionAgent], *values: bytes) -> None:
    await log.append([NewRecord(0, None, value, LATER_MS) for value in values])
    await catch_up(agents)


async def commanded(log: MemoryLog, agents: list[PartitionAgent], letter: Any) -> Redrove:
    """A whole command."""
    redrive = Redrive(log, f"command of {len(log._stored[0].appended['inbox'])}", Clock())
    await redrive.send(Wanted(letter), lambda sent: None)
    await redrive.wait(lambda: catch_up(agents), 60, lambda ended: None)
    return redrive.done


async def redriven(log: MemoryLog, agents: list[PartitionAgent], letter: Any) -> Redrove:
    """A whole command, after which everything computed again is what was published."""
    done = await commanded(log, agents, letter)
    assert (await verify(log, lambda done, total: None)).difference is None
    return done


async def counts(log: MemoryLog) -> Counts:
    """Those of the first partition."""
    (raw,) = await log.checkpoints(0)
    assert raw is not None
    return decode_checkpoint(raw).counts


async def stories(log: MemoryLog, name: str) -> list[EventStory]:
    return list((await read_why(log, Person(name), lambda done, total: None)).stories)


def steps(story: EventStory) -> list[str]:
    return [msgspec.json.decode(bytes(raw))["kind"] for raw in story.transitions]


async def test_items_of_one_letter_are_redriven_until_each_counts() -> None:
    """A batch was rejected as a whole. One of its items counts; the other one when the rules know it."""
    log = MemoryLog()
    batch = b'{"batch": [%s, %s]}' % (did("u:ann", "look", 0), did("u:bob", "glimpse", 1))
    await fed(log, await opened(log, format="ga4"), batch)
    agents = await opened(log)
    assert {"applied": 1, "no_signal": 1} == dict((await redriven(log, agents, "rejected")).ended)
    agents = await opened(log, MORE_RULES)
    found = await redriven(log, agents, "rejected")
    assert {"already": 1, "applied": 1} == dict(found.ended)
    assert {"redriven before": 1} == dict((await redriven(log, agents, "rejected")).passed_over)


def body(who: str, *names: str) -> str:
    """What is sent to Google's Measurement Protocol: one body, several events."""
    events = [{"name": name, "params": {"number": n}} for n, name in enumerate(names)]
    sent = {"client_id": "c", "user_id": who, "timestamp_micros": MAY_MS * 1000, "events": events}
    return json.dumps(sent)


async def test_letters_of_one_record_that_are_read_as_several_items_now() -> None:
    """Each item of each of them counts, once, and the command does not wait for others."""
    log = MemoryLog()
    bodies = f"[{body('ann', 'look', 'cart')}, {body('bob', 'look', 'cart')}]"
    await fed(log, await opened(log, format="segment"), bodies.encode())
    agents = await opened(log)
    found = await redriven(log, agents, "rejected")
    assert ({"unknown_type": 2}, {"applied": 4}) == (dict(found.sent), dict(found.ended))
    assert {"redriven before": 2} == dict((await redriven(log, agents, "rejected")).passed_over)
    assert [["opened"], ["advanced"]] == [steps(s) for s in await stories(log, "bob") if s.event]


async def test_a_letter_that_is_read_as_several_items_of_another_partition() -> None:
    """Each is sent on by itself; one of them is known to the rules only later."""
    log = MemoryLog(PARTITIONS)
    owner = partition_of(b"ann", PARTITIONS)
    agents = await opened(log, format="segment")
    await log.append([NewRecord(1 - owner, None, body("ann", "look", "glimpse").encode(), LATER_MS)])
    await catch_up(agents)
    found = await redriven(log, await opened(log), "rejected")
    assert ({"unknown_type": 1}, {"applied": 1, "no_signal": 1}) == (dict(found.sent), dict(found.ended))
    found = await redriven(log, await opened(log, MORE_RULES), "rejected")
    assert {"already": 1, "applied": 1} == dict(found.ended)
    assert [] == log._stored[1 - owner].appended["transitions"]


async def test_a_letter_that_is_read_as_no_item_now() -> None:
    """It says nothing, and the command does not wait for more."""
    log = MemoryLog()
    await fed(log, await opened(log, format="segment"), f"[{body('ann')}, {body('ann', 'look')}]".encode())
    found = await redriven(log, await opened(log), "rejected")
    assert {"no_signal": 1, "applied": 1} == dict(found.ended)


async def test_what_was_redriven_is_remembered_as_long_as_its_letter_is_kept() -> None:
    """Once a letter was deleted by age no command finds it, and a message on its way is refused."""
    log = MemoryLog()
    agents = await opened(log)
    late = [did(f"u:p{n}", "look", n) for n in range(3)]
    await fed(log, agents, did("u:bob", "look", 9 * DAY), *late)
    assert {"applied": 3} == dict((await redriven(log, agents, "late")).ended)
    slow = Redrive(log, "slow", Clock())
    log._stored[0].appended["redriven"].clear()  # it has read no receipt yet
    messages = log._stored[0].appended["inbox"]
    before = len(messages)
    await slow.send(Wanted("late"), lambda sent: None)
    on_their_way = messages[before:]
    del messages[before:]
    del log._stored[0].appended["late"][:2]
    assert {"already": 1} == dict((await commanded(log, agents, "late")).ended)
    assert [2] == [fate.letter_offset for fate in (await opened(log))[0].processor.redriven.fates.values()]
    for message in on_their_way:
        log._stored[0].append("inbox", -1, None, message.value, ())
    agents = await opened(log)
    await slow.wait(lambda: catch_up(agents), 60, lambda ended: None)
    assert {("rejected", "letter_gone"): 2} == dict(slow.done.reasons)
    assert {"rejected": 2, "already": 1} == dict(slow.done.ended)
    opened_steps = [r for r in log._stored[0].appended["transitions"] if b'"opened"' in (r.value or b"")]
    assert 4 == len(opened_steps)


async def test_a_refund_of_nobody_is_refused_again_for_its_own_reason() -> None:
    """As it was first."""
    log = MemoryLog()
    agents = await opened(log)
    await fed(log, agents, did("u:ann", "back", 0).replace(b'"userId"', b'"nobody"'))
    found = await redriven(log, agents, "rejected")
    assert {"refund_without_person": 1} == dict(found.sent)
    assert {("rejected", "refund_without_person"): 1} == dict(found.reasons)


async def test_why_tells_of_an_event_that_was_from_the_future() -> None:
    """It counts, and its steps are its own."""
    log = MemoryLog()
    agents = await opened(log)
    await log.append([NewRecord(0, None, did("u:ann", "look", DAY), MAY_MS)])
    await catch_up(agents)
    assert {"from_the_future": 1} == dict((await redriven(log, agents, "rejected")).sent)
    (story,) = await stories(log, "ann")
    assert ("applied", "from_the_future", ["opened"]) == (story.ending, story.reason, steps(story))
    assert (story.detail or "").startswith("it was redriven since; first it was rejected: ")


async def test_why_tells_of_an_event_that_another_partition_could_not_read() -> None:
    """It was rejected where it was read, since its id was a placeholder, and was sent on to its owner."""
    log = MemoryLog(PARTITIONS)
    owner = partition_of(b"ann", PARTITIONS)
    neighbour = next(f"p{n}" for n in range(99) if partition_of(b"p%d" % n, PARTITIONS) == owner)
    agents = await opened(log, placeholders=["ann"])
    await log.append(
        [
            NewRecord(owner, None, did(f"u:{neighbour}", "look", 0), LATER_MS),
            NewRecord(1 - owner, None, did("u:ann", "look", 0), LATER_MS),
        ]
    )
    await catch_up(agents)
    agents = await opened(log)
    assert {"applied": 1} == dict((await redriven(log, agents, "rejected")).ended)
    told = [(story.ending, story.partition, steps(story)) for story in await stories(log, "ann")]
    assert [("applied", 1 - owner, ["opened"])] == told


async def test_an_order_that_was_too_old_counts_when_its_update_is_redriven() -> None:
    """At its own time: only that kept it out."""
    log = MemoryLog()
    agents = await opened(log, default_rules())
    order = {"order_id": "7", "status": "paid", "created_at": "2024-05-01T00:01:00Z"}
    await fed(log, agents, did("u:ann", "Order Updated", 29 * DAY, properties=order))
    assert {"applied": 1} == dict((await redriven(log, agents, "late")).ended)
    (story,) = await stories(log, "ann")
    assert ["opened", "converted"] == steps(story)
    at = {msgspec.json.decode(bytes(raw))["at"] for raw in story.transitions}
    assert {"2024-05-01T00:01:00.999Z"} == at


async def test_times_without_an_offset_are_read_in_the_zone_that_was_set_since() -> None:
    """A till in Rome sends its day two days late, and nobody had said where it stands."""
    log = MemoryLog()
    agents = await opened(log)
    local = did("u:ann", "pay", 125).replace(b'05:00Z"', b'05:00"')
    await fed(log, agents, did("u:ann", "cart", 0), did("u:bob", "look", 3 * DAY), local)
    assert {"applied": 1} == dict((await redriven(log, await opened(log, zone="Europe/Rome"), "late")).ended)
    (bought,) = [s for s in await stories(log, "ann") if s.name == "pay"]
    (step,) = [msgspec.json.decode(bytes(raw)) for raw in bought.transitions]
    assert ("2024-05-01T00:05:00.000Z", 300.0) == (step["at"], step["dwell_s"])


async def test_an_amount_that_cannot_be_read_is_counted() -> None:
    """Of a purchase that is redriven, too, and not of its copy."""
    log = MemoryLog()
    agents = await opened(log)
    late = did("u:ann", "pay", 0, properties={"total": 5})
    await fed(log, agents, did("u:bob", "look", 9 * DAY), late, late)
    assert 0 == (await counts(log)).unread_amounts
    assert {"applied": 1, "duplicate": 1} == dict((await redriven(log, agents, "late")).ended)
    assert 1 == (await counts(log)).unread_amounts


async def test_an_event_that_counts_is_not_redriven() -> None:
    """A record says in which needs it does not count. Years later nobody would know it for a copy."""

    def about(*numbers: int) -> dict[str, Any]:
        return {"properties": {"products": [{"category": f"need {n:04d}"} for n in numbers]}}

    log = MemoryLog()
    agents = await opened(log, need=["properties.products.category"])
    full = [did("u:ann", "look", n, **about(*range(32 * n, min(32 * n + 32, 999)))) for n in range(32)]
    await fed(log, agents, *full, did("u:ann", "look", 40, **about(7, 2_000)))
    await agents[0].catch_up(LATER_MS)
    assert 0 == agents[0].processor.population.profiles.count()
    found = await redriven(log, agents, "late")
    assert (Counter(), {"counts": 1}) == (found.sent, dict(found.passed_over))
