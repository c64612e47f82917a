"""A person's journeys are put together from the net transitions."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streams.log.memory import MemoryLog
from streams.queries.listing import list_records
from streams.queries.net_records import list_net_records
from streams.queries.person import Person
from streams.queries.timeline import read_timelines, timelines_of_records
from streams.records import Record
from streams.settings.identity import IdentitySettings
from streams.topology import TRANSITIONS
from tests.queries.written import DAY, LATER, SHOP, did, written

CORRECTED = (
    did("u:ann", "look", 0),
    did("u:ann", "cart", 30),
    did("u:ann", "pay", 40),
    did("u:ann", "cart", 10),
    did("u:ann", "look", 20),
)
"""The last two events came late, so the step of the first cart is retracted."""


async def test_net_transitions_were_not_retracted() -> None:
    """For each id the record with the greatest rev holds, if it is an
    assert. Bytes and order are as stored.
    """
    log = await written([*CORRECTED, *SHOP])
    every = [one.record.value or b"" async for one in list_records(log, TRANSITIONS)]
    last: dict[str, dict[str, Any]] = {}
    for step in map(json.loads, every):
        if step["rev"] > last.get(step["id"], {"rev": 0})["rev"]:
            last[step["id"]] = step
    expected = [step for step in last.values() if step["op"] == "assert"]
    found = [one.record.value or b"" async for one in list_net_records(log, TRANSITIONS)]
    assert len(found) < len(every)
    assert sorted(step["rev"] for step in expected) == [json.loads(value)["rev"] for value in found]
    assert set(found) < set(every)


async def test_a_timeline_in_order() -> None:
    """A timeline has the net steps in the order in which they happened, not in that of publication."""
    (timeline,) = await read_timelines(await written(CORRECTED), Person("ann"))
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


async def test_a_journey_whose_closing_is_gone_is_over() -> None:
    """Its purchase was deleted by age, and the refund was not: it is not the one that is open."""
    log = await written([*CORRECTED, did("u:ann", "look", 60), did("u:ann", "back", 61)])

    async def refunds_and_later(_: int) -> AsyncIterator[Record]:
        async for _, record in log.scan(TRANSITIONS.name, 0):
            step = json.loads(record.value or b"")
            if step["kind"] == "refunded" or step["at"] > "2024-05-01T00:50":
                yield record

    (timeline,) = await timelines_of_records(Person("ann"), (0,), refunds_and_later)
    assert "know" == timeline.current
    assert [("refunded", None), ("open", None)] == [(j.outcome, j.closed_at) for j in timeline.journeys]


async def test_steps_of_one_millisecond() -> None:
    """Opening and resuming come first, then the steps to later moments."""
    (timeline,) = await read_timelines(
        await written([did("u:ann", "pay", 0), did("u:ann", "cart", 0), did("u:ann", "look", 0)]),
        Person("u:ann"),
    )
    assert [("opened", "know"), ("advanced", "buy"), ("converted", "truth")] == [
        (s.kind, s.to) for s in timeline.journeys[0].steps
    ]
    together = [did("u:ann", "look", 0), did("u:ann", "look", 4 * DAY), did("u:ann", "cart", 4 * DAY)]
    (timeline,) = await read_timelines(await written(together), Person("u:ann"))
    assert ["opened", "stalled", "resumed", "advanced"] == [s.kind for s in timeline.journeys[0].steps]


async def test_refunds_of_one_millisecond() -> None:
    """The parts come before the refund of all that was left, whatever was published first."""
    order = {"order_id": "7", "currency": "EUR"}
    records = [
        did("u:ann", "pay", 0, properties={"total": 90, **order}),
        did("u:ann", "back", 9, messageId="b", properties={"total": 90, **order}),
        did("u:ann", "back", 9, messageId="a", properties={"total": 30, **order}),
    ]
    (timeline,) = await read_timelines(await written(records), Person("ann"))
    (journey,) = timeline.journeys
    assert ["partially_refunded", "refunded"] == [step.kind for step in journey.steps][-2:]
    assert "refunded" == journey.outcome


async def test_where_everybody_is() -> None:
    """The current moment is that of the open journey; a stalled journey
    is open; a refund is last and the outcome.
    """
    log = await written(SHOP)
    (ann,), (dan,) = await read_timelines(log, Person("ann")), await read_timelines(log, Person("u:dan"))
    assert (None, "refunded", False) == (ann.current, ann.journeys[0].outcome, ann.journeys[0].stalled)
    assert "refunded" == ann.journeys[0].steps[-1].kind
    assert ("buy", "open", True, None) == (
        dan.current,
        dan.journeys[0].outcome,
        dan.journeys[0].stalled,
        dan.journeys[0].closed_at,
    )


async def test_two_journeys() -> None:
    """Two journeys of a person come one after the other, each with its own steps."""
    (timeline,) = await read_timelines(await written([*SHOP[:3], did("u:ann", "look", 120)]), Person("ann"))
    assert [("converted", 3), ("open", 1)] == [
        (journey.outcome, len(journey.steps)) for journey in timeline.journeys
    ]
    assert "know" == timeline.current


async def test_a_bare_name_is_a_user_and_a_device() -> None:
    """A bare name finds the user and the device; a prefix finds only one of them."""
    log = await written([did("u:7", "look", 0), did("d:7", "cart", 1), did("u:77", "look", 2)])
    assert ["d:7", "u:7"] == [timeline.profile for timeline in await read_timelines(log, Person("7"))]
    assert ["d:7"] == [timeline.profile for timeline in await read_timelines(log, Person("d:7"))]
    assert [] == await read_timelines(log, Person("nobody"))


async def test_an_id_that_looks_like_a_whole_name() -> None:
    """The name d:1 finds the user whose id is d:1, and also the device 1."""
    log = await written([did("u:d:1", "look", 0), did("d:u:2", "glance", 1), did("d:1", "look", 2)])
    assert ["d:1", "u:d:1"] == [timeline.profile for timeline in await read_timelines(log, Person("d:1"))]
    assert ["u:d:1"] == [timeline.profile for timeline in await read_timelines(log, Person("u:d:1"))]
    assert ["d:u:2"] == [timeline.profile for timeline in await read_timelines(log, Person("u:2"))]


async def test_a_person_of_weak_signs() -> None:
    """A person without a journey has a timeline while the state holds
    them, and none once they are forgotten.
    """
    (cat,) = await read_timelines(await written(SHOP[:11]), Person("cat"))
    assert ("d:cat", None, []) == (cat.profile, cat.current, cat.journeys)
    assert {"profile": "d:cat", "need": None, "current": None, "journeys": []} == json.loads(cat.wire())
    identity = IdentitySettings(back="0s")  # then people are forgotten after twice the allowed lateness
    for records in (SHOP, [*SHOP, *LATER]):
        assert [] == await read_timelines(await written(records, identity=identity), Person("cat"))


async def test_a_journey_hides_nobody() -> None:
    """A user with a journey and a device of the same name without one are both found."""
    log = await written([did("u:cat", "look", 0), *SHOP[:11]])
    assert [("d:cat", 0), ("u:cat", 1)] == [
        (timeline.profile, len(timeline.journeys)) for timeline in await read_timelines(log, Person("cat"))
    ]


async def test_needs_and_tenants() -> None:
    """There is a timeline per tenant and need; the tenant is printed only where there is one."""
    settings: dict[str, Any] = {"need": ("properties.about",), "tenant": "properties.shop"}
    records = [
        did("u:ann", "look", n, properties={"about": about, "shop": shop})
        for n, (shop, about) in enumerate([("x", "b"), ("x", "a"), ("y", "a")])
    ]
    timelines = await read_timelines(await written(records, **settings), Person("ann"))
    assert [("x", "a"), ("x", "b"), ("y", "a")] == [
        (json.loads(s.wire())["tenant"], s.need) for s in timelines
    ]


async def test_the_line_of_a_timeline() -> None:
    """The JSON line has the fields of the contract, and the transitions exactly as they are stored."""
    log = await written(SHOP)
    (timeline,) = await read_timelines(log, Person("u:ann"))
    line = timeline.wire()
    assert ["profile", "need", "current", "journeys"] == list(json.loads(line))
    (journey,) = json.loads(line)["journeys"]
    assert [
        "journey",
        "opened_at",
        "closed_at",
        "outcome",
        "stalled",
        "furthest",
        "transitions",
        "cues",
    ] == list(journey)
    net = [one.record.value or b"" async for one in list_net_records(log, TRANSITIONS)]
    every = [value for value in net if b'"profile":"u:ann"' in value]
    assert all(value in line for value in every)
    assert len(every) == len(journey["transitions"]) == 4


async def test_cues_of_a_journey() -> None:
    """A journey has its net cues, in order: what a late event has changed is there once, as it is now."""
    slow = {"properties": {"slow": True}}
    records = [did("u:ann", "look", 0), did("u:ann", "glance", 9, **slow), did("u:ann", "noise", 12, **slow)]
    log = await written([*records, did("u:ann", "cart", 5), did("u:bob", "glance", 3, **slow)])
    (timeline,) = await read_timelines(log, Person("u:ann"))
    (journey,) = json.loads(timeline.wire())["journeys"]
    assert [("buy", "glance-540"), ("buy", "noise-720")] == [
        (c["moment"], c["event"]) for c in journey["cues"]
    ]


class Watched(MemoryLog):
    """A log that notes which partitions are scanned."""

    scanned: set[int | None]

    def scan(self, topic: str, partition: int | None = None, *rest: Any, **more: Any) -> Any:
        self.scanned.add(partition)
        return super().scan(topic, partition, *rest, **more)


@pytest.mark.parametrize("tenants", [False, True])
async def test_one_partition_is_read(tenants: bool) -> None:
    """Everybody is found in the partition of their key, which their tenant is part of. Where there are
    tenants and none is named, all partitions are read, and both people of one name are found.
    """
    shops = ({"context": {"shop": "one"}}, {"context": {"shop": "two"}}) if tenants else ({},)
    people = [f"u:p{n}" for n in range(9)]
    log = await written(
        [did(who, "look", 0, **shop) for who in people for shop in shops],
        5,
        **({"tenant": "context.shop"} if tenants else {}),
    )
    log.__class__ = Watched
    assert isinstance(log, Watched)
    for who in people:
        log.scanned = set()
        found = await read_timelines(log, Person(who, "two" if tenants else None))
        assert [("two" if tenants else None, who)] == [(one.tenant, one.profile) for one in found]
        assert 2 >= len(log.scanned)  # an id may begin with a prefix: two keys, two partitions at most
        if tenants:
            assert ["one", "two"] == [one.tenant for one in await read_timelines(log, Person(who))]
