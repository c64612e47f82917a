"""The made-up shop sends records with every intent, and with the faults that it promises."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from streams.core.identity.links import Spans
from streams.core.ingest.event import Event, Rejection
from streams.core.moments.classifier import classifier_for
from streams.core.moments.rules import default_rules
from streams.core.moments.verdict import INTENTS
from streams.sources.generator import MIN_VISITORS, REMEMBERED, MadeRecord, Shop
from streams.sources.shop_steps import FAULTS, NEXT_STEPS
from streams.sources.visitors import CHANNELS, FAMILY
from tests.reading import read_record

NOW_MS = 1_750_000_000_000
COUNT, PEOPLE, REGULARS = 20_000, 500, 200


def made(seed: int = 1, count: int = COUNT, people: int = PEOPLE) -> Iterator[MadeRecord]:
    shop = Shop(seed, 200, people)
    return (shop.next(NOW_MS + 5 * n) for n in range(count))


@pytest.fixture(scope="module")
def stream() -> list[MadeRecord]:
    """Two minutes of the shop."""
    return list(made())


def test_one_seed_gives_the_same_records() -> None:
    """They are equal byte for byte; another seed gives other records."""
    first = list(made(7, 500))
    assert list(made(7, 500)) == first
    assert list(made(8, 500)) != first


def test_the_key_is_the_persons_id(stream: list[MadeRecord]) -> None:
    """A record is keyed by its userId, or by its anonymousId if it has none, as a collector would do it."""
    for key, value in stream:
        if key:
            record = json.loads(value)
            assert key.decode() == record.get("userId", record["anonymousId"])


def test_all_but_the_broken_records_can_be_read(stream: list[MadeRecord]) -> None:
    """A few records are broken, at the rate of the table; every other one is an event."""
    events = [read_record(value, (), NOW_MS + COUNT * 5) for _, value in stream]
    broken = sum(type(event) is Rejection for event in events)
    assert broken == sum(not key for key, _ in stream)
    assert 0.2 * FAULTS.unreadable < broken / COUNT < 5 * FAULTS.unreadable


def test_every_moment_and_a_refund_is_seen(stream: list[MadeRecord]) -> None:
    """The shipped rules find every intent in the stream, the later ones more rarely."""
    classify = classifier_for(default_rules()).classify
    intents: Counter[str] = Counter()
    for _, value in stream:
        if (
            type(event := read_record(value, (), NOW_MS + COUNT * 5)) is Event
            and (verdict := classify(event)) is not None
        ):
            intents[INTENTS[verdict.intent]] += 1
    assert set(INTENTS) == set(intents)
    assert intents["know"] > intents["buy"] > intents["truth"] > intents["refund"] > 0


def test_refunds_give_back_what_was_paid_or_a_part_of_it(stream: list[MadeRecord]) -> None:
    """Each has an amount; those of an order never exceed its total, and some orders come back in parts."""
    calls = {call["messageId"]: call for key, value in stream if key and (call := json.loads(value))}
    totals: dict[str, int] = {}
    given_back: dict[str, list[int]] = {}
    for call in calls.values():
        order = call.get("properties", {})
        if call.get("event") == "Order Completed":
            totals[order["order_id"]] = order["total"]
        elif call.get("event") == "Order Refunded":
            assert order["currency"] == "EUR"
            given_back.setdefault(order["order_id"], []).append(order["total"])
    assert all(min(amounts) > 0 and sum(amounts) <= totals[id] for id, amounts in given_back.items())
    assert {True, False} == {amounts[0] < totals[id] for id, amounts in given_back.items()}


def test_faults_come_at_their_rates(stream: list[MadeRecord]) -> None:
    """Some records are copies of one of the last few hundred, and a few are days late."""
    ids = [json.loads(value)["messageId"] for key, value in stream if key]
    copies = [at for at, id in enumerate(ids) if id in ids[max(0, at - 2 * REMEMBERED) : at]]
    assert 0.5 * FAULTS.duplicate < len(copies) / COUNT < 2 * FAULTS.duplicate
    assert len(set(ids)) == len(ids) - len(copies)
    late = sum(json.loads(value)["timestamp"] < "2025-06-14" for key, value in stream if key)
    assert 0.2 * FAULTS.very_late < late / COUNT < 5 * FAULTS.very_late


@pytest.fixture(scope="module")
def calls() -> list[dict[str, Any]]:
    """What can be read of a quieter shop, to which everybody comes again and again."""
    shop = Shop(1, 20, REGULARS)
    records = [shop.next(NOW_MS + 50 * n) for n in range(COUNT)]
    return [json.loads(value) for key, value in records if key]


def own_devices(user: str) -> set[str]:
    number = user.removeprefix("user-")
    return {f"device-{number}", f"device-{number}-b"}


def test_people_browse_as_guests_and_sign_in_at_different_points(calls: list[dict[str, Any]]) -> None:
    """On some devices people are known from the first event on, on others they are guests first. Some sign in
    on their second device only, and four of ten never do.
    """
    first_known: dict[str, str] = {}  # the first event with a user id, by device
    guests: set[str] = set()
    for call in calls:
        device = call["anonymousId"]
        if "userId" in call:
            first_known.setdefault(device, "guest first" if device in guests else "known at once")
        else:
            guests.add(device)
    assert {"guest first", "known at once"} <= set(first_known.values())
    users = {call["userId"] for call in calls if "userId" in call}
    assert 0.45 < len(users) / REGULARS <= 0.6
    second_only = [user for user in users if own_devices(user) & set(first_known) == {f"device-{user[5:]}-b"}]
    assert any(f"device-{user[5:]}" in guests for user in second_only)
    assert all("userId" in call for call in calls if call["type"] == "identify")


def test_users_and_guests_buy(calls: list[dict[str, Any]]) -> None:
    """Nobody has to sign in to pay."""
    orders = Counter("userId" in call for call in calls if call.get("event") == "Order Completed")
    assert orders[True] > 10
    assert orders[False] > 10


def test_devices_are_shared(calls: list[dict[str, Any]]) -> None:
    """A person has two devices of their own, a family signs in on one tablet, and on a terminal in a store
    sign in more users than a device can belong to.
    """
    users: dict[str, set[str]] = {}
    for call in calls:
        if "userId" in call:
            users.setdefault(call["anonymousId"], set()).add(call["userId"])
    assert all(len(of) == 1 for device, of in users.items() if device.startswith("device-"))
    assert 2 <= max(len(of) for device, of in users.items() if device.startswith("family-")) <= FAMILY
    assert (
        max(len(of) for device, of in users.items() if device.startswith("terminal-")) > Spans().shared_above
    )


def test_a_greater_shop_has_more_terminals() -> None:
    """So that one terminal does not see more than a person's journal holds in a day."""
    devices = [
        json.loads(record.value).get("anonymousId", "") for record in made(people=100_000) if record.key
    ]
    assert 12 == len({device for device in devices if device.startswith("terminal-")})


def test_what_brings_people_changes_from_visit_to_visit(calls: list[dict[str, Any]]) -> None:
    """Each channel has its share of the events, and nobody has only one; some direct visits are made in the
    app. Everybody has one time zone.
    """
    channels: dict[str, set[str]] = {}
    zones: dict[str, set[str]] = {}
    shares: Counter[str] = Counter()
    for call in calls:
        context = call["context"]
        channel = context["campaign"]["medium"]
        shares[channel] += 1
        channels.setdefault(call["anonymousId"], set()).add(channel)
        zones.setdefault(call["anonymousId"], set()).add(context["timezone"])
        if context["channel"] == "app":
            assert ("direct", "mobile") == (channel, context["device"]["type"])
    assert all(0.6 < shares[name] / len(calls) / (share / 100) < 1.6 for name, share in CHANNELS)
    own = [device for device in channels if device.startswith("device-") and not device.endswith("-b")]
    assert sum(len(channels[device]) > 2 for device in own) > len(own) / 2
    assert all(len(zones[device]) == 1 for device in own)
    assert 3 == len(set[str]().union(*zones.values()))
    assert {"web", "app"} == {call["context"]["channel"] for call in calls}


def test_a_slow_shop_has_visitors_too() -> None:
    """A shop with one event in ten seconds still has several visitors."""
    shop = Shop(3, 0.1, 1_000)
    assert MIN_VISITORS <= len({shop.next(NOW_MS).key for _ in range(200)})


def test_every_step_leads_somewhere_and_can_be_reached() -> None:
    """Every step of a visit has a next one and is the next one of another."""
    reached = {step for steps in NEXT_STEPS.values() for step, _ in steps}
    assert reached == set(NEXT_STEPS)
    assert all("" in dict(steps) for name, steps in NEXT_STEPS.items() if name)
