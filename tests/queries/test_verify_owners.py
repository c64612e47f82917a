"""`streams verify` computes whose each device is, and finds what the topic `identities` says otherwise."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas import Identity
from streams.log.memory import MemoryLog
from tests.queries.signing_in import guests, signed_in, verified
from tests.queries.test_verify import START
from tests.queries.test_verify_redriven_devices import read_more

SEED = 0


def call(day: float, name: str, **who: str) -> bytes:
    """A record of somebody who looks at something, or signs in if the name begins with `in`."""
    of = "Signed In" if name.startswith("in") else "Product Viewed"
    at = (START + timedelta(days=day)).isoformat()
    return msgspec.json.encode({"type": "track", "messageId": name, "event": of, "timestamp": at, **who})


async def shop(*more: bytes, until: float = 1.0) -> MemoryLog:
    """A phone that goes from ann to ben, a till of three people, and somebody who is always signed in."""
    values = [
        call(0, "seen", anonymousId="phone"),
        call(0.1, "in-ann", userId="ann", anonymousId="phone"),
        call(0.2, "at-till", anonymousId="till"),
        *[call(0.2 + n / 100, f"in-{who}", userId=who, anonymousId="till") for n, who in enumerate("xyz")],
        call(0.3, "in-zoe", userId="zoe", anonymousId="pad"),
        call(0.5, "in-ben", userId="ben", anonymousId="phone"),
        *more,
        call(until, "other", userId="other"),
    ]
    return await signed_in(values)


def said(log: MemoryLog) -> dict[str, Identity]:
    """What the topic says of each device."""
    latest = log._stored[0].compacted["identities"].latest
    records = [msgspec.json.decode(record.value or b"", type=Identity) for record in latest.values()]
    return {identity.device: identity for identity in records}


def publish(log: MemoryLog, device: str, identity: Identity | None) -> None:
    """Has the topic say something else of a device, as if it had said so from the beginning."""
    topic, key = log._stored[0].compacted["identities"], device.encode()
    topic.records = [record for record in topic.records if record.key != key]
    topic.latest.pop(key, None)
    topic.put(key, None if identity is None else msgspec.json.encode(identity), ())


async def test_it_counts_the_devices_that_it_compares() -> None:
    """A phone that changed hands and a shared till; nothing is said of who is always signed in."""
    log = await shop()
    assert {"phone": "u:ben", "till": None} == {name: of.person for name, of in said(log).items()}
    found = await verified(log)
    assert (None, 2) == (found.difference, found.devices)


@pytest.mark.parametrize(
    ("device", "changes"),
    [
        ("phone", {"person": "u:ann"}),
        ("phone", {"since": "2024-01-01T00:00:00.000Z"}),
        ("phone", {"event": "in-ann"}),
        ("phone", {"users": 1}),
        ("till", {"users": 4}),
        ("till", {"shared": False, "person": "u:x", "since": "2024-01-01T00:00:00.000Z", "event": "in-x"}),
    ],
    ids=["person", "since", "event", "users", "users-of-shared", "shared"],
)
async def test_a_record_that_says_something_else_is_found(device: str, changes: dict[str, Any]) -> None:
    """Each field of it is computed anew; the difference names what is right."""
    log = await shop()
    right = said(log)[device]
    publish(log, device, msgspec.structs.replace(right, **changes))
    difference = (await verified(log)).difference or ""
    expected = msgspec.json.encode(msgspec.structs.replace(right, rev=0)).decode().replace(',"rev":0', "")
    assert difference.startswith("partition 0: device published, but not recomputed: {")
    assert difference.endswith(f"; it is {expected}")


async def test_a_record_that_is_missing_or_too_much_is_found() -> None:
    """Of a device that somebody else had in the meantime, and of one of which no link decides anything."""
    log = await shop()
    phone = said(log)["phone"]
    publish(log, "phone", None)
    assert "device recomputed, but not published" in ((await verified(log)).difference or "")
    publish(log, "phone", phone)
    publish(log, "pad", msgspec.structs.replace(phone, device="pad", person="u:zoe"))
    assert "device published, but not recomputed" in ((await verified(log)).difference or "")


async def test_what_was_said_after_the_checkpoint_is_no_difference() -> None:
    """An agent goes on while the comparison reads: a later record has a greater `rev`."""
    log = await shop()
    phone, topic = said(log)["phone"], log._stored[0].compacted["identities"]
    topic.put(b"phone", msgspec.json.encode(msgspec.structs.replace(phone, person="u:new", rev=10**6)), ())
    found = await verified(log)
    assert (None, 2) == (found.difference, found.devices)
    topic.compact()
    found = await verified(log)
    assert (None, 1) == (found.difference, found.devices), "a compaction took what was said before"


async def test_a_device_that_is_forgotten_has_a_tombstone() -> None:
    """Whose it was is no more to be said; a tombstone that is missing is found, and one that is too early."""
    log = await shop(until=12.0)  # links of several users are kept for seven days
    assert not said(log)
    assert (await verified(log)).difference is None
    log_before = await shop()
    publish(log, "phone", said(log_before)["phone"])
    assert "device published, but forgotten" in ((await verified(log)).difference or "")
    log_before._stored[0].compacted["identities"].put(b"phone", None, ())
    assert "device recomputed, but not published" in ((await verified(log_before)).difference or "")


async def test_a_device_that_begins_anew() -> None:
    """It is said again once an event of it is decided again, and by whom."""
    log = await shop(until=19.9)
    await read_more(log, [call(20, "in-again", userId="ben", anonymousId="phone")])
    assert not said(log), "nothing was done there without a user since"
    assert (await verified(log)).difference is None
    await read_more(log, [call(20.1, "seen-again", anonymousId="phone")])
    assert "in-again" == said(log)["phone"].event
    found = await verified(log)
    assert (None, 1) == (found.difference, found.devices)
    publish(log, "phone", None)
    assert "device recomputed, but not published" in ((await verified(log)).difference or "")


@pytest.mark.parametrize("partitions", [1, 3])
async def test_whatever_came_in_which_order(partitions: int) -> None:
    """Users who share devices by turns: what is published of each of them is what is computed."""
    log = await signed_in(guests(SEED, 150, 9.0, devices=9), partitions, SEED)
    found = await verified(log)
    assert found.difference is None
    latest = [stored.compacted["identities"].latest for stored in log._stored]
    assert found.devices == sum(map(len, latest)) > 4
