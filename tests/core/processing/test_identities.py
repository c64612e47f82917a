"""Whose a device is, as consumers see it: topic `identities`, `current_devices`, and the device of a cue."""

from typing import Any

import msgspec
import pytest

from schemas import Cue, Current, Identity
from streams.core.identity import devices as devices_module
from streams.core.identity.device import ShownAs
from streams.core.moments.rules import load_rules
from tests.core.processing.feeding import DAY, HOUR, MINUTE, RULES, Feed
from tests.core.processing.test_connecting import ON, raw

WITH_CUE = """
[[cue]]
name = "denied"
cue = "coupon_denied"
names = ["Looked"]
"""


def feed() -> Feed:
    return Feed(plan=ON)


def identity(feed: Feed, device: bytes = b"phone") -> Identity:
    return msgspec.json.decode(feed.latest("identities")[device], type=Identity)


def current(feed: Feed, device: bytes = b"phone") -> Current:
    return msgspec.json.decode(feed.latest("current_devices")[device], type=Current)


def shown(feed: Feed) -> dict[str, int]:
    """How many devices there are of each sort, counted as they come and as the state has them."""
    connectors = [feed.processor.connector, feed.open().connector]
    assert None not in connectors
    counts = [c.devices.ownership.counts for c in connectors if c is not None]
    assert counts[0] == counts[1]
    return {of.name.lower(): n for of, n in counts[0].items() if n}


def test_a_record_says_who_since_when_and_why() -> None:
    """The first sign-in after somebody else's; a restart and more sign-ins say nothing new."""
    of = feed()
    of.take(raw(0, "search", device="phone"))
    of.take(raw(HOUR, "login", "Signed In", user="ann", device="phone"))
    of.reopen()
    for n in range(5):
        of.take(raw(2 * HOUR + n * HOUR, f"more{n}", user="ann", device="phone"))
    (record,) = of.of("identities")
    assert record.key == b"phone"
    assert (
        Identity(None, "phone", "u:ann", "2024-01-01T01:00:00.000Z", "login", False, 1, identity(of).rev)
        == identity(of)
    )  # fmt: skip
    of.take(raw(20 * HOUR, "other", user="ben", device="phone"))
    assert ("u:ben", "other", 2) == (identity(of).person, identity(of).event, identity(of).users)
    assert len(of.of("identities")) == 2
    assert {"linked": 1} == shown(of)


def test_a_device_that_is_a_users_alone_has_none() -> None:
    """Libraries on servers make a device for each event: nobody has anything of those."""
    of = feed()
    for n in range(5):
        of.take(raw(n * MINUTE, f"e{n}", user="ann", device=f"random{n}"))
    assert not of.of("identities")
    assert {"nothing": 5} == shown(of)
    of.take(raw(HOUR, "guest", device="random3"))
    assert "u:ann" == identity(of, b"random3").person
    assert {"nothing": 4, "linked": 1} == shown(of)


def test_an_event_that_no_link_reaches_does_not_count() -> None:
    """A guest of two weeks before says nothing of a device; one of a week before does."""
    of = feed()
    of.take(raw(0, "early", device="phone"))
    of.take(raw(14 * DAY, "login", "Signed In", user="ann", device="phone"))
    assert not of.of("identities")
    of.take(raw(13 * DAY, "guest", device="phone"))
    assert "u:ann" == identity(of).person


def test_current_names_the_person() -> None:
    """The device's record names the user from the sign-in on, though all that it did is theirs."""
    of = feed()
    of.take(raw(0, "search", device="phone"))
    assert current(of).person is msgspec.UNSET
    of.take(raw(HOUR, "login", "Signed In", user="ann", device="phone"))
    assert ((), "u:ann") == (current(of).needs, current(of).person)
    of.take(raw(2 * HOUR, "login2", "Signed In", user="ben", device="phone"))
    assert ((), "u:ben") == (current(of).needs, current(of).person)
    assert [b"ann"] == list(of.latest("current"))


def test_current_shows_what_is_the_devices_own() -> None:
    """What was done too long before the sign-in stays, beside the name."""
    of = feed()
    of.take(raw(0, "early", device="phone"), raw(8 * DAY, "late", device="phone"))
    of.take(raw(9 * DAY, "login", "Signed In", user="ann", device="phone"))
    assert "u:ann" == current(of).person
    (need,) = current(of).needs
    assert "early" == need.journey


def test_a_shared_device_is_nobodys() -> None:
    """Six people within five weeks: no person, no date, and nobody in its `current` record."""
    of = feed()
    of.take(raw(0, "guest", device="tab"))
    for n in range(6):
        of.take(raw((n + 1) * DAY, f"s{n}", user=f"u{n}", device="tab"))
    found = identity(of, b"tab")
    assert (None, None, None, True, 6) == (found.person, found.since, found.event, found.shared, found.users)
    assert {"shared": 1} == shown(of)
    assert b"tab" not in of.latest("current_devices")


@pytest.mark.parametrize(
    ("before", "known", "forgotten"), [((), 38, 40), (("ben",), 75, 77)], ids=["one-user", "several-users"]
)
def test_a_forgotten_device_has_a_tombstone(before: tuple[str, ...], known: int, forgotten: int) -> None:
    """39 days after the last sign-in, or 76 where several users had it, in both topics; and it counts as new
    after that.
    """
    of = feed()
    of.take(*[raw(0, f"of-{user}", "Signed In", user=user, device="phone") for user in before])
    of.take(raw(0, "guest", device="phone"), raw(HOUR, "login", "Signed In", user="ann", device="phone"))
    of.finish(known * DAY)
    assert "u:ann" == identity(of).person
    assert "u:ann" == current(of).person
    of.finish(forgotten * DAY)
    assert (None, None) == (of.of("identities")[-1].value, of.of("current_devices")[-1].value)
    assert {} == shown(of)
    of.take(raw((forgotten + 1) * DAY, "again", "Signed In", user="ann", device="phone"))
    assert not of.latest("identities")
    of.take(raw((forgotten + 1) * DAY + HOUR, "back", device="phone"))
    assert "again" == identity(of).event


def test_a_run_outlives_its_first_link() -> None:
    """Whoever is signed in for half a year is the owner since the first day, though that link is dropped, and
    a restart knows it.
    """
    of = feed()
    of.take(raw(0, "guest", device="phone"), raw(HOUR, "first", "Signed In", user="ann", device="phone"))
    for day in range(10, 180, 10):
        of.take(raw(day * DAY, f"s{day}", "Signed In", user="ann", device="phone"))
        of.reopen()
    assert len(of.of("identities")) == 1
    of.take(raw(220 * DAY, "s220", "Signed In", user="ann", device="phone"))
    assert "s220" == identity(of).event, "after a pause in which the device was nobody's"


def test_a_device_with_too_many_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shared for good, and says how many people it had by then."""
    monkeypatch.setattr(devices_module, "MAX_LINKS", 20)
    of = feed()
    of.take(raw(0, "guest", device="kiosk"))
    for n in range(30):
        of.take(raw(n * HOUR, f"s{n}", user=f"u{n}", device="kiosk"))
    found = identity(of, b"kiosk")
    assert (None, True, 21) == (found.person, found.shared, found.users)
    assert {"shared": 1} == shown(of)


def test_tenants() -> None:
    """The key has the tenant, and the person's name has not."""
    of = feed()
    who: dict[str, Any] = {"device": "phone", "shop": "acme"}
    of.take(raw(0, "guest", **who), raw(HOUR, "login", "Signed In", user="ann", **who))
    found = identity(of, b"acme\x1fphone")
    assert ("acme", "phone", "u:ann") == (found.tenant, found.device, found.person)
    assert "u:ann" == current(of, b"acme\x1fphone").person


def test_a_cue_names_its_device_and_what_moved_it() -> None:
    """The guest's cue is retracted and asserted as the user's, with the device and the event as sent."""
    of = Feed(load_rules(RULES.format(name="cues", looked="buy") + WITH_CUE), ON)
    of.take(raw(0, "coupon", device="phone"))
    of.take(raw(HOUR, "login", "Signed In", user="ann", device="phone"))
    said = [msgspec.json.decode(o.value or b"", type=Cue) for o in of.of("cues")]
    assert [
        ("d:phone", "assert", msgspec.UNSET, msgspec.UNSET),
        ("d:phone", "retract", msgspec.UNSET, "u:ann"),
        ("u:ann", "assert", "phone", "d:phone"),
    ] == [(c.profile, c.op, c.device, c.moved_from) for c in said]
    assert {"coupon"} == {c.event for c in said}


def test_off_there_is_none() -> None:
    """Without identity no device has a record, and `current_devices` names nobody."""
    of = Feed()
    of.take(raw(0, "search", device="phone"))
    of.take(raw(HOUR, "login", "Signed In", user="ann", device="phone"))
    assert not of.of("identities")
    assert current(of).person is msgspec.UNSET


def test_numbers_are_stored() -> None:
    """The numbers of what is said of a device are in the state: they stay as they are."""
    assert {"NOTHING": 0, "LINKED": 1, "SHARED": 2} == {of.name: of.value for of in ShownAs}
