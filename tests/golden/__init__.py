"""Journeys worked out by hand from docs/journeys.md.

Code and oracle may share a misunderstanding; these stories were reasoned, not run.

A story is a few events and what must be said about them. journeys.toml holds them as tables whose columns are
two or more spaces apart; `-` is nothing. A column that a table leaves out has its default. Whatever computes
journeys can be run against `stories()`.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests import oracle

MOMENTS = {"know": 0, "go": 1, "do": 2, "buy": 3, "truth": 4}
INTENTS = {**MOMENTS, "refund": 5}
CURRENCIES = ("EUR", "USD")  # by number: the fold knows nothing else of them
UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
DAY_1_MS = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)  # a Monday: days 6 and 7 are a weekend

EVENT_COLUMNS = {"at", "event", "mark", "need", "order", "update", "dims", "offset", "rule", "cue"}
EVENT_COLUMNS |= {"value", "pieces", "shares", "by"}
STEP_COLUMNS = {
    "at",
    "kind",
    "event",
    "from",
    "to",
    "skipped",
    "dwell",
    "furthest",
    "journey",
    "need",
    "dims",
    "opened dims",
    "offset",
    "rule",
    "value",
    "pieces",
}
JOURNEY_COLUMNS = {"journey", "opened", "closed", "outcome", "furthest", "need", "dims"}
UNMATCHED_COLUMNS = {"at", "event", "need", "dims", "update"}
CUE_COLUMNS = {"at", "event", "cue", "journey", "moment", "need", "dims"}
UPDATES = {"untimed": oracle.UNTIMED, "old": oracle.OLD_ORDER}
ENTERING = ("opened", "advanced", "returned", "converted")
STORY_KEYS = {"title", "tells", "events", "timer", "steps", "journeys", "unmatched", "cues"}


class Story(NamedTuple):
    """What happened to one profile (`signals`, in the order they arrived) and what must stand
    when the timer position is `timer` (ms).
    """

    title: str
    tells: str
    signals: list[oracle.Signal]
    timer: int
    steps: list[oracle.Step]  # by need, then in time order
    journeys: list[oracle.Journey]  # by need, then in time order
    unmatched: list[oracle.Unmatched]
    cues: list[oracle.Cue]  # matched and unmatched


def stories() -> list[Story]:
    """All stories, in the order of the file."""
    text = Path(__file__).with_name("journeys.toml").read_text("utf-8")
    return [story_of(raw) for raw in tomllib.loads(text)["story"]]


def story_of(raw: dict[str, str]) -> Story:
    """A story of the file."""
    assert set(raw) <= STORY_KEYS, set(raw) - STORY_KEYS
    journeys = [journey_of(row) for row in rows_of(raw.get("journeys", ""), JOURNEY_COLUMNS)]
    opened = {(j.need, j.journey): j for j in journeys}
    steps = [step_of(row, opened) for row in rows_of(raw.get("steps", ""), STEP_COLUMNS)]
    return Story(
        title=raw["title"],
        tells=raw["tells"].strip(),
        signals=[signal_of(row) for row in rows_of(raw["events"], EVENT_COLUMNS)],
        timer=time_of(raw["timer"]) if "timer" in raw else oracle.NO_TIMER,
        steps=list(with_first_entries(steps)),
        journeys=[j._replace(been_in=moments_entered(steps, j.need, j.journey)) for j in journeys],
        unmatched=[
            oracle.Unmatched(
                need_of(row), time_of(row["at"]), row["event"], number_of(row, "dims"), "update" in row
            )
            for row in rows_of(raw.get("unmatched", ""), UNMATCHED_COLUMNS)
        ],
        cues=[cue_of(row, opened) for row in rows_of(raw.get("cues", ""), CUE_COLUMNS)],
    )


def rows_of(table: str, columns: set[str]) -> list[dict[str, str]]:
    """The rows of a table by column. Cells that hold `-` are left out."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in table.strip().splitlines()]
    if not lines:
        return []
    names, *rows = lines
    assert set(names) <= columns, set(names) - columns
    assert all(len(row) <= len(names) for row in rows), rows
    return [{name: cell for name, cell in zip(names, row, strict=False) if cell != "-"} for row in rows]


def signal_of(row: dict[str, str]) -> oracle.Signal:
    """The signal of a row of events."""
    *unsure, mark = row["mark"].split()
    assert unsure in ([], ["unsure"]), unsure
    stated = oracle.Signal(
        at=time_of(row["at"]),
        event=row["event"],
        mark=INTENTS[mark],
        sure=not unsure,
        dims=number_of(row, "dims"),
        offset=number_of(row, "offset"),
        rule=number_of(row, "rule"),
        needs=tuple(row["need"].split(", ")) if "need" in row else ("",),
        order=row.get("order"),
        update=UPDATES[row["update"]] if "update" in row else 0,
        cue=number_of(row, "cue"),
        money=_money(row),
    )
    return oracle.as_taken(stated)


def _money(row: dict[str, str]) -> oracle.Money | None:
    """`value`: 90 EUR. `pieces`: how many. `shares`: of each need, `tea 60 2, coffee - 1`. `by`: server."""
    if not {"value", "pieces", "shares", "by"} & row.keys():
        return None
    value, currency = _value(row)
    shares = [part.split() for part in row.get("shares", "").split(", ") if part]
    return oracle.Money(
        value,
        currency,
        number_of(row, "pieces"),
        row.get("by") == "server",
        tuple((need, None if part == "-" else int(part), int(pieces)) for need, part, pieces in shares),
    )


def _value(row: dict[str, str]) -> tuple[int | None, int]:
    """An amount in minor units, and the number of its currency."""
    if "value" not in row:
        return None, -1
    amount, currency = row["value"].split()
    return int(amount), CURRENCIES.index(currency)


def step_of(row: dict[str, str], journeys: dict[tuple[str, str], oracle.Journey]) -> oracle.Step:
    """The step of a row. `journeys`: by need and by what the story calls them."""
    before, _, after = row["furthest"].partition(" > ")
    journey = journeys[need_of(row), row["journey"]]
    kind, _, stitched = row["kind"].partition(", ")
    silence = kind in ("stalled", "abandoned")
    return oracle.Step(
        kind=kind,
        need=journey.need,
        at=time_of(row["at"]),
        event=row["event"],
        journey=journey.journey,
        from_=_moment(row.get("from")),
        to=_moment(row.get("to")),
        skipped=tuple(MOMENTS[moment] for moment in row["skipped"].split(", ")) if "skipped" in row else (),
        dwell_ms=_length(row["dwell"]) if "dwell" in row else None,
        opened_at=journey.opened_at,
        furthest_before=None if before == "-" else MOMENTS[before],
        furthest=MOMENTS[after],
        first_entry=False,  # until all steps are known
        dims=number_of(row, "dims"),
        opened_dims=number_of(row, "opened dims"),
        offset=number_of(row, "offset"),
        rule=None if silence else number_of(row, "rule"),
        value=_value(row)[0],
        currency=_value(row)[1],
        pieces=number_of(row, "pieces"),
        stitched=stitched == "stitched",
    )


def cue_of(row: dict[str, str], journeys: dict[tuple[str, str], oracle.Journey]) -> oracle.Cue:
    """The cue of a row. `journeys`: as for a step."""
    found = journeys[need_of(row), row["journey"]] if "journey" in row else None
    return oracle.Cue(
        need=need_of(row),
        at=time_of(row["at"]),
        event=row["event"],
        cue=number_of(row, "cue"),
        journey=found.journey if found else None,
        moment=_moment(row.get("moment")),
        opened_at=found.opened_at if found else None,
        dims=number_of(row, "dims"),
    )


def with_first_entries(steps: Sequence[oracle.Step]) -> Iterator[oracle.Step]:
    """The steps, each told whether an earlier one of its journey entered the same moment."""
    for n, s in enumerate(steps):
        is_entry = s.kind in ENTERING
        yield s._replace(first_entry=is_entry and s.to not in moments_entered(steps[:n], s.need, s.journey))


def moments_entered(steps: Sequence[oracle.Step], need: str, journey: str) -> frozenset[int]:
    """The moments that these steps of a journey enter."""
    return frozenset(
        s.to
        for s in steps
        if (s.need, s.journey) == (need, journey) and s.kind in ENTERING and s.to is not None
    )


def journey_of(row: dict[str, str]) -> oracle.Journey:
    """The journey of a row, before its steps are known."""
    outcome, _, more = row["outcome"].partition(", ")
    assert more in ("", "stalled", "refunded"), more
    closed_at = time_of(row["closed"]) if "closed" in row else None
    furthest = MOMENTS[row["furthest"]]
    opened_dims = number_of(row, "dims")
    return oracle.Journey(
        need_of(row),
        row["journey"],
        time_of(row["opened"]),
        closed_at,
        outcome,
        more == "stalled",
        more == "refunded",
        furthest,
        frozenset(),  # until the steps are known
        opened_dims,
    )


def time_of(text: str) -> int:
    """`day 2 09:30` or `day 2 09:30:05`, in milliseconds since 1970."""
    found = re.fullmatch(r"day (\d+) (\d\d):(\d\d)(?::(\d\d))?", text)
    assert found, text
    day, hour, minute, second = (int(part or 0) for part in found.groups())
    return (
        DAY_1_MS
        + (day - 1) * UNITS_MS["d"]
        + hour * UNITS_MS["h"]
        + minute * UNITS_MS["m"]
        + second * UNITS_MS["s"]
    )


def _length(text: str) -> int:
    """`1d 2h 30m`, in milliseconds."""
    return sum(int(part[:-1]) * UNITS_MS[part[-1]] for part in text.split())


def _moment(name: str | None) -> int | None:
    return None if name is None else MOMENTS[name]


def need_of(row: dict[str, str]) -> str:
    """The need of a row; without the column the nameless one."""
    return row.get("need", "")


def number_of(row: dict[str, str], column: str) -> int:
    """The whole number in a column; 0 without it."""
    return int(row.get(column, 0))
