import json
from typing import Any

from streams.queries.timeline import read_timelines
from streams.queries.transitions import read_net_transitions, read_transitions
from tests.queries.written import DAY, LATER, SHOP, said, written

CORRECTED = (
    said("u:ann", "look", 0),
    said("u:ann", "cart", 30),
    said("u:ann", "pay", 40),
    said("u:ann", "cart", 10),
    said("u:ann", "look", 20),
)
"""The last two came late: what was said of the first cart is taken back."""


async def test_standing_is_what_was_not_taken_back() -> None:
    """Of each id the record with the greatest rev, where that is an assert: bytes as they are stored, in their order."""
    log = await written([*CORRECTED, *SHOP])
    every = [value async for value in read_transitions(log)]
    last: dict[str, dict[str, Any]] = {}
    for step in map(json.loads, every):
        if step["rev"] > last.get(step["id"], {"rev": 0})["rev"]:
            last[step["id"]] = step
    expected = [step for step in last.values() if step["op"] == "assert"]
    found = [value async for value in read_net_transitions(log)]
    assert len(found) < len(every)
    assert sorted(step["rev"] for step in expected) == [json.loads(value)["rev"] for value in found]
    assert set(found) < set(every)


async def test_a_story_in_order() -> None:
    """The steps that stand, in the order they happened, whatever the order they were said in."""
    (timeline,) = await read_timelines(await written(CORRECTED), "ann")
    (journey,) = timeline.journeys
    assert ["opened", "advanced", "returned", "advanced", "converted"] == [
        step.kind for step in journey.steps
    ]
    assert sorted(step.at for step in journey.steps) == [step.at for step in journey.steps]
    assert (None, "converted", "truth", journey.steps[-1].at) == (
        timeline.current,
        journey.outcome,
        journey.furthest,
        journey.closed_at,
    )


async def test_steps_of_one_millisecond() -> None:
    """They go forward, and what opens or resumes comes first."""
    (timeline,) = await read_timelines(
        await written([said("u:ann", "pay", 0), said("u:ann", "cart", 0), said("u:ann", "look", 0)]), "u:ann"
    )
    assert [("opened", "know"), ("advanced", "buy"), ("converted", "truth")] == [
        (s.kind, s.to) for s in timeline.journeys[0].steps
    ]
    together = [said("u:ann", "look", 0), said("u:ann", "look", 4 * DAY), said("u:ann", "cart", 4 * DAY)]
    (timeline,) = await read_timelines(await written(together), "u:ann")
    assert ["opened", "stalled", "resumed", "advanced"] == [s.kind for s in timeline.journeys[0].steps]


async def test_where_everybody_is() -> None:
    """Current is the moment of the open journey; a stalled journey is open; a refund makes the outcome, and comes last."""
    log = await written(SHOP)
    (ann,), (dan,) = await read_timelines(log, "ann"), await read_timelines(log, "u:dan")
    assert (None, "refunded", False) == (ann.current, ann.journeys[0].outcome, ann.journeys[0].stalled)
    assert "refunded" == ann.journeys[0].steps[-1].kind
    assert ("buy", "open", True, None) == (
        dan.current,
        dan.journeys[0].outcome,
        dan.journeys[0].stalled,
        dan.journeys[0].closed_at,
    )


async def test_two_journeys() -> None:
    """One after the other, each with its own steps."""
    (timeline,) = await read_timelines(await written([*SHOP[:3], said("u:ann", "look", 120)]), "ann")
    assert [("converted", 3), ("open", 1)] == [
        (journey.outcome, len(journey.steps)) for journey in timeline.journeys
    ]
    assert "know" == timeline.current


async def test_a_bare_name_is_a_user_and_a_device() -> None:
    """Both are given when both exist; with a prefix only the one."""
    log = await written([said("u:7", "look", 0), said("d:7", "cart", 1), said("u:77", "look", 2)])
    assert ["d:7", "u:7"] == [timeline.profile for timeline in await read_timelines(log, "7")]
    assert ["d:7"] == [timeline.profile for timeline in await read_timelines(log, "d:7")]
    assert [] == await read_timelines(log, "nobody")


async def test_an_id_that_looks_like_a_whole_name() -> None:
    """An id is anything: a user called d:1 is found by that, and so is the device 1."""
    log = await written([said("u:d:1", "look", 0), said("d:u:2", "glance", 1), said("d:1", "look", 2)])
    assert ["d:1", "u:d:1"] == [timeline.profile for timeline in await read_timelines(log, "d:1")]
    assert ["u:d:1"] == [timeline.profile for timeline in await read_timelines(log, "u:d:1")]
    assert ["d:u:2"] == [timeline.profile for timeline in await read_timelines(log, "u:2")]


async def test_a_person_of_weak_signs() -> None:
    """Known, without a journey: while the state holds them, and when they are forgotten."""
    for records in (SHOP[:11], SHOP, [*SHOP, *LATER]):
        (cat,) = await read_timelines(await written(records), "cat")
        assert ("d:cat", None, []) == (cat.profile, cat.current, cat.journeys)
        assert {"profile": "d:cat", "need": None, "current": None, "journeys": []} == json.loads(cat.wire())


async def test_a_journey_hides_nobody() -> None:
    """Of a user with a journey and a device of that name without one, both are timelines of."""
    log = await written([said("u:cat", "look", 0), *SHOP[:11]])
    assert [("d:cat", 0), ("u:cat", 1)] == [
        (timeline.profile, len(timeline.journeys)) for timeline in await read_timelines(log, "cat")
    ]


async def test_needs_and_tenants() -> None:
    """A timeline per tenant and need; the tenant is said only where there is one."""
    settings: dict[str, Any] = {"need": ("properties.about",), "tenant": "properties.shop"}
    records = [
        said("u:ann", "look", n, properties={"about": about, "shop": shop})
        for n, (shop, about) in enumerate([("x", "b"), ("x", "a"), ("y", "a")])
    ]
    timelines = await read_timelines(await written(records, **settings), "ann")
    assert [("x", "a"), ("x", "b"), ("y", "a")] == [
        (json.loads(s.wire())["tenant"], s.need) for s in timelines
    ]


async def test_the_line_of_a_story() -> None:
    """The fields of the contract, and transitions exactly as they are stored."""
    log = await written(SHOP)
    (timeline,) = await read_timelines(log, "u:ann")
    line = timeline.wire()
    assert ["profile", "need", "current", "journeys"] == list(json.loads(line))
    (journey,) = json.loads(line)["journeys"]
    assert ["journey", "opened_at", "closed_at", "outcome", "stalled", "furthest", "transitions"] == list(
        journey
    )
    every = [value async for value in read_net_transitions(log) if b'"profile":"u:ann"' in value]
    assert all(value in line for value in every)
    assert len(every) == len(journey["transitions"]) == 4
