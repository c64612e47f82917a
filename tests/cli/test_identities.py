"""What the commands say of devices and of whose they are."""

from pathlib import Path

import pytest

from tests.cli.running import lines, streams, write

# at (day, hour), event, user, device
EVENTS = (
    (20, 10, "Product Viewed", None, "phone"),
    (20, 11, "Product Added", None, "phone"),
    (20, 12, "Signed In", "nina", "phone"),
    (20, 13, "Order Completed", "nina", "phone"),
    (20, 14, "Order Completed", "otto", None),
    (20, 15, "Product Viewed", None, "desk"),
    (20, 16, "Signed In", "nina", "desk"),
    *((20, 17 + n, "Signed In", f"u{n}", "tab") for n in range(6)),
    (20, 23, "Product Viewed", None, "tab"),
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with EVENTS in it, and identity on."""
    monkeypatch.setenv("STREAMS_IDENTITY__ON", "true")
    calls = [
        {
            **{"type": "track", "messageId": f"e{n}", "event": name, "properties": {}},
            **({} if user is None else {"userId": user}),
            **({} if device is None else {"anonymousId": device}),
            "timestamp": f"2024-05-{day}T{hour:02d}:00:00Z",
        }
        for n, (day, hour, name, user, device) in enumerate(EVENTS)
    ]
    path = write(tmp_path / "in.jsonl", calls)
    assert 0 == streams("replay", path, "--data-dir", tmp_path / "data").exit_code
    return tmp_path / "data"


def shown(*arguments: object) -> str:
    """What a command prints for people, with one space for all that lies between two words."""
    found = streams(*arguments)
    assert 0 == found.exit_code, found.output
    assert max(map(len, found.stdout.splitlines())) <= 100
    return " ".join(found.stdout.split())


def test_a_device_says_whose_it_is_and_shows_their_journey(data: Path) -> None:
    """With the guest's steps, each with the device that gave its event."""
    found = shown("journey", "d:phone", "--data-dir", data)
    assert "d:phone belongs to u:nina since 2024-05-20 12:00:00, by event e2" in found
    assert "d:phone: no journey of its own" in found
    assert "u:nina: 2 journeys" in found
    assert found.count(" on phone") == 2
    own, ninas = lines("journey", "phone", "--data-dir", data, "--json")
    assert ("d:phone", [], "u:nina") == (own["profile"], own["journeys"], own["identity"]["person"])
    assert "u:nina" == ninas["profile"]
    steps = ninas["journeys"][0]["transitions"]
    assert {"opened": "phone", "advanced": "phone"} == {
        step["kind"]: step["device"] for step in steps if "device" in step
    }
    assert ["converted"] == [step["kind"] for step in steps if "stitched" in step]


def test_a_shared_device_is_its_own(data: Path) -> None:
    """It says so, and shows what was done on it."""
    found = shown("journey", "d:tab", "--data-dir", data)
    assert "d:tab is shared by 6 users: what is done there without one is its own" in found
    assert "d:tab: 1 journey" in found


def test_devices_are_counted_and_the_busiest_named(data: Path) -> None:
    """For people and as one object."""
    assert "2 devices belong to 1 people, 1 shared" in shown("identities", "--data-dir", data)
    found = shown("identities", "--busiest", "--data-dir", data)
    assert "d:tab 6 shared" in found
    assert "u:nina 2" in found
    (whole,) = lines("identities", "--busiest", "--data-dir", data, "--json")
    assert (2, 1, 1) == (whole["linked"], whole["people"], whole["shared"])
    assert [("tab", 6)] == [(one["device"], one["users"]) for one in whole["most_users"]]
    assert [{"tenant": None, "person": "u:nina", "devices": 2}] == whole["most_devices"]


def test_one_device_and_all_of_a_user(data: Path) -> None:
    """By the name of either; without one, `--json` prints all. Nobody of the name is exit code 1."""
    assert "d:desk belongs to u:nina" in shown("identities", "d:desk", "--data-dir", data)
    found = shown("identities", "nina", "--data-dir", data)
    assert found.index("d:desk") < found.index("d:phone")
    assert ["desk", "phone", "tab"] == [
        one["device"] for one in lines("identities", "--data-dir", data, "--json")
    ]
    assert 1 == streams("identities", "d:other", "--data-dir", data).exit_code
    assert 2 == streams("identities", "d:desk", "--busiest", "--data-dir", data).exit_code


def test_the_funnel_shows_the_stitch_rate(data: Path) -> None:
    """One purchase of two has a guest's steps, and one comes from nowhere."""
    found = shown("funnel", "--data-dir", data)
    assert "of the purchases 50.0% (1) have a guest's steps before them, 50.0% (1) come from nowhere" in found
    (whole,) = lines("funnel", "--data-dir", data, "--json")
    assert (1, 1) == (whole["stitched"], whole["from_nowhere"])
