"""Identity in a data directory: what the settings `[identity]` do."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import Transition
from streams.errors import Incompatible
from streams.runtime.embedded import Embedded
from streams.settings.tables import Settings
from tests.core.processing.feeding import DAY, HOUR, START, rules

PARTITIONS = 3
# By the hash of their keys the device and the user live in different partitions.
DEVICE, USER = "phone", "ann"


def record(at: int, id: str, name: str, *, user: str | None = None, **properties: Any) -> bytes:
    """A record of the device; `at` in milliseconds after START. `user`: who is signed in."""
    stamp = datetime.fromtimestamp((START + at) / 1000, UTC).isoformat()
    fields = {"type": "track", "messageId": id, "anonymousId": DEVICE, "event": name, "timestamp": stamp}
    return json.dumps(fields | ({"userId": user} if user else {}) | {"properties": properties}).encode()


async def transitions(directory: Path, *records: bytes, **identity: object) -> list[tuple[str, str, str]]:
    """(profile, kind, device) of the net transitions of these records, in order of time."""
    given = {"data_dir": directory, "partitions": PARTITIONS, "identity": identity}
    embedded = await Embedded.open(Settings.model_validate(given), rules())
    await embedded.append([(value, ()) for value in records])
    await embedded.finish()
    net: dict[str, Transition] = {}
    async for _, found in embedded.log.scan("transitions"):
        step = msgspec.json.decode(found.value or b"", type=Transition)
        if step.op == "assert":
            net[step.id] = step
        else:
            net.pop(step.id, None)
    await embedded.close()
    return [
        (s.profile, str(s.kind), s.device or "") for s in sorted(net.values(), key=lambda s: (s.at, s.kind))
    ]


GUEST = [record(0, "look", "Looked"), record(HOUR, "order", "Bought", user=USER)]


async def test_a_guest_who_signs_in_is_one_person(tmp_path: Path) -> None:
    """With identity on, the guest's step is the user's, and it names the device."""
    found = await transitions(tmp_path / "data", *GUEST, on=True)
    assert [("u:ann", "opened", "phone"), ("u:ann", "converted", "")] == found


async def test_without_identity_a_guest_is_somebody_else(tmp_path: Path) -> None:
    """With identity off, the device and the user are two people."""
    found = await transitions(tmp_path / "data", *GUEST, on=False)
    assert {"d:phone", "u:ann"} == {profile for profile, _, _ in found}


@pytest.mark.parametrize(
    "identity",
    [
        {"back": "59m", "forward": "0s"},
        {"collective": [USER]},
        {"ignore": "properties.agent"},
    ],
    ids=["back", "collective", "ignore"],
)
async def test_what_makes_no_link_gives_nothing(tmp_path: Path, identity: dict[str, object]) -> None:
    """How far a link reaches, users who are many, and an event that acts for somebody else, are settings."""
    order = record(HOUR, "order", "Bought", user=USER, agent="yes")
    found = await transitions(tmp_path / "data", GUEST[0], order, on=True, **identity)
    assert {"d:phone", "u:ann"} == {profile for profile, _, _ in found}


async def test_shared_above_is_a_number_of_users(tmp_path: Path) -> None:
    """A device with more users than that keeps what is done there without one."""
    records = [
        record(0, "a", "Nothing", user="ann"),
        record(HOUR, "b", "Nothing", user="bob"),
        record(2 * HOUR, "look", "Looked"),
    ]
    for above, owner in ((1, "d:phone"), (2, "u:bob")):
        found = await transitions(tmp_path / str(above), *records, on=True, shared_above=above)
        assert [owner] == [profile for profile, kind, _ in found if kind == "opened"]


@pytest.mark.parametrize(
    ("identity", "line"),
    [
        ({"on": False}, "identity.on: stored true, given false"),
        ({"on": True, "back": "1d"}, "identity.back: stored 7d, given 24h"),
        ({"on": True, "collective": ["till-1"]}, "identity.collective: stored none, given till-1"),
    ],
    ids=["off", "back", "collective"],
)
async def test_a_directory_stays_under_the_settings_it_began_with(
    tmp_path: Path, identity: dict[str, object], line: str
) -> None:
    """A start with other settings of identity is refused, with what differs and what to do."""
    await transitions(tmp_path / "data", *GUEST, on=True)
    with pytest.raises(Incompatible) as caught:
        await transitions(tmp_path / "data", record(DAY, "c", "Looked"), **identity)
    assert line in str(caught.value).splitlines()
    assert "put the settings back, or start a new app id or data directory, and replay" in str(caught.value)
