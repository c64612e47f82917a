"""Redriven events with identity on: whose they are, and what becomes of those in canonical form."""

from typing import Any

import msgspec
import pytest

from schemas import Receipt
from streams.core.ingest.partition import partition_of
from streams.core.journeys import trimming
from streams.core.processing.inbox import Redriven, encode_message
from streams.queries.origins import origin_of
from streams.records import Output, Record
from tests.core.processing.feeding import DAY, HOUR, MINUTE, START
from tests.core.processing.test_connecting import ON, raw
from tests.laws.redriving_devices import letters, send_redriven
from tests.laws.test_identity_partitions import Cluster

LATENESS, BACK = 2 * DAY, 7 * DAY


def redrive(
    cluster: Cluster, found: tuple[int, Record], topic: Any = "late", command: str = "again"
) -> Receipt:
    """Sends a dead letter to the partition that wrote it. Returns the receipt that says how it ended."""
    send_redriven(cluster, found, command, topic)
    cluster.drain()
    receipts = [msgspec.convert(row, Receipt) for row in cluster.of("redriven")]
    (ended,) = [r for r in receipts if r.command == command and r.outcome != "forwarded"]
    return ended


def owned(letter: str, number: int, partitions: int) -> str:
    """An id that a partition owns."""
    ids = (f"{letter}{n}" for n in range(99))
    return next(found for found in ids if partition_of(found.encode(), partitions) == number)


@pytest.mark.parametrize("partitions", [1, 2])
@pytest.mark.parametrize(
    ("age", "is_given"), [(LATENESS + BACK, True), (LATENESS + BACK + 1, False)], ids=["young", "old"]
)
def test_whose_a_redriven_event_is(partitions: int, age: int, is_given: bool) -> None:
    """Late, and not older than the finality delay, it goes by the links; older by a millisecond, it stays the
    device's own, whatever links come.
    """
    device, user, at = owned("d", 0, partitions), owned("u", partitions - 1, partitions), 20 * DAY - age
    cluster = Cluster(partitions, ON)
    cluster.add(raw(at + HOUR, "in", "Signed In", user=user, device=device), 0)
    cluster.drain()
    for number in range(partitions):  # all partitions come as far
        cluster.add(raw(20 * DAY, f"now {number}", user=owned("x", number, partitions)), number)
    cluster.drain()
    cluster.add(raw(at, "visit", device=device), 0)
    cluster.drain()
    (late,) = letters(cluster)
    ended = redrive(cluster, late)
    assert ("applied", None) == (ended.outcome, ended.reason)
    assert ended.counters
    owner = f"u:{user}" if is_given else f"d:{device}"
    assert {"visit"} == {row[2] for row in cluster.standing()["", owner] if row[0] == "opened"}
    assert ("duplicate" if is_given else "already") == redrive(cluster, late, command="2").outcome


@pytest.mark.parametrize(
    ("age", "users", "shown"),
    [
        (LATENESS + BACK, 1, [("phone", "u:ann")]),
        (LATENESS + BACK + 1, 1, []),
        (LATENESS + BACK, 6, [("phone", None)]),
    ],
    ids=["young", "old", "shared"],
)
def test_a_redriven_event_shows_whose_its_device_is(age: int, users: int, shown: list[Any]) -> None:
    """It is the first of its device that a link decides; what is too old for that shows nothing."""
    at, cluster = 20 * DAY - age, Cluster(1, ON)
    for n, user in enumerate(("ann", "bea", "cleo", "dora", "eva", "fay")[:users]):
        cluster.add(raw(at + HOUR + n, f"in {n}", "Signed In", user=user, device="phone"), 0)
    cluster.add(raw(20 * DAY, "now", user="zoe"), 0)
    cluster.drain()
    cluster.add(raw(at, "visit", device="phone"), 0)
    cluster.drain()
    (late,) = letters(cluster)
    assert [] == cluster.of("identities")
    assert "applied" == redrive(cluster, late).outcome
    assert shown == [(row["device"], row["person"]) for row in cluster.of("identities")]


def test_a_redriven_event_is_a_link_while_it_is_in_time() -> None:
    """Somebody's clock was ahead: the record was rejected. Read once more it says who has the device, and the
    guest's steps become hers; a day too late it says nothing of that, and counts.
    """
    for waited, is_link in ((HOUR, True), (3 * DAY, False)):
        cluster = Cluster(1, ON)
        cluster.add(raw(0, "visit", device="phone"), 0)
        bad = msgspec.json.decode(raw(MINUTE, "order", "Bought", user="ann", device="phone"))
        cluster.add(msgspec.json.encode(bad | {"timestamp": "soon"}), 0)
        cluster.add(raw(MINUTE + waited, "now", user="zoe"), 0)
        cluster.drain()
        ((number, letter),) = letters(cluster, "rejected")
        mended = msgspec.structs.replace(letter, value=msgspec.json.encode(bad))
        ended = redrive(cluster, (number, mended), "rejected")
        assert ("applied", is_link) == (ended.outcome, ended.link)
        who = "u:ann" if is_link else "d:phone"
        assert "visit" in {row[2] for row in cluster.standing()["", who]}
        assert 0 == len(letters(cluster))


def test_what_found_no_room_is_redriven_to_whom_it_belongs_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """In canonical form, from the partition of the user who had no room to that of the device, and on: late
    again while it is that user's; a copy once somebody else has it; and nothing counts twice.
    """
    monkeypatch.setattr(trimming, "MAX_LIVE_SIGNALS", 16)
    cluster = Cluster(2, ON)
    device, ann, ben = owned("d", 0, 2), owned("a", 1, 2), owned("b", 1, 2)
    cluster.add(raw(0, "search", device=device, category="car"), 0)
    for n in range(40):
        cluster.add(raw(HOUR + n * MINUTE, f"own{n}", user=ann), 1)
    cluster.add(raw(2 * MINUTE, "in", "Signed In", user=ann, device=device), 1)
    cluster.drain()
    (late,) = letters(cluster)
    assert 1 == late[0]
    ended = redrive(cluster, late)
    assert ("late", "final", "late", 1) == (ended.outcome, ended.reason, ended.topic, ended.partition)
    assert "late" == redrive(cluster, late, command="2").outcome
    cluster.add(raw(MINUTE, "in-2", "Signed In", user=ben, device=device), 0)
    cluster.drain()
    assert {"search"} == {row[2] for row in cluster.standing()["", f"u:{ben}"] if row[0] == "opened"}
    assert "duplicate" == redrive(cluster, late, command="3").outcome
    assert not any("inconsistent" in part.processor.checkpoint.counts.moves for part in cluster.parts)


def late_at_user(
    cluster: Cluster, device: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, Record]:
    """The dead letter, in canonical form, of an event of a device that finds no room at its user; and the
    partition that wrote it.
    """
    with monkeypatch.context() as small:
        small.setattr(trimming, "MAX_LIVE_SIGNALS", 16)
        cluster.add(raw(0, "search", device=device), 0)
        for n in range(40):
            cluster.add(raw(HOUR + n * MINUTE, f"own{n}", user=user), 1)
        cluster.add(raw(2 * MINUTE, "in", "Signed In", user=user, device=device), 1)
        cluster.drain()
    (late,) = letters(cluster)
    return late


def test_an_event_in_canonical_form_counts_where_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that everything of was forgotten gives it anew, as the rule saw it that read it."""
    cluster = Cluster(2, ON)
    device, ann = owned("d", 0, 2), owned("a", 1, 2)
    late = late_at_user(cluster, device, ann, monkeypatch)
    other = Cluster(2, ON)
    for number in range(2):
        other.add(raw(DAY, f"now {number}", user=owned("x", number, 2)), number)
    other.add(raw(2 * MINUTE, "in", "Signed In", user=ann, device=device), 1)
    other.drain()
    ended = redrive(other, late)
    assert ("applied", True) == (ended.outcome, ended.new_person)
    assert {("opened", "search", device)} == {
        (row[0], row[2], row[3]) for row in other.standing()["", f"u:{ann}"] if row[0] == "opened"
    }
    assert "duplicate" == redrive(other, late, command="2").outcome
    unlinked = Cluster(2, ON)
    assert "applied" == redrive(unlinked, late).outcome
    for cluster, owner in ((other, ann), (unlinked, device)):
        steps = [o for part in cluster.parts for o in part.outputs if o.topic == "transitions"]
        (step,) = [o for o in steps if b'"search"' in (o.value or b"")]
        assert (owner.encode(), ()) == (step.key, step.headers), "nobody knows where it was read"


def test_the_counters_of_a_receipt_are_those_that_are_kept() -> None:
    """Windows expire by the settled mark. Here another partition holds it back, so the day of an event is
    kept that is 440 days older than the watermark.
    """
    cluster = Cluster(2, ON)
    here, user = cluster.parts[0], owned("u", 0, 2)
    for number in range(2):
        cluster.add(raw(0, f"begin {number}", user=owned("x", number, 2)), number)
    cluster.drain()
    here.processor.tracker.excluded.add(1)
    for at, event in ((450 * DAY, "ahead"), (10 * DAY, "visit")):
        cluster.add(raw(at, event, user=user), 0)
        here.step(1, 0)
    ((_, letter),) = letters(cluster)
    origin = origin_of(letter, 0)
    value, sent_ms = letter.value or b"", START + 500 * DAY
    message = Redriven("again", "late", 0, 0, origin.source, origin.offset, 0, -1, sent_ms, (), value)
    here.hear(Output("inbox", None, encode_message(message), (), 0))
    here.step(0, 9)
    (ended,) = [msgspec.convert(row, Receipt) for row in cluster.of("redriven")]
    assert "applied" == ended.outcome
    assert {"day"} == {counter.cell.partition("/")[0] for counter in ended.counters}
