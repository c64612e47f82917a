"""What is redriven of devices is recomputed as everything is, whoever has it."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from streams.clock import Clock
from streams.core.journeys.profile import MAX_LIVE_SIGNALS, SEGMENT
from streams.core.moments.rules import default_rules
from streams.log.memory import MemoryLog
from streams.queries.redriving import Redrive, Redrove, Wanted
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.core.processing.test_identity_redriving import owned
from tests.queries.signing_in import IDENTITY, NOW, at_rest, guests, signed_in, verified
from tests.queries.test_verify import START

DAYS = 7.0


def call(name: str, day: float, **more: Any) -> bytes:
    """A record of a collector: `more` names a user, a device or both."""
    at = (START + timedelta(days=day)).isoformat()
    return msgspec.json.encode(
        {"type": "track", "event": name, "messageId": f"{name} {day}", "timestamp": at, **more}
    )


async def read_more(
    log: MemoryLog, values: Sequence[bytes], seed: int = 0, where: int | None = None, **overrides: Any
) -> None:
    """What comes when all else is settled. `where`: which partition reads it; None: any."""
    given, partitions, rnd = (
        load_settings(identity=IDENTITY, **overrides),
        log.partitions,
        random.Random(seed),
    )
    agents = [await PartitionAgent.open(log, n, given, default_rules()) for n in range(partitions)]
    places = [rnd.randrange(partitions) if where is None else where for _ in values]
    await log.append([NewRecord(n, None, value, NOW) for n, value in zip(places, values, strict=True)])
    await at_rest(agents)


async def redriven(log: MemoryLog, letter: Any, command: str, **overrides: Any) -> Redrove:
    """A whole command."""
    given, partitions = load_settings(identity=IDENTITY, **overrides), log.partitions
    agents = [await PartitionAgent.open(log, n, given, default_rules()) for n in range(partitions)]
    redrive = Redrive(log, command, Clock())
    await redrive.send(Wanted(letter), lambda sent: None)
    await redrive.wait(lambda: at_rest(agents), 60, lambda ended: None)
    return redrive.done


@pytest.mark.parametrize("partitions", [1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2])
async def test_late_events_of_devices_are_recomputed(seed: int, partitions: int) -> None:
    """Some come days late: as they are, when they are redriven, and when they are so again."""
    values, rnd = guests(seed, 160, DAYS), random.Random(seed)
    late = [values.pop(rnd.randrange(len(values) * 3 // 4)) for _ in range(25)]
    log = await signed_in(values, partitions, seed)
    await read_more(log, late, seed)
    assert (await verified(log)).difference is None
    first = await redriven(log, "late", "one")
    assert first.sent["lateness"]
    assert (await verified(log)).difference is None
    await redriven(log, "late", "two")
    assert (await verified(log)).difference is None


@pytest.mark.parametrize("partitions", [1, 2, 3])
async def test_what_a_device_gave_belongs_to_the_life_that_was_forgotten(partitions: int) -> None:
    """Somebody had steps as a guest, and was forgotten before an event of theirs is redriven."""
    others = [call("Product Viewed", day, userId="somebody") for day in range(1, 21)]
    values = [
        call("Product Added", 0, anonymousId="phone"),
        call("Product Viewed", 0.01, userId="ann", anonymousId="phone"),
        *others,
    ]
    log = await signed_in(values, partitions, abandon_after="4d")
    await read_more(log, [call("Product Viewed", 0.5, userId="ann")], abandon_after="4d")
    assert (await verified(log)).difference is None
    done = await redriven(log, "late", "one", abandon_after="4d")
    assert {"applied": 1} == dict(done.ended)
    assert 1 == done.of_new_people
    assert (await verified(log)).difference is None


@pytest.mark.parametrize(("device", "user"), [(0, 0), (0, 1), (1, 0)])
async def test_an_item_comes_back_to_where_it_was_read(device: int, user: int) -> None:
    """It was read by the partition that owns the user, which sends it to the device's, and is given it: one
    receipt says that it went on, and one how it ended.
    """
    phone, ann = owned("phone", device, 2), owned("ann", user, 2)
    guest = call("Product Added", 1, anonymousId=phone)
    for where in range(2):
        log = MemoryLog(2)
        await read_more(log, [guest], where=where, placeholders=[phone])
        await read_more(log, [call("Product Viewed", 1.01, userId=ann, anonymousId=phone)])
        done = await redriven(log, "rejected", "one")
        assert {"applied": 1} == dict(done.ended)
        assert (await verified(log)).difference is None


@pytest.mark.parametrize("device", range(2))
async def test_a_life_begins_with_what_was_redriven_first(device: int) -> None:
    """Somebody was forgotten. A guest's purchase is redriven, which a device gives to them, perhaps one of
    another partition; then an old one of their own, which is read together with it. Nobody can read what was
    paid.
    """
    phone, ann = owned("phone", device, 2), owned("ann", 0, 2)
    log = MemoryLog(2)
    await read_more(log, [call("Product Viewed", 0, userId=ann)], abandon_after="4d")
    days = [call("Product Viewed", day, userId="somebody") for day in range(1, 21)]
    link = call("Signed In", 18.5, userId=ann, anonymousId=phone)
    paid = {"order_id": "o", "total": "a lot"}
    guest = call("Order Completed", 18.4, anonymousId=phone, properties=paid)
    own = call("Order Completed", 15, userId=ann, properties=paid)
    await read_more(log, [*days, link], abandon_after="4d", placeholders=[])
    await read_more(
        log,
        [guest, own],
        where=0,
        abandon_after="4d",
        placeholders=[phone],
    )
    for letter in ("rejected", "late"):
        done = await redriven(log, letter, letter, abandon_after="4d")
        assert {"applied": 1} == dict(done.ended)
        assert (await verified(log)).difference is None


@pytest.mark.parametrize("partitions", [1, 2])
async def test_a_device_that_was_over_its_cap_before_its_user_came(partitions: int) -> None:
    """Its oldest events were folded and stay where they are: nobody can say whose they were to be."""
    log = MemoryLog(partitions)
    seen = MAX_LIVE_SIGNALS + SEGMENT  # as many are folded as it takes for nobody to be given too many
    await read_more(log, [call("Product Viewed", n / 2_000, anonymousId="phone") for n in range(seen)])
    await read_more(log, [call("Signed In", 0.2, userId="ann", anonymousId="phone")])
    found = await verified(log)
    assert (None, 2) == (found.difference, found.unchecked_profiles)


async def test_events_of_devices_that_could_not_be_read() -> None:
    """They are read once more soon enough to go by the links, and are links."""
    values = guests(3, 120, 1.5)
    for n in range(0, 120, 7):
        record = msgspec.json.decode(values[n])
        values[n] = msgspec.json.encode(record | {"messageId": f"bad{n}", "type": "", "event": "view"})
    log = MemoryLog(2)
    given = load_settings(identity=IDENTITY, placeholders=["phone1"])
    agents = [await PartitionAgent.open(log, n, given, default_rules()) for n in range(2)]
    rnd = random.Random(3)
    await log.append([NewRecord(rnd.randrange(2), None, value, NOW) for value in values])
    await at_rest(agents)
    assert (await verified(log)).difference is None
    found = await redriven(log, "rejected", "one")
    assert found.ended["applied"] > 3
    assert (await verified(log)).difference is None


async def test_a_redriven_event_is_read_with_what_was_redriven_before_it() -> None:
    """First one that a link could move, then an older one, which none can: nothing was held of the device,
    and both are of one life.
    """
    days = {"now": 20.0, "young": 17.6, "old": 17.4}
    values = {
        name: msgspec.json.encode(
            {
                "type": "track",
                "messageId": name,
                "event": "Product Viewed",
                "timestamp": (START + timedelta(days=day)).isoformat(),
                **({"userId": "zoe"} if name == "now" else {"anonymousId": "phone"}),
            }
        )
        for name, day in days.items()
    }
    log = await signed_in([values["now"]])
    given = load_settings(identity=IDENTITY)
    agent = await PartitionAgent.open(log, 0, given, default_rules())
    await log.append([NewRecord(0, None, values[name], NOW) for name in ("young", "old")])
    await at_rest([agent])
    found = await redriven(log, "late", "one")
    assert {"applied": 2} == found.ended
    assert (await verified(log)).difference is None
