import json
from collections import Counter
from collections.abc import Iterator

import pytest

from streams.core.ingest.event import Event, Rejection
from streams.core.ingest.formats.segment import read
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import default_rules
from streams.core.moments.verdict import INTENTS
from streams.sources.generator import MIN_VISITORS, POISON, RESENT, STEPS, TWICE, VERY_LATE, Sent, Shop

NOW_MS = 1_750_000_000_000
COUNT = 20_000


def sent(seed: int = 1, count: int = COUNT, people: int = 500) -> Iterator[Sent]:
    shop = Shop(seed, 200, people)
    return (shop.next(NOW_MS + 5 * n) for n in range(count))


@pytest.fixture(scope="module")
def stream() -> list[Sent]:
    """Two minutes of the shop."""
    return list(sent())


def test_the_same_seed_says_the_same() -> None:
    """Byte for byte; another seed says something else."""
    first = list(sent(7, 500))
    assert list(sent(7, 500)) == first
    assert list(sent(8, 500)) != first


def test_the_key_is_the_persons_id(stream: list[Sent]) -> None:
    """The userId if the record has one, else the anonymousId, bare: what a collector would key by."""
    for key, value in stream:
        if key:
            record = json.loads(value)
            assert key.decode() == record.get("userId", record["anonymousId"])


def test_everything_but_poison_can_be_read(stream: list[Sent]) -> None:
    """And there is poison, a little."""
    events = [read(value, (), NOW_MS + COUNT * 5) for _, value in stream]
    poison = sum(type(event) is Rejection for event in events)
    assert poison == sum(not key for key, _ in stream)
    assert 0.2 * POISON < poison / COUNT < 5 * POISON


def test_every_moment_and_a_refund_is_seen(stream: list[Sent]) -> None:
    """As the shipped rules read it: most of it knowing, little of it buying, less of it bought."""
    classify = Classifier(default_rules()).classify
    marks: Counter[str] = Counter()
    for _, value in stream:
        if (
            type(event := read(value, (), NOW_MS + COUNT * 5)) is Event
            and (verdict := classify(event)) is not None
        ):
            marks[INTENTS[verdict.intent]] += 1
    assert set(INTENTS) == set(marks)
    assert marks["know"] > marks["buy"] > marks["truth"] > marks["refund"] > 0


def test_what_goes_wrong_goes_wrong_as_often_as_it_says(stream: list[Sent]) -> None:
    """Copies of the last few hundred, byte for byte; a few events days late."""
    ids = [json.loads(value)["messageId"] for key, value in stream if key]
    copies = [at for at, id in enumerate(ids) if id in ids[max(0, at - 2 * RESENT) : at]]
    assert 0.5 * TWICE < len(copies) / COUNT < 2 * TWICE
    assert len(set(ids)) == len(ids) - len(copies)
    late = sum(json.loads(value)["timestamp"] < "2025-06-14" for key, value in stream if key)
    assert 0.2 * VERY_LATE < late / COUNT < 5 * VERY_LATE


def test_people_sign_in_and_stay_signed_in(stream: list[Sent]) -> None:
    """Whoever identifies is known by that id from then on, until the visit ends; half of the people never do."""
    users = {json.loads(value).get("userId") for key, value in stream if key} - {None}
    assert users
    assert all(int(user.removeprefix("user-")) % 2 == 0 for user in users)


def test_a_slow_shop_has_visitors_too() -> None:
    """At one event in ten seconds there are several people, not one."""
    shop = Shop(3, 0.1, 1_000)
    assert MIN_VISITORS <= len({shop.next(NOW_MS).key for _ in range(200)})


def test_every_step_leads_somewhere_and_can_be_reached() -> None:
    """No step of a visit is a dead end, and none is never taken."""
    reached = {step for steps in STEPS.values() for step, _ in steps}
    assert reached == set(STEPS)
    assert all("" in dict(steps) for name, steps in STEPS.items() if name)
