"""Where retention has taken the beginning of topics, people whose history is whole are compared, the others
are counted as unchecked, and nothing is called different that is not.
"""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.clock import Clock
from streams.core.moments.rules import default_rules
from streams.log.memory import MemoryLog
from streams.queries.redriving import Redrive, Redrove, Wanted
from streams.queries.verify import Verified, verify
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.queries.damage import forge
from tests.queries.test_slices import NOW, checked, crowd
from tests.queries.test_verify import START

LAW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
TOPICS = ("events", "transitions", "late", "rejected")
NEVER = dict.fromkeys(TOPICS, 0.0)


async def lived(values: list[bytes], **overrides: Any) -> MemoryLog:
    """A log whose agent has processed these records as they came, and wrote each batch when its events had
    happened.
    """
    log = MemoryLog(1)
    log.drops_old_records = True
    agent = await PartitionAgent.open(log, 0, load_settings(batch=20, **overrides), default_rules())
    transitions = log._stored[0].appended["transitions"]
    for start in range(0, len(values), 20):
        await log.append([NewRecord(0, None, value, NOW) for value in values[start : start + 20]])
        stamped = len(transitions)
        await agent.step()
        written_ms = agent.processor.population.watermark_ms
        for at in range(stamped, len(transitions)):
            transitions[at] = msgspec.structs.replace(transitions[at], time_ms=written_ms)
    return log


def cut(log: MemoryLog, shares: dict[str, float]) -> None:
    """Deletes this share of each topic, from its beginning."""
    for topic, share in shares.items():
        records = log._stored[0].appended[topic]
        del records[: int(len(records) * share)]


async def verified(log: MemoryLog) -> Verified:
    return await verify(log, lambda done, total: None)


share = st.sampled_from((0.0, 0.0, 0.1, 0.5, 0.9, 1.0))


@LAW
@given(
    st.integers(0, 2**32),
    st.sampled_from((60, 300)),
    st.sampled_from((3.0, 30.0, 200.0)),
    st.sampled_from((5, 200)),
    st.fixed_dictionaries(dict.fromkeys(TOPICS, share)),
    st.booleans(),
)
async def test_retention_is_never_a_difference(
    seed: int, count: int, days: float, people: int, shares: dict[str, float], needs: bool
) -> None:
    """Whatever was deleted of each topic, in one slice and in several."""
    overrides: dict[str, Any] = {"need": ["properties.products.category"]} if needs else {}
    log = await lived(crowd(seed, count, days, people), **overrides)
    before = await verified(log)
    assert before.difference is None
    assert (0, 0) == (before.unchecked_profiles, before.unchecked_counters)
    cut(log, shares)
    after = await verified(log)
    assert after.difference is None
    assert after.profiles <= before.profiles
    check, difference = await checked(log, 3)
    assert difference is None
    assert (after.profiles, after.unchecked_profiles) == (check.people.checked, check.people.unchecked)


async def test_what_was_not_checked_is_said() -> None:
    """Who has lost events is unchecked, who has come since is checked; so are the counters, as far as the
    published transitions go.
    """
    log = await lived(crowd(3, 400, 30.0, 200))
    whole = await verified(log)
    cut(log, {"events": 0.5})
    half = await verified(log)
    assert ["events:0"] == list(half.cut)
    assert 0 < half.profiles < whole.profiles
    assert half.profiles + half.unchecked_profiles <= whole.profiles
    assert half.unchecked_profiles > 0
    assert half.counters > half.unchecked_counters
    cut(log, {"transitions": 0.7})
    less = await verified(log)
    assert ["events:0", "transitions:0"] == list(less.cut)
    assert 0 < less.profiles < half.profiles
    assert 0 < less.counters < half.counters
    assert less.unchecked_counters > half.unchecked_counters
    cut(log, {"events": 1.0, "transitions": 1.0})
    nothing = await verified(log)
    assert (0, 0) == (nothing.profiles, nothing.counters)
    assert nothing.difference is None


async def test_an_app_that_began_late_has_lost_nothing() -> None:
    """An input that had lost its beginning before the app first read it: everybody is whole."""
    values = crowd(5, 200, 10.0)
    log = MemoryLog(1)
    log.drops_old_records = True
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    agent = await PartitionAgent.open(log, 0, load_settings(), default_rules())
    agent.processor.tracker.sources["events:0"].offset = 50
    await agent.catch_up()
    del log._stored[0].appended["events"][:50]
    found = await verified(log)
    assert found.difference is None
    assert (150, 0) == (found.records, found.unchecked_profiles)


@pytest.mark.parametrize("topic", ["transitions", "tallies"])
async def test_a_difference_is_found_beside_what_is_unchecked(topic: str) -> None:
    """A transition of somebody whose history is whole that is lost; a counter of a window whose transitions
    are all there that is off by one.
    """
    log = await lived(crowd(3, 400, 30.0, 200))
    cut(log, {"events": 0.5})
    assert (await verified(log)).difference is None
    if topic == "transitions":
        records = log._stored[0].appended[topic]
        del records[len(records) * 9 // 10]
    else:
        latest = log._stored[0].latest[topic]
        key = max(key for key in latest if key.startswith(b"0/all/transitions/opened"))
        value = (latest[key].value or b"").replace(b'"count":', b'"count":1')
        forge(log, key, value)
    assert (await verified(log)).difference is not None


async def test_a_log_that_deletes_nothing_is_damaged() -> None:
    """Where nothing is deleted by age, a beginning that is gone is a difference."""
    for topic in ("events", "transitions", "late"):
        log = await lived(crowd(3, 400, 30.0, 200))
        log.drops_old_records = False
        cut(log, {topic: 0.1})
        assert (await verified(log)).difference is not None


def looked(who: str, day: int) -> bytes:
    """Somebody looks at a product, so many days after the start."""
    at = (START + timedelta(days=day)).isoformat()
    call = {"type": "track", "messageId": f"{who}-{day}", "userId": who, "event": "Product Viewed"}
    return msgspec.json.encode({**call, "timestamp": at})


async def redriven(log: MemoryLog, value: bytes) -> Redrove:
    """What a redrive of this event has done, which comes too late."""
    agent = await PartitionAgent.open(log, 0, load_settings(batch=20), default_rules())
    await log.append([NewRecord(0, None, value, NOW)])
    await agent.catch_up()
    redrive = Redrive(log, "again", Clock())
    await redrive.send(Wanted("late"), lambda sent: None)
    await redrive.wait(agent.catch_up, 60, lambda ended: None)
    assert {"applied": 1} == dict(redrive.done.ended)
    return redrive.done


async def test_a_redriven_item_is_no_difference_when_the_inbox_has_lost_it() -> None:
    """Its receipt is left. The person to whom it was redriven is not checked any more."""
    log = await lived([looked(f"p{day}", day) for day in range(1, 91)])
    await redriven(log, looked("ann", 80))
    assert (None, 91) == ((await verified(log)).difference, (await verified(log)).profiles)
    cut(log, {"inbox": 1.0})
    found = await verified(log)
    assert (None, ["inbox:0"]) == (found.difference, list(found.cut))
    assert 0 < found.profiles < 91
    assert 0 < found.unchecked_profiles


async def test_a_receipt_that_is_gone_is_no_difference() -> None:
    """The item is left in the inbox, and nobody knows how it ended."""
    log = await lived([looked(f"p{day}", day) for day in range(1, 91)])
    await redriven(log, looked("ann", 80))
    await redriven(log, looked("bob", 81))
    cut(log, {"redriven": 0.5})
    found = await verified(log)
    assert (None, ["redriven:0"]) == (found.difference, list(found.cut))
    assert 0 < found.profiles < 91
    assert 0 < found.unchecked_profiles


async def test_what_was_forgotten_before_a_redrive_is_no_difference_when_its_transitions_are_gone() -> None:
    """The redriven event is younger than the oldest transition that is left; the first visit is not."""
    log = await lived([looked("ann", 0), *[looked(f"p{day}", day) for day in range(1, 91)]])
    assert 1 == (await redriven(log, looked("ann", 80))).of_new_people
    assert (None, 91) == ((await verified(log)).difference, (await verified(log)).profiles)
    cut(log, {"transitions": 0.5})
    found = await verified(log)
    assert (None, ["transitions:0"]) == (found.difference, list(found.cut))
    assert 0 < found.profiles < 91
