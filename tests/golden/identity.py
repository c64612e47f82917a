"""The stories of identity.toml: one person over several devices, worked out by hand."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests import golden, identity_oracle, oracle
from tests.identity_oracle import Event, Settings

NO_IDS = ("guest", "undefined")  # words that stand for no user, as the stories use them
EVENT_COLUMNS = golden.EVENT_COLUMNS | {"user", "device", "tenant", "link"}
MORE_COLUMNS = {"profile", "device"}

Profile = tuple[str, str]
"""A tenant, and `u:` and a user or `d:` and a device."""


class Told(NamedTuple):
    """What must stand of one profile; each by need, then in time order."""

    steps: list[oracle.Step]
    journeys: list[oracle.Journey]
    unmatched: list[oracle.Unmatched]
    cues: list[oracle.Cue]


class IdentityStory(NamedTuple):
    """What happened (`events`, in the order they arrived) and what must stand of each profile when the timer
    position is `timer` (ms). A profile that is not told of has no journey.
    """

    title: str
    settings: Settings
    events: list[Event]
    timer: int
    profiles: dict[Profile, Told]


def identity_stories() -> list[IdentityStory]:
    """All stories, in the order of the file."""
    text = Path(__file__).with_name("identity.toml").read_text("utf-8")
    return [_story(raw) for raw in tomllib.loads(text)["story"]]


def _story(raw: dict[str, str]) -> IdentityStory:
    assert set(raw) <= golden.STORY_KEYS | {"settings"}, set(raw) - golden.STORY_KEYS
    steps = golden.rows_of(raw.get("steps", ""), golden.STEP_COLUMNS | MORE_COLUMNS)
    journeys = golden.rows_of(raw.get("journeys", ""), golden.JOURNEY_COLUMNS | MORE_COLUMNS)
    unmatched = golden.rows_of(raw.get("unmatched", ""), golden.UNMATCHED_COLUMNS | MORE_COLUMNS)
    cues = golden.rows_of(raw.get("cues", ""), golden.CUE_COLUMNS | MORE_COLUMNS)
    names = {row["profile"] for row in (*steps, *journeys, *unmatched, *cues)}
    return IdentityStory(
        title=raw["title"],
        settings=_settings(raw.get("settings", "")),
        events=[_event(row) for row in golden.rows_of(raw["events"], EVENT_COLUMNS)],
        timer=golden.time_of(raw["timer"]) if "timer" in raw else oracle.NO_TIMER,
        profiles={
            _profile(name): _told(*(_of(name, rows) for rows in (steps, journeys, unmatched, cues)))
            for name in names
        },
    )


Rows = list[dict[str, str]]


def _of(profile: str, rows: Rows) -> Rows:
    return [row for row in rows if row["profile"] == profile]


def _profile(name: str) -> Profile:
    tenant, _, profile = name.rpartition("/")
    return tenant, profile


def _settings(text: str) -> Settings:
    settings = Settings()
    for part in filter(None, text.split(", ")):
        if part == "off":
            settings = settings._replace(on=False)
        elif found := re.fullmatch(r"(forward|back) (\d+)d", part):
            span = int(found[2]) * oracle.DAY
            forward = found[1] == "forward"
            settings = settings._replace(forward=span) if forward else settings._replace(back=span)
        else:
            found = re.fullmatch(r"shared above (\d+)", part)
            assert found, part
            settings = settings._replace(shared_above=int(found[1]))
    return settings


def _event(row: dict[str, str]) -> Event:
    user = row.get("user")
    assert row.get("link") in (None, "none"), row
    return Event(
        at=golden.time_of(row["at"]),
        id=row["event"],
        user=None if user in NO_IDS else user,
        device=row.get("device"),
        signal=golden.signal_of(row) if "mark" in row else None,
        tenant=row.get("tenant", ""),
        links="link" not in row,
    )


def _told(steps: Rows, journeys: Rows, unmatched: Rows, cues: Rows) -> Told:
    by_name = {(golden.need_of(row), row["journey"]): _journey(row) for row in journeys}
    told = [golden.step_of(_named(row), by_name) for row in steps]
    return Told(
        steps=list(golden.with_first_entries(told)),
        journeys=[
            j._replace(been_in=golden.moments_entered(told, j.need, j.journey)) for j in by_name.values()
        ],
        unmatched=[
            oracle.Unmatched(golden.need_of(row), golden.time_of(row["at"]), _named(row)["event"], 0)
            for row in unmatched
        ],
        cues=[golden.cue_of(_named(row), by_name) for row in cues],
    )


def _journey(row: dict[str, str]) -> oracle.Journey:
    opening = _named({**row, "event": row["journey"]})
    return golden.journey_of({**row, "journey": opening["event"]})


def _named(row: dict[str, str]) -> dict[str, str]:
    """The row with its event by the name that tells it apart in its profile."""
    if "device" not in row:
        return row
    return {**row, "event": identity_oracle.given_name(row["device"], row["event"])}


def needs_and_times(told: Iterable[oracle.Step]) -> list[oracle.Step]:
    """Steps by need, then in time order, and those of one time as they stand."""
    return sorted(told, key=lambda s: (s.need, s.at))
