"""Events of people who refused, and of robots, are counted, and nothing else comes of them."""

import gzip
import json
from typing import Any

import msgspec
import pytest

from streams.core.ingest.event import MAX_ITEMS
from streams.core.processing.dead_letters import REFUSED_DETAIL
from streams.records import Fetched, Record
from tests.core.processing.feeding import DAY, HOUR, MINUTE, SOURCE, START, Feed, event

REFUSAL: dict[str, Any] = {"consent": {"categoryPreferences": {"analytics": False}}}
ROBOT: dict[str, Any] = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}


def by(context: dict[str, Any], value: bytes) -> bytes:
    """The record with this context."""
    return msgspec.json.encode(msgspec.json.decode(value) | {"context": context})


def test_they_are_counted_and_nothing_is_published() -> None:
    """No output of any topic, no profile and no key has anything of them; their counts add up."""
    feed = Feed()
    feed.take(
        by(REFUSAL, event(0, "a1", user="ann")), by(REFUSAL, event(1, "a2", "Bought", user="ann")),
        by(ROBOT, event(2, "b1", user="bot")), by(ROBOT, event(3, "b2", "Bought", user="bot")),
        by(REFUSAL | ROBOT, event(4, "b3", user="bot")),
    )  # fmt: skip
    feed.finish(30 * DAY)
    counts = feed.processor.checkpoint.counts
    assert (5, 3, 2, 0) == (counts.received, counts.refused, counts.robot, counts.applied)
    assert [] == feed.outputs
    assert not any(b"ann" in key or b"bot" in key for key in feed.state)


def test_a_robots_purchase_converts_nothing() -> None:
    """A person's journey goes on as if the robot's events with the person's id had not come."""
    feed, alone = Feed(), Feed()
    person = [event(0, "1"), event(HOUR, "2", "Bought")]
    alone.take(*person)
    feed.take(person[0], by(ROBOT, event(MINUTE, "r", "Bought")), person[1], by(REFUSAL, event(HOUR, "3")))
    assert alone.standing() == feed.standing()
    assert alone.latest("current") == feed.latest("current")


def test_time_goes_on_with_them() -> None:
    """They move the watermark as any event that is read: an event that is older than it permits is late."""
    feed = Feed()
    feed.take(by(ROBOT, event(9 * DAY, "r")))
    assert START + 9 * DAY == feed.processor.population.watermark_ms
    feed.take(event(0, "1"), by(ROBOT, event(0, "2")), by(REFUSAL, event(0, "3")))
    counts = feed.processor.checkpoint.counts
    assert (1, 2, 1) == (counts.late, counts.robot, counts.refused)


def test_they_are_judged_before_anything_else_but_rejection() -> None:
    """Of a robot who refuses the refusal counts; what shows no intent is a robot's all the same."""
    feed = Feed()
    feed.take(
        by(ROBOT | REFUSAL, event(0, "1")), by(ROBOT, event(0, "2", "Unknown")),
        by(REFUSAL, event(0, "3", "Unknown")), event(0, "4", "Unknown"), by(ROBOT, b'{"type":"track"}'),
    )  # fmt: skip
    counts = feed.processor.checkpoint.counts
    assert (2, 1, 1, 1) == (counts.refused, counts.robot, counts.no_signal, counts.rejected)


def test_a_rejected_record_of_who_refused() -> None:
    """Its dead letter has the reason and the place, and nothing of the record, whatever was wrong in it."""
    feed = Feed()
    unread: list[dict[str, Any]] = [
        {"type": "track", "event": "Looked", "messageId": "secret-1", "timestamp": "2024-01-01T00:00:00Z"},
        {"type": "track", "event": "Looked", "userId": "secret-2", "timestamp": "secret"},
        {"type": "track", "event": "Looked", "userId": "secret-3", "timestamp": "2031-01-01T00:00:00Z"},
        {"type": "track", "event": {"secret": 4}, "userId": "secret-4", "timestamp": "2024-01-01T00:00:00Z"},
        {"type": "secret-5", "userId": "secret-5"},
        {"secret": "6"},
    ]
    values = [msgspec.json.encode(document | {"context": REFUSAL}) for document in unread]
    batch = b'{"batch":[' + b",".join(values[:5]) + b"]}"
    cut = values[1][:-2] + b', "secret'
    records = [Record(n, START, b"k", value) for n, value in enumerate([*values, batch, cut])]
    feed.processor.take(Fetched.of(SOURCE, records))
    feed.commit()
    letters = feed.of("rejected")
    assert 6 + 5 + 1 == len(letters) == feed.processor.checkpoint.counts.rejected
    for letter in letters:
        headers = {name: value.decode() for name, value in letter.headers}
        assert (None, b"") == (letter.key, letter.value)
        assert REFUSED_DETAIL == headers["detail"]
        assert "secret" not in json.dumps(headers)
    assert [("missing_person", 0, 0), ("bad_time", 1, 0)] == [
        (headers["reason"].decode(), int(headers["offset"]), int(headers["index"]))
        for headers in (dict(letter.headers) for letter in letters[:2])
    ]


def test_one_who_refused_among_others() -> None:
    """Of several records in one, only those of who refused are kept back: each has its own dead letter."""
    feed = Feed()
    others, refused = [b'{"some":"thing 1"}', b'{"some":"thing 2"}'], msgspec.json.encode({"found": REFUSAL})
    array = b"[" + b",".join([others[0], refused, others[1]]) + b"]"
    feed.take(array, gzip.compress(array), msgspec.json.encode(array.decode()))
    assert 3 * [others[0], b"", others[1]] == [letter.value for letter in feed.of("rejected")]


def test_a_record_that_is_too_large_to_be_read() -> None:
    """Of a batch of too many calls nothing is kept, if one of them is of who refused."""
    feed = Feed()
    agrees, refuses = event(0, "1"), by(REFUSAL, event(0, "1"))
    for last in (agrees, refuses):
        feed.take(b'{"batch":[' + b",".join([b"{}"] * MAX_ITEMS + [last]) + b"]}")
    assert [True, False] == [bool(letter.value) for letter in feed.of("rejected")]


@pytest.mark.parametrize(
    "more",
    [
        {"context": {"consent": {"categoryPreferences": {"analytics": True}}}},
        {"properties": {"collect": False, "tracking": 0}},
    ],
)
def test_what_agrees_is_kept_as_it_came(more: dict[str, Any]) -> None:
    """A rejected record without a refusal is published whole, whatever its properties are called."""
    feed = Feed()
    value = msgspec.json.encode({"type": "track", "event": "Looked", **more})
    feed.take(value)
    (letter,) = feed.of("rejected")
    assert value == letter.value
