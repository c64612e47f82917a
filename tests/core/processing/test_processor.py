"""A partition's whole computation: how records end, what a batch holds, what a restart must not change."""

import random
from typing import Any

import msgspec
import pytest

from schemas import Current, JourneyRecord, LateHeaders, RefundRecord, RejectedHeaders, Tally
from streams.core.ingest.door import door_of
from streams.core.journeys.profile import MAX_LIVE_SIGNALS, SEGMENT
from streams.core.processing import processor
from streams.core.processing.checkpoint import Counts, decode_checkpoint
from streams.core.processing.dead_letters import MAX_VALUE_BYTES
from streams.core.processing.inbox import Forwarded, decode_message
from streams.core.processing.processor import Processor
from streams.core.processing.state_keys import PROFILE
from streams.records import Fetched, Output, Record
from tests.core.processing.feeding import DAY, HORIZON, HOUR, MINUTE, PLAN, SOURCE, START, Feed, event, rules


def headers(output: Output, type: Any) -> Any:
    """A ledger's headers as their type reads them: each the text of its field."""
    return msgspec.convert({name: value.decode() for name, value in output.headers}, type, strict=False)


def test_each_record_ends_in_exactly_one_way() -> None:
    """Judged in the order of docs/journeys.md, and the ends add up to what was received."""
    feed = Feed()
    feed.take(
        event(3 * DAY, "new"),
        event(3 * DAY, "new"),
        event(3 * DAY, "says nothing", "Scrolled"),
        event(0, "old"),
        event(0, "old and says nothing", "Scrolled"),
        b"{",
        b"{}",
    )
    counts = decode_checkpoint(feed.stored or b"").counts
    assert Counts(received=7, applied=1, no_signal=2, duplicate=1, late=1, rejected=2) == counts


def test_the_horizon_mark_moves_with_every_record_that_can_be_read() -> None:
    """One that says nothing about intent counts too; one that can't be read does not."""
    feed = Feed()
    feed.take(
        event(3 * DAY, "says nothing", "Scrolled"),
        event(DAY - 1, "late"),
        event(DAY, "in time"),
        b"{}",
    )
    assert (START + 3 * DAY, 1) == (feed.processor.population.watermark_ms, len(feed.of("late")))


def test_the_late_ledger() -> None:
    """The record as it came, under its profile's key, with how late it was and where it had stood."""
    feed = Feed()
    late = event(0, "old", shop="roma")
    feed.take(event(3 * DAY, "new"), late)
    (output,) = feed.of("late")
    assert (b"roma\x1f1", late) == (output.key, output.value)
    assert LateHeaders(
        "lateness", 3 * 86_400.0, "u:1", "old", "2024-01-01T00:00:00.000Z", "events", 0, 1, 0
    ) == headers(output, LateHeaders)


def test_the_late_ledger_of_a_robot() -> None:
    """Within the horizon, but before what its profile still holds: `over_cap`."""
    feed = Feed()
    feed.take(
        *[event(n * 1000, f"e{n}") for n in range(MAX_LIVE_SIGNALS + 2 * SEGMENT)], event(1, "before them")
    )
    assert [("over_cap", "before them")] == [
        (said.reason, said.event) for said in (headers(o, LateHeaders) for o in feed.of("late"))
    ]


def test_the_rejected_ledger() -> None:
    """The bytes as they came, cut at 64 KiB, with the reason and where it had stood."""
    feed = Feed()
    feed.take(event(0, "a"), b"\xff{", b"{" + b" " * MAX_VALUE_BYTES + b"}")
    first, second = feed.of("rejected")
    assert (None, b"\xff{") == (first.key, first.value)
    said = headers(first, RejectedHeaders)
    assert ("undecodable", "events", 0, 1, False) == (
        said.reason,
        said.topic,
        said.partition,
        said.offset,
        said.cut,
    )
    assert (MAX_VALUE_BYTES, True) == (len(second.value or b""), headers(second, RejectedHeaders).cut)


def test_from_the_future() -> None:
    """Further ahead of its arrival than the skew: rejected, and time does not move."""
    feed = Feed()
    records = [
        Record(0, START, None, event(10 * MINUTE, "in the skew")),
        Record(1, START, None, event(10 * MINUTE + 1000, "beyond")),
    ]
    feed.processor.take(Fetched.of(SOURCE, records))
    feed.commit()
    assert [b"from_the_future"] == [dict(output.headers)["reason"] for output in feed.of("rejected")]
    assert START + 10 * MINUTE == feed.processor.population.watermark_ms


@pytest.mark.parametrize("said", [START + 9_999 * DAY, -1])
def test_a_record_is_no_newer_than_when_it_is_read(said: int) -> None:
    """Whoever sends a record says when that was, or does not: neither may move
    time to where all that others send is late.
    """
    feed = Feed()
    records = [
        Record(n, said, None, event(at, str(at)))
        for n, at in enumerate((10 * MINUTE, 10 * MINUTE + 1000, 9_999 * DAY))
    ]
    feed.processor.take(Fetched([(SOURCE, records)], frozenset([SOURCE]), {}, START))
    feed.commit()
    assert [b"1", b"2"] == [dict(output.headers)["offset"] for output in feed.of("rejected")]
    assert START + 10 * MINUTE == feed.processor.population.watermark_ms


def test_what_is_handed_over_is_bounded() -> None:
    """Headers have no say in an event, and may be larger than any topic takes: they stay behind."""
    processor = Processor(0, PLAN, b"fold", rules(), door_of(MINUTE), 2)
    processor.restore(None, [])
    processor.tracker.read_from([SOURCE, "inbox:0"])
    users = ("1", "2", "3", "4", "5")
    records = [
        Record(n, START, b"k", event(0, user, user=user), (("h", b"x" * 9_000_000),))
        for n, user in enumerate(users)
    ]
    processor.take(Fetched.of(SOURCE, records))
    messages = [
        decode_message(output.value) for output in processor.batch().outputs if output.topic == "inbox"
    ]
    sent = [message for message in messages if isinstance(message, Forwarded)]
    assert processor.checkpoint.counts.forwarded == len(sent) > 0
    for found in sent:
        assert Forwarded(SOURCE, found.offset, 0, START, (), records[found.offset].value) == found
        assert records[found.offset] == msgspec.structs.replace(
            found.record(b"k"), headers=records[0].headers
        )


def test_a_position_is_where_the_next_look_begins() -> None:
    """Behind the last record there may be marks of transactions; when all before them has
    been deleted, only this position is left.
    """
    feed = Feed()
    feed.processor.take(
        Fetched([(SOURCE, [Record(3, -1, b"k", event(0, "a"))])], frozenset([SOURCE]), {SOURCE: 5})
    )
    assert decode_checkpoint(feed.commit().checkpoint).sources[SOURCE].offset == 5
    feed.processor.take(Fetched([], frozenset([SOURCE]), {SOURCE: 7}))
    assert decode_checkpoint(feed.commit().checkpoint).sources[SOURCE].offset == 7


def test_what_nobody_can_read_tells_nothing_of_where_people_live() -> None:
    """A broken record at the very beginning does not make partitions wait for each other."""
    processor = Processor(1, PLAN, b"fold", rules(), door_of(MINUTE), 2)
    processor.restore(None, [])
    processor.tracker.read_from([SOURCE, "inbox:1"])
    processor.take(Fetched.of(SOURCE, [Record(0, -1, None, b"broken"), Record(1, -1, None, None)]))
    assert not processor.tracker.forwarding


def test_needs_tenant_and_order_come_from_their_paths() -> None:
    """Whose customer, what about, which order: read from the event as the settings say."""
    feed = Feed()
    feed.take(
        event(0, "look", shop="roma", category="car"),
        event(1, "buy", "Bought", shop="roma", category=["car", "coffee"], order_id="A"),
        event(2, "again", "Bought", shop="roma", category="car", order_id="A"),
        event(3, "back", "Sent Back", shop="roma", order_id="A"),
        event(4, "elsewhere", "Sent Back", shop="milano", order_id="A"),
    )
    said = [(t.tenant, t.profile, t.need, t.kind, t.event) for t in feed.standing().values()]
    assert sorted(
        [
            ("roma", "u:1", "car", "opened", "look"),
            ("roma", "u:1", "car", "converted", "buy"),
            ("roma", "u:1", "coffee", "opened", "buy"),
            ("roma", "u:1", "coffee", "converted", "buy"),
            ("roma", "u:1", "car", "refunded", "back"),
            ("roma", "u:1", "coffee", "refunded", "back"),
        ],
        key=str,
    ) == sorted(said, key=str)


def test_a_correction_retracts_then_asserts_with_growing_revs() -> None:
    """The id stays where only content changes, and each record's rev is one more than the one before."""
    feed = Feed(rules(looked="do"))
    feed.take(event(0, "a"), event(2 * HOUR, "b", "Bought"))
    feed.take(event(HOUR, "between", "Bought"))
    records = feed.transitions()
    assert list(range(1, len(records) + 1)) == [t.rev for t in records]
    corrected = records[2:]
    assert [("retract", "converted", "b")] == [(t.op, t.kind, t.event) for t in corrected[:1]]
    assert records[1] == msgspec.structs.replace(corrected[0], rev=2, op="assert")
    assert {("opened", "a"), ("converted", "between"), ("opened", "b"), ("converted", "b")} == {
        (t.kind, t.event) for t in feed.standing().values()
    }


def test_current_follows() -> None:
    """One record of a person: open, stalled, closed, and a tombstone when forgotten."""
    feed = Feed()

    def now() -> list[tuple[str | None, bool, str | None]]:
        decoded = [msgspec.json.decode(value, type=Current) for value in feed.latest("current").values()]
        return [(n.moment, n.stalled, n.outcome) for c in decoded for n in c.needs]

    feed.take(event(0, "a"))
    assert [("know", False, None)] == now()
    feed.finish(3 * DAY + 1)
    assert [("know", True, None)] == now()
    feed.take(event(3 * DAY + 1, "b", "Bought"))
    assert [(None, False, "converted")] == now()
    feed.take(event(4 * DAY, "c", "Sent Back"))
    assert [(None, False, "refunded")] == now()
    feed.finish(200 * DAY)
    assert [] == now()
    assert not any(key.startswith(PROFILE) for key in feed.state)


def test_new_rules_hold_from_a_batch_boundary() -> None:
    """A signal keeps the rule and version it was read with; the book says which
    version read which offset, also after restarts.
    """
    feed = Feed(rules("first", "know"))
    feed.take(event(0, "a"), event(1, "b"))
    feed.reopen(rules("second", "go"))
    feed.take(event(2, "c"))
    feed.reopen(rules("first", "know"))
    feed.take(event(3, "d", "Bought"))
    feed.reopen()
    first, second = rules("first", "know").version, rules("second", "go").version
    assert [("opened", first), ("advanced", second), ("converted", first)] == [
        (t.kind, t.rules) for t in feed.transitions()
    ]
    book = feed.processor.rulebook
    assert [first, first, second, first, first] == [
        book.versions[book.era_of(SOURCE, offset).rules].version for offset in range(5)
    ]
    assert [first, second] == [version.version for version in book.versions]


def test_a_late_correction_names_the_version_that_read_the_event() -> None:
    """Though other rules are in force when it is said."""
    feed = Feed(rules("first", "do"))
    feed.take(event(HOUR, "a"))
    feed.reopen(rules("second", "do"))
    feed.take(event(0, "before"))
    moved = {t.event: t.rules for t in feed.standing().values()}
    assert {"before": rules("second", "do").version} == moved
    assert [rules("first", "do").version] * 2 == [t.rules for t in feed.transitions() if t.event == "a"]


def history(seed: int, count: int = 400) -> list[bytes]:
    """A week of a few people: disorder, copies, lateness, pauses, rubbish."""
    rnd = random.Random(seed)
    at, out = 0, list[bytes]()
    for n in range(count):
        at += rnd.choice((MINUTE, HOUR, 3 * HOUR, 40 * DAY if n % 150 == 149 else HOUR))
        when = max(0, at - rnd.choice((0, 0, 0, HOUR, 30 * HOUR, 3 * DAY)))
        name = rnd.choice(("Looked", "Looked", "Bought", "Sent Back", "Scrolled"))
        properties: dict[str, Any] = (
            {"category": rnd.choice(("car", "coffee", ["car", "coffee"]))} if rnd.random() < 0.5 else {}
        )
        out.append(event(when, f"e{n}", name, user=rnd.choice("12345"), **properties))
        if rnd.random() < 0.1:
            out.append(rnd.choice((out[-1], b"{", out[rnd.randrange(len(out))])))
    return out


@pytest.mark.parametrize("seed", range(4))
def test_restored_is_as_if_it_had_never_stopped(seed: int) -> None:
    """Restored from its own batches again and again, a pipeline says what one
    that never stopped says, in every topic.
    """
    steady, restarted = Feed(), Feed()
    values = history(seed)
    for n in range(0, len(values), 17):
        steady.take(*values[n : n + 17])
        restarted.reopen()
        restarted.take(*values[n : n + 17])
    for feed in (steady, restarted):
        feed.finish(400 * DAY)
    assert steady.standing() == restarted.standing()
    assert [t.id for t in steady.transitions()] == [t.id for t in restarted.transitions()]
    assert steady.latest("current") == restarted.latest("current")
    assert steady.latest("tallies") == restarted.latest("tallies")
    assert steady.of("late") == restarted.of("late")
    assert sorted(o.value or b"" for o in steady.of("journeys")) == sorted(
        o.value or b"" for o in restarted.of("journeys")
    )
    assert steady.state == restarted.state
    assert steady.stored == restarted.stored


def counted_over_all_time(feed: Feed) -> dict[str, int]:
    """The counters of the window `all` that are not zero: their `rev`, and zeros, depend on the batches."""
    tallies = [msgspec.json.decode(value, type=Tally) for value in feed.latest("tallies").values()]
    return {tally.cell: tally.count for tally in tallies if tally.window == "all" and tally.count}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_the_size_of_batches_changes_nothing_in_the_end(seed: int, size: int) -> None:
    """Read one by one or all at once: what stands, what is counted and what is final are the same."""
    values = history(seed, 150)
    one, other = Feed(), Feed()
    for feed, step_size in ((one, 17), (other, size)):
        for n in range(0, len(values), step_size):
            feed.take(*values[n : n + step_size])
        feed.finish(300 * DAY)
    assert one.standing() == other.standing()
    assert one.latest("current") == other.latest("current")
    assert counted_over_all_time(one) == counted_over_all_time(other)
    assert sorted(o.value or b"" for o in one.of("journeys")) == sorted(
        o.value or b"" for o in other.of("journeys")
    )


def test_what_is_published_is_what_is_stored() -> None:
    """The counters of the tallies topic are those of the restored
    windows, and every value is of its topic's type.
    """
    feed = Feed()
    for value in history(9):
        feed.take(value)
    feed.finish(100 * DAY)
    tallies = [msgspec.json.decode(value, type=Tally) for value in feed.latest("tallies").values()]
    assert all(tally.count >= 0 for tally in tallies)
    held = [n for _, n in feed.open().windows.cells()]
    assert sorted(tally.count for tally in tallies) == sorted(held)
    for output in feed.of("journeys"):
        assert msgspec.json.decode(output.value or b"", type=JourneyRecord | RefundRecord).profile.startswith(
            "u:"
        )


def test_a_flood_of_deadlines_loses_no_final_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """While timers are behind, what they are about to close is not
    passed over: each journey gets its record.
    """
    monkeypatch.setattr(processor, "TIMERS_PER_BATCH", 1)
    feed = Feed()
    for n in range(1, 5):
        feed.take(
            event(n, f"look{n}", user=str(n), category="car"),
            event(n, f"look too {n}", user=str(n), category="coffee"),
        )
        feed.take(event(n, f"order{n}", "Bought", user=str(n), category="car"))
    feed.finish(200 * DAY)
    finals = [
        msgspec.json.decode(o.value or b"", type=JourneyRecord | RefundRecord) for o in feed.of("journeys")
    ]
    assert {(f"u:{n}", need) for n in range(1, 5) for need in ("car", "coffee")} == {
        (f.profile, f.need) for f in finals
    }
    assert 8 == len(finals)


def test_nothing_is_said_twice_of_an_empty_batch() -> None:
    """A batch after a batch holds a checkpoint and nothing else; that counts the batch, and says the same."""
    feed = Feed()
    feed.take(event(0, "a"), event(HORIZON + 1, "b"))
    again = feed.processor.batch()
    assert ([], []) == (list(again.outputs), list(again.state))
    last, now = decode_checkpoint(feed.stored or b""), decode_checkpoint(again.checkpoint)
    assert msgspec.structs.replace(last, batches=last.batches + 1) == now
