"""With identity on, an untouched log verifies, and what is changed of devices and their users is found."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.ingest.partition import partition_of
from streams.core.journeys.signal import REF_AT, TIME, event_ref
from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.inbox import (
    GiveMessage,
    LinkMessage,
    Message,
    TakeMessage,
    WatermarkReport,
    decode_message,
    encode_message,
)
from streams.log.memory import MemoryLog
from streams.queries.event_sets import BYTES_PER_EVENT, BYTES_PER_PERSON
from streams.queries.partition_check import PartitionCheck
from streams.queries.passing import send_pass
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.queries.damage import forge
from tests.queries.signing_in import IDENTITY, NOW, at_rest, guests, redriven, signed_in, verified
from tests.queries.test_verify import START

LAW = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
FEW = 3  # damages of a kind and a partition: each is a comparison of the whole log
SEED = 0  # of a history in which both partitions send links, gives and takes


@LAW
@given(
    st.integers(0, 2**32),
    st.sampled_from((30, 150)),
    st.sampled_from((1.0, 4.0, 30.0)),
    st.sampled_from((1, 2, 4)),
    st.booleans(),
)
async def test_an_untouched_log_verifies(
    seed: int, count: int, days: float, partitions: int, needs: bool
) -> None:
    """Whatever came in which order and was moved how often, over one and several partitions."""
    overrides: dict[str, Any] = {"need": ["properties.products.category"]} if needs else {}
    log = await signed_in(guests(seed, count, days), partitions, seed, **overrides)
    found = await verified(log)
    assert found.difference is None
    assert (0, 0) == (found.unchecked_profiles, found.unchecked_counters)


def few(places: Sequence[Any]) -> Sequence[Any]:
    """At most FEW of these, from the first to the last."""
    return places[:: -(-len(places) // FEW) or 1]


@LAW
@given(st.integers(0, 2**32), st.sampled_from((4.0, 12.0)), st.sampled_from((1, 3)))
async def test_a_log_with_redriven_events_verifies(seed: int, days: float, partitions: int) -> None:
    """What is redriven of devices goes by the links or stays theirs, and of users makes links."""
    values = guests(seed, 120, days, held_up=(0, 0, -0.01, -0.5, -2))
    log = await signed_in(values, partitions, seed, allowed_lateness="6h")
    found = await verified(await redriven(log, seed, allowed_lateness="6h"))
    assert found.difference is None
    assert 0 == found.unchecked_profiles


def names_of(move: Any) -> set[tuple[str, bytes]]:
    """The events that a move is about."""
    refs = move.refs if isinstance(move, TakeMessage) else [signal.ref for signal in move.signals]
    return {(move.device, ref) for ref in refs}


async def damaged_inbox(of: type[Message], how: Callable[[Any], Message]) -> list[str | None]:
    """What is found wherever a message of this type is replaced by another one."""
    log, found = await signed_in(guests(SEED, 150, 4.0), 2, SEED), list[str | None]()
    assert (await verified(log)).difference is None
    messages = [decode_message(record.value) for part in log._stored for record in part.appended["inbox"]]
    taken = {name for message in messages if isinstance(message, TakeMessage) for name in names_of(message)}
    for part in log._stored:
        inbox = part.appended["inbox"]
        places = [(at, decode_message(record.value)) for at, record in enumerate(inbox)]
        # (What was taken back later leaves nothing behind.)
        some = [
            (at, message)
            for at, message in places
            if isinstance(message, of) and not (how is moved_by_a_minute and taken & names_of(message))
        ]
        for at, message in few(some):
            record = inbox[at]
            inbox[at] = msgspec.structs.replace(record, value=encode_message(how(message)))
            found.append((await verified(log)).difference)
            inbox[at] = record
    assert found, "there is such a message"
    return found


def lost(_: Any) -> Message:
    """A message that says nothing, in place of one that is lost."""
    return WatermarkReport(0, 0, idle=False)


def moved_by_a_minute(give: GiveMessage) -> Message:
    """A give whose first event counts at another time."""
    first, *others = give.signals
    first = msgspec.structs.replace(first, head=first.head + (60_000 << TIME))
    return msgspec.structs.replace(give, signals=(first, *others))


def by_somebody_else(link: LinkMessage) -> Message:
    return msgspec.structs.replace(link, user="u:nobody")


def of_something_else(move: TakeMessage) -> Message:
    lost = move.events[0][:REF_AT] + event_ref("nothing")
    return msgspec.structs.replace(move, events=(lost, *move.events[1:]))


@pytest.mark.parametrize(
    ("of", "how"),
    [
        (GiveMessage, lost),
        (GiveMessage, moved_by_a_minute),
        (TakeMessage, lost),
        (TakeMessage, of_something_else),
        (LinkMessage, by_somebody_else),
    ],
)
async def test_a_message_that_is_lost_or_changed_is_found(
    of: type[Message], how: Callable[[Any], Message]
) -> None:
    """Whichever it is: what a device gave, what it took back, and who was signed in on it."""
    found = await damaged_inbox(of, how)
    assert None not in found, "each is found"


async def test_a_link_that_is_lost_is_found() -> None:
    """Unless an equal one was sent as well."""
    found = [told for told in await damaged_inbox(LinkMessage, lost) if told is not None]
    assert any(
        re.fullmatch(r".*link of u:user\d on d:phone\d at .* was read, but not sent", told) for told in found
    )


@pytest.mark.parametrize(
    ("topic", "old", "new"),
    [
        ("transitions", b'"profile":"d:', b'"profile":"d:x'),  # a step of a device
        ("transitions", b'"device":"phone', b'"device":"xhone'),  # which device gave it
        ("transitions", b'"op":"retract"', b'"op":"assert"'),  # a step that was taken
        ("cues", b'"event":"m', b'"event":"x'),
    ],
)
async def test_a_record_that_is_changed_is_found(topic: str, old: bytes, new: bytes) -> None:
    """Each that is about a device, its user, or a step that was taken."""
    log = await signed_in(guests(SEED, 150, 4.0), 2, SEED)
    changed, marks = 0, (b'"device":', b'"moved_from":', b'"cue":')
    for part in log._stored:
        records = part.appended[topic]
        places = [
            (at, record.value)
            for at, record in enumerate(records)
            if record.value is not None and old in record.value and any(of in record.value for of in marks)
        ]
        for at, value in few(places):
            record = records[at]
            records[at] = msgspec.structs.replace(record, value=value.replace(old, new))
            assert (await verified(log)).difference is not None
            records[at] = record
            changed += 1
    assert changed


async def test_what_moved_from_where_is_no_content() -> None:
    """A record may say another cause of its writing: the step is the same."""
    log = await signed_in(guests(SEED, 150, 4.0), 1, SEED)
    records = log._stored[0].appended["transitions"]
    for at, record in enumerate(records):
        value = (record.value or b"").replace(b'"moved_from":"', b'"moved_from":"x')
        records[at] = msgspec.structs.replace(record, value=value)
    assert (await verified(log)).difference is None


async def test_a_counter_of_a_user_who_was_a_guest_is_found() -> None:
    """Counters count what was given, and not what was taken."""
    log = await signed_in(guests(SEED, 150, 4.0), 1, SEED)
    latest = log._stored[0].latest["tallies"]
    counted = [key for key in sorted(latest) if b'"count":0,' not in (latest[key].value or b"")]
    for key in counted[::100]:
        old = latest[key].value or b""
        forge(log, key, old.replace(b'"count":', b'"count":1'))
        assert (await verified(log)).difference is not None
        forge(log, key, old)
    assert (await verified(log)).difference is None


@pytest.mark.parametrize("partitions", [1, 2])
async def test_the_number_of_slices_changes_nothing(partitions: int) -> None:
    """A device of one slice gives to users of another one, and all is compared once."""
    log = await signed_in(guests(SEED, 400, 9.0, users=40, devices=30), partitions, SEED)
    for number in range(partitions):
        (raw,) = await log.checkpoints(number)
        checkpoint, found = decode_checkpoint(raw or b""), list[tuple[object, ...]]()
        for slices in (1, 3, 8):
            check = await PartitionCheck.load(log, number, checkpoint)
            share = checkpoint.counts.applied * (BYTES_PER_EVENT + BYTES_PER_PERSON // 4) // slices + 1
            assert await check.run(share, lambda done, total: None) is None
            assert check.slices >= slices
            people = check.people
            found.append((check.records, people.checked, people.transitions, check.counters.checked))
        assert 1 == len(set(found))


async def test_who_was_given_something_from_behind_the_settled_mark_is_left_out() -> None:
    """An operator let the mark pass the device's partition. What that gives when it is back is late, and what
    it takes stays: of these users nobody can say what is right.
    """
    ids = [f"u{n}" for n in range(99)]
    away = partition_of(b"phone", 2)
    ann, ben = [user for user in ids if partition_of(user.encode(), 2) != away][:2]

    def event(day: float, name: str, **who: str) -> NewRecord:
        of = "Signed In" if name.startswith("in") else "Product Viewed"
        at = (START + timedelta(days=day)).isoformat()
        fields = {"type": "track", "messageId": name, "event": of, "timestamp": at, **who}
        number = away if "userId" not in who else 1 - away
        return NewRecord(number, None, msgspec.json.encode(fields), NOW)

    log, fold = MemoryLog(2), load_settings(identity=IDENTITY)
    agents = [await PartitionAgent.open(log, number, fold, default_rules()) for number in range(2)]
    await log.append(
        [event(0, "in", userId=ann, anonymousId="phone"), event(0.1, "seen", anonymousId="phone")]
    )
    await at_rest(agents)
    await log.append([event(0.11, "in-2", userId=ben, anonymousId="phone")])
    await log.append([event(day, f"day-{day}", userId=ann) for day in range(1, 21)])
    here = agents[1 - away]
    here.processor.tracker.excluded.add(away)
    await send_pass(log, away)
    await here.catch_up()
    await at_rest(agents)
    assert {"settled": 1, "kept": 1} == {
        name: count for name, count in here.processor.checkpoint.counts.moves.items() if name != "given"
    }
    found = await verified(log)
    assert found.difference is None
    assert 2 == found.unchecked_profiles
