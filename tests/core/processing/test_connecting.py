"""Links and moves between partitions: what is sent, what waits for what, and what a restart keeps."""

from typing import Any

import msgspec
import pytest

from schemas import Transition
from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.links import Spans
from streams.core.ingest.partition import partition_of
from streams.core.journeys.signal import NAMELESS, NO_PLACE, REFUND_EVERYWHERE, Signal, event_ref, head_of
from streams.core.moments.verdict import RuleInfo
from streams.core.processing import processor
from streams.core.processing.inbox import (
    GiveMessage,
    LinkMessage,
    WatermarkReport,
    decode_message,
    encode_message,
)
from streams.core.processing.parameters import IdentityParameters
from streams.core.processing.places import place_at, source_of_place
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.travelling import TravellingSignal, packed, unpacked
from streams.records import Output
from tests.core.processing.feeding import DAY, HOUR, MINUTE, PLAN, START, Feed, event, rules
from tests.core.processing.test_rulebook import DOOR, FIRST, SECOND
from tests.laws.test_identity_partitions import Cluster

IDENTITY = IdentityParameters(Spans(), CollectiveUsers(["Till 3"]), "properties.for_customer")
ON = msgspec.structs.replace(PLAN, identity=IDENTITY)


def raw(at: int, id: str, name: str = "Looked", user: str = "", device: str = "", **properties: Any) -> bytes:
    """A record that carries a user, a device or both."""
    fields = msgspec.json.decode(event(at, id, name, **properties))
    del fields["userId"]
    fields |= {"userId": user} if user else {}
    fields |= {"anonymousId": device} if device else {}
    return msgspec.json.encode(fields)


def steps(feed: Feed) -> list[tuple[str, str, str | None, str | None]]:
    """(profile, kind, event, device) of the steps that stand, by profile and time."""
    found = [
        (t.profile, t.kind, t.event, None if t.device is msgspec.UNSET else t.device, t.at)
        for t in feed.standing().values()
    ]
    return [row[:4] for row in sorted(found, key=lambda row: (row[0], row[4], row[1] == "converted"))]


def test_a_guest_signs_in() -> None:
    """Records in, transitions out: the guest's steps are retracted and asserted as the user's, with the
    device that gave their events, the other profile, and the event as it was sent.
    """
    feed = Feed(plan=ON)
    feed.take(raw(0, "search", device="phone"))
    feed.take(raw(HOUR, "login", "Signed In", user="ann", device="phone"))
    feed.take(raw(HOUR + MINUTE, "order", "Bought", user="ann", device="phone"))
    assert [
        ("u:ann", "opened", "search", "phone"),
        ("u:ann", "converted", "order", None),
    ] == steps(feed)
    said = [(t.profile, t.op, t.moved_from) for t in feed.transitions()]
    assert [
        ("d:phone", "assert", msgspec.UNSET),
        ("d:phone", "retract", "u:ann"),
        ("u:ann", "assert", "d:phone"),
        ("u:ann", "assert", msgspec.UNSET),
    ] == said
    (where,) = feed.latest("current_devices").values()
    assert not msgspec.json.decode(where)["needs"]
    assert [b"ann"] == list(feed.latest("current"))


def test_a_first_batch_may_be_as_long_as_it_likes() -> None:
    """A new app reads three weeks in its first batch: nothing is final before all of it has moved."""
    feed = Feed(plan=ON)
    feed.take(
        raw(0, "search", device="phone"),
        raw(DAY, "login", "Signed In", user="ann", device="phone"),
        raw(21 * DAY, "later", user="ben"),
    )
    assert [
        ("u:ann", "opened", "search", "phone"),
        ("u:ann", "stalled", None, None),
        ("u:ben", "opened", "later", None),
    ] == steps(feed)


def test_a_restart_keeps_all() -> None:
    """After each batch another worker goes on: what it retracts is what was said, to the letter, and a second
    user takes over from the first.
    """
    feed = Feed(plan=ON)
    for values in (
        [raw(2 * HOUR, "search", device="phone"), raw(2 * HOUR, "map", device="phone", category="car")],
        [raw(5 * HOUR, "in-1", "Signed In", user="ben", device="phone")],
        [raw(3 * HOUR, "in-2", "Signed In", user="ann", device="phone")],
        [raw(5 * HOUR, "order", "Bought", user="ann", order_id="A1")],
        [raw(HOUR, "earlier", device="phone")],
    ):
        feed.take(*values)
        feed.reopen()
    assert [
        ("u:ann", "opened", "earlier", "phone"),
        ("u:ann", "opened", "map", "phone"),
        ("u:ann", "converted", "order", None),
    ] == steps(feed)
    assert "inconsistent" not in feed.processor.checkpoint.counts.moves


@pytest.mark.parametrize(
    "more",
    [
        {"user": " TILL 3 "},
        {"user": "kiosk"},
        {"user": "ann", "for_customer": True},
        {"user": "ann", "for_customer": "yes"},
        {"user": "undefined"},
    ],
)
def test_what_is_no_link(more: dict[str, Any]) -> None:
    """A collective user, an event that another person did for the user, and a word that stands for no id."""
    feed = Feed(plan=ON)
    feed.take(raw(0, "search", device="phone"), raw(MINUTE, "login", "Signed In", device="phone", **more))
    assert [("d:phone", "opened", "search", None)] == steps(feed)
    assert feed.processor.connector is not None
    assert 0 == len(feed.processor.connector.devices)


@pytest.mark.parametrize("said", [False, 0, "", "no", "FALSE", None])
def test_what_is_a_link_all_the_same(said: Any) -> None:
    """A field that says no."""
    feed = Feed(plan=ON)
    login = raw(MINUTE, "login", "Signed In", user="ann", device="phone", for_customer=said)
    feed.take(raw(0, "search", device="phone"), login)
    assert [("u:ann", "opened", "search", "phone")] == steps(feed)


def test_nothing_is_final_within_the_first_batch() -> None:
    """The first batch of a partition spans twelve days: what a link moves in it was not folded meanwhile."""
    feed = Feed(plan=ON)
    feed.take(
        *[raw(n * MINUTE, f"look-{n}", device="phone") for n in range(9)],
        raw(HOUR, "order", "Bought", device="phone"),
        raw(6 * DAY, "login", "Signed In", user="ann", device="phone"),
        raw(12 * DAY, "other", user="zoe"),
        *[raw(12 * DAY + n * MINUTE, f"again-{n}", device="phone") for n in range(9)],
    )
    assert {"u:ann", "u:zoe"} == {profile for profile, *_ in steps(feed)}


def test_identity_is_off_without_settings_for_it() -> None:
    """The plan without it: nobody is linked, and no record of the state speaks of a device."""
    feed = Feed()
    feed.take(raw(0, "search", device="phone"), raw(MINUTE, "in", "Signed In", user="ann", device="phone"))
    assert [("d:phone", "opened", "search", None)] == steps(feed)
    assert not [key for key in feed.state if key[:1] == b"i"]


def links_sent(cluster: Cluster) -> list[str]:
    """The events of the links that were sent between partitions."""
    inboxes = [record.value for part in cluster.parts for record in part.inbox]
    return [m.event for m in map(decode_message, inboxes) if isinstance(m, LinkMessage)]


def test_a_link_is_told_again_where_it_is_earlier() -> None:
    """Of the events of a quarter of an hour the first one is told, and one that comes later and is earlier.
    A partition that nobody waits for yet tells all.
    """
    cluster = Cluster(2)
    there = partition_of(b"phone", 2)
    reader = 1 - there
    for minute, name in ((4, "e4"), (5, "e5")):
        cluster.add(raw(minute * MINUTE, name, "Signed In", user="ann", device="phone"), reader)
        cluster.parts[reader].step(1, 0)
    assert ["e4", "e5"] == links_sent(cluster)
    cluster.parts[there].step(0, 9)  # it hears the report
    cluster.parts[reader].step(0, 9)  # and says so
    for minute, name in ((6, "e6"), (2, "e2"), (3, "e3"), (16, "e16"), (17, "e17")):
        cluster.add(raw(minute * MINUTE, name, "Signed In", user="ann", device="phone"), reader)
        cluster.parts[reader].step(1, 0)
    assert ["e4", "e5", "e6", "e2", "e16"] == links_sent(cluster)


def test_in_a_new_app_links_are_told_once_when_all_have_reported() -> None:
    """Whoever hears of one partition before it has heard of all has no watermark yet, and says later that it
    waits. Nobody is idle meanwhile.
    """
    cluster = Cluster(3)
    there = partition_of(b"phone", 3)
    reader, third = (number for number in range(3) if number != there)
    for minute in range(6):
        for number in (reader, there, third):
            who = {"user": "ann", "device": "phone"} if number == reader else {"user": f"u{number}"}
            cluster.add(raw(minute * MINUTE, f"{number}-{minute}", "Signed In", **who), number)
            cluster.parts[number].step(1, 9)
    told = [f"{reader}-{minute}" for minute in range(6)]
    assert told[:2] == links_sent(cluster)[:2]
    assert told[4:] == [event for event in told if event not in links_sent(cluster)]


def test_an_idle_partition_remembers_nothing() -> None:
    """Nobody waits for it, so what it tells may be late, and a later link of the quarter may not: it tells
    each.
    """
    cluster = Cluster(2)
    reader = cluster.parts[1 - partition_of(b"phone", 2)]
    for n in range(4):
        cluster.add(raw(n * MINUTE, f"e{n}", "Signed In", user="ann", device="phone"), reader.number)
        for _ in range(5):
            reader.step(0, 0)
        reader.step(1, 0)
    assert ["e0", "e1", "e2", "e3"] == links_sent(cluster)


def test_who_was_idle_tells_every_link_until_it_is_waited_for() -> None:
    """The device's partition went on while the reader was idle. The reader has work again and reports, but a
    link that it sends then is late over there, and a later one of the same quarter of an hour is not.
    """
    cluster = Cluster(2)
    there = cluster.parts[partition_of(b"phone", 2)]
    reader = cluster.parts[1 - there.number]
    cluster.add(raw(0, "begin", device="phone"), there.number)
    cluster.drain()
    cluster.add(raw(2 * DAY + 7 * MINUTE, "ahead", device="phone"), there.number)
    there.step(1, 9)
    for minute, name in ((1, "e1"), (2, "e2"), (10, "e10")):
        cluster.add(raw(minute * MINUTE, name, "Signed In", user="ann", device="phone"), reader.number)
        reader.step(1, 0)
    cluster.drain()
    assert 2 == there.processor.checkpoint.counts.moves["late_links"]
    assert {"begin"} == {row[2] for row in cluster.standing()[("", "u:ann")] if row[0] == "opened"}


def test_nothing_is_final_before_the_slowest_partition_says_so() -> None:
    """Another partition has read all there is up to day 30, but its own watermark is held back by a third
    one: it may still give this partition's user something. Timers fire, and nothing is final before it
    reports that its own watermark is beyond the horizon.
    """
    cluster = Cluster(2)
    one = cluster.parts[0]
    user = next(f"u{n}" for n in range(99) if partition_of(f"u{n}".encode(), 2) == 0)
    cluster.add(raw(0, "order", "Bought", user=user), 0)
    cluster.add(raw(DAY, "again", user=user), 0)
    cluster.add(raw(30 * DAY, "later", user=user), 0)
    final_ms = 2 * DAY + 12 * HOUR + 30 * MINUTE  # lateness, back, and the purchase's join window

    def reported(own_watermark: int) -> tuple[list[str], int]:
        """The kinds of transitions so far, and how many final records, after such a report."""
        report = WatermarkReport(1, START + 31 * DAY, False, own_watermark_ms=START + own_watermark)
        one.hear(Output("inbox", None, encode_message(report), (), 0))
        one.step(9, 9)
        one.step(0, 0)
        kinds: list[str] = [
            msgspec.json.decode(output.value or b"", type=Transition).kind
            for output in one.outputs
            if output.topic == "transitions"
        ]
        return kinds, len([output for output in one.outputs if output.topic == "journeys"])

    told = ["opened", "converted", "opened", "stalled"]
    assert (told, 0) == (reported(0)[0][:4], reported(final_ms)[1])
    assert 0 == reported(final_ms)[1]
    assert 1 == reported(final_ms + 1)[1]


def test_a_rule_travels_by_its_name() -> None:
    """Where the version is known the signal has that rule's code; else the version is added, without an era,
    and the same rule is not added twice. What a version is when it comes into force itself is another entry.
    """
    here, there = Rulebook(), Rulebook()
    here.adopt(FIRST, DOOR, {})
    there.adopt(SECOND, DOOR, {})
    sent = Signal(head_of(START, 0, True, 3), event_ref("e"), 1, 4, None, ("car",), 2)
    wire = msgspec.msgpack.encode(packed(sent, here, []))
    arrived = unpacked(msgspec.msgpack.decode(wire, type=TravellingSignal), there, [])
    assert msgspec.structs.replace(sent, rule=arrived.rule) == arrived
    assert (FIRST.version, FIRST.rules[1]) == there.rule_of(arrived.rule)
    assert unpacked(packed(sent, here, []), there, []).rule == arrived.rule
    assert 1 == len(there.eras)
    assert 4 == there.codes
    assert unpacked(packed(sent, here, []), here, []) == sent
    there.adopt(FIRST, DOOR, {"e:0": 3})
    assert FIRST.text == there.versions[there.eras[-1].rules].text
    assert there.code_of(FIRST.version, FIRST.rules[1]) == arrived.rule
    assert there.code_of("unknown", RuleInfo("r", 0.5)) == there.codes - 1


def test_a_place_travels_by_the_name_of_its_source() -> None:
    """Each partition has codes of its own; a place that is not known stays so, and takes up no code."""
    book, here, there = Rulebook(), ["a:0", "b:0"], ["c:1"]
    book.adopt(FIRST, DOOR, {})
    sent = Signal(head_of(START, 0, True, 3), event_ref("e"), 1, 4, place=place_at(2, 7))
    arrived = unpacked(packed(sent, book, here), book, there)
    assert ("b:0", 7) == source_of_place(there, arrived.place)
    assert ["c:1", "b:0"] == there
    placeless = msgspec.structs.replace(sent, place=NO_PLACE)
    assert placeless == unpacked(packed(placeless, book, here), book, there)
    assert ["c:1", "b:0"] == there


def test_needs_that_are_recognized_arrive_as_themselves() -> None:
    """The nameless need and that of a refund of everything are compared by identity."""
    book = Rulebook()
    book.adopt(rules(), DOOR, {})
    for needs in (NAMELESS, REFUND_EVERYWHERE):
        sent = Signal(0, event_ref("e"), 0, 0, None, needs)
        message = GiveMessage("u:a", "d:b", (packed(sent, book, []),))
        arrived = decode_message(encode_message(message))
        assert isinstance(arrived, GiveMessage)
        assert unpacked(arrived.signals[0], book, []).needs is needs


def test_a_step_of_silence_has_no_device() -> None:
    """It has no event, so no device gave one."""
    feed = Feed(plan=ON)
    feed.take(raw(0, "search", device="phone"), raw(MINUTE, "in", "Signed In", user="ann", device="phone"))
    feed.finish(5 * DAY)
    stalled = [t for t in feed.standing().values() if t.kind == "stalled"]
    assert [(None, msgspec.UNSET)] == [(t.event, t.device) for t in stalled]
    assert isinstance(stalled[0], Transition)


def test_what_time_takes_of_devices_is_to_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """More devices are due than one batch tidies, and nothing else has happened: the partition has something
    to commit all the same, until none is left.
    """
    monkeypatch.setattr(processor, "CHORES_PER_BATCH", 1)
    feed = Feed(plan=ON)
    feed.take(*[raw(n * MINUTE, f"e{n}", "Signed In", user="ann", device=f"phone-{n}") for n in range(3)])
    feed.processor.advance(watermark_ms=START + 400 * DAY)
    feed.commit()
    for left in (1, 0):
        before = feed.processor.time_state
        feed.processor.advance()
        assert before != feed.processor.time_state
        feed.commit()
        assert left == sum(key[:1] == b"i" for key in feed.state)


@pytest.mark.parametrize("who", [{"user": "ann"}, {"device": "phone"}, {"device": "desk"}])
def test_where_a_batch_is_cut_does_not_show_in_which_ids_are_known(who: dict[str, Any]) -> None:
    """An id comes again after eleven days, in the batch in which it came first or in another: it is another
    event. It may be a user's, a device's, and one that a device gave.
    """
    values = [
        raw(0, "in", "Signed In", user="ann", device="desk"),
        raw(HOUR, "one", **who),
        raw(HOUR + MINUTE, "in-2", "Signed In", user="ben", device="desk"),
        raw(HOUR + 11 * DAY, "now", user="zoe"),
        raw(HOUR + 11 * DAY + 1, "later", user="zoe"),
        raw(HOUR + 11 * DAY, "in-3", "Signed In", user="ann", device="desk"),
        raw(HOUR + 11 * DAY + 1, "one", "Bought", **who),
    ]
    whole, parts = Feed(plan=ON), Feed(plan=ON)
    whole.take(*values)
    for value in values:
        parts.take(value)
    whole.finish(12 * DAY)
    parts.finish(12 * DAY)
    assert steps(whole) == steps(parts)
    assert {"opened", "converted"} == {row[1] for row in steps(whole) if row[2] == "one"} - {"resumed"}
