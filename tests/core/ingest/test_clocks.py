"""When an event happened: its own time, corrected and bounded by what was said about it on the way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.clocks import MAX_LATER_MS, when
from streams.core.ingest.draft import Draft, Found, Stamp, Unit
from streams.core.ingest.event import Reason, Rejection
from streams.core.ingest.repairs import Repair

NOW = 1_716_199_200_000  # 2024-05-20T10:00:00Z
SKEW = 60_000
NONE = Found("", None)


def stamp(path: str, ms: int, *, corrected: bool = False) -> Stamp:
    return Stamp(path, ms, Unit.MILLISECONDS, corrected)


def draft(
    own: int | None, sent: int | None = None, received: int | None = None, *, corrected: bool = False
) -> Draft:
    """An event with these times, in ms from NOW."""
    return Draft(
        type="track",
        names=(),
        ids=(),
        users=(),
        devices=(),
        happened=() if own is None else (stamp("own", NOW + own, corrected=corrected),),
        properties=NONE,
        context=NONE,
        sent=None if sent is None else stamp("sent", NOW + sent),
        received=None if received is None else stamp("received", NOW + received),
    )


def dated(of: Draft) -> tuple[int, set[Repair]]:
    """When it happened, in ms from NOW, and what was repaired."""
    repairs: set[Repair] = set()
    found = when(of, None, -1, SKEW, repairs)
    assert not isinstance(found, Rejection), found
    return found.at_ms - NOW, repairs


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("own", "sent", "received", "at", "repairs"),
    [
        (0, None, None, 0, set()),
        (0, 5, 5, 0, set()),
        # a clock that is ahead is corrected whole
        (0, 10, 10 - HOUR, -HOUR, set()),
        (0, 10, 10 - 500 * HOUR, -500 * HOUR, set()),
        # one that is behind, up to 10 minutes and never beyond the receiving
        (0, 10, 10 + MAX_LATER_MS - 1, MAX_LATER_MS - 1, set()),
        (0, 10, 10 + MAX_LATER_MS, MAX_LATER_MS, set()),
        (0, 10, 10 + MAX_LATER_MS + 1, 0, set()),
        (10, 0, 1000, 1000, {Repair.CLOCK}),
        # later than its own witnesses
        (SKEW, 0, None, SKEW, set()),
        (SKEW + 1, 0, None, 0, {Repair.CLOCK}),
        (SKEW, None, 0, SKEW, set()),
        (SKEW + 1, None, 0, 0, {Repair.CLOCK}),
        # no time of its own
        (None, 0, None, 0, set()),
        (None, 0, 5, 5, set()),
        (None, 0, HOUR, 0, set()),
        (None, None, 7, 7, set()),
    ],
)
def test_what_a_clock_says(
    own: int | None, sent: int | None, received: int | None, at: int, repairs: set[Repair]
) -> None:
    """The cases of docs/journeys.md (Time), each at its edge."""
    assert (at, repairs) == dated(draft(own, sent, received))


@pytest.mark.parametrize(
    ("own", "sent", "received", "at", "repairs"),
    [
        (0, 10 - HOUR, 0, 0, set()),  # the tool has corrected a clock that was behind
        (0, 10 + HOUR, 10, 0, set()),
        (SKEW, -HOUR, 0, SKEW, set()),
        (SKEW + 1, -HOUR, 0, 0, {Repair.CLOCK}),
        (SKEW + 1, 0, None, 0, {Repair.CLOCK}),
    ],
)
def test_a_time_that_is_corrected_already(
    own: int, sent: int, received: int | None, at: int, repairs: set[Repair]
) -> None:
    """It is not corrected again, and only bounded."""
    assert (at, repairs) == dated(draft(own, sent, received, corrected=True))


def test_months_without_a_network() -> None:
    """The correction is a difference of instants: no calendar takes part in it."""
    months = 57 * 24 * HOUR
    assert (466, set()) == dated(draft(0, months, months + 466))


def test_the_arrival_stands_in_only_where_it_may() -> None:
    """A record's own time is that of its event for tools that send at once, where it is known."""
    live = draft(None)
    live.arrives_when_it_happens = True
    found = when(live, None, NOW, SKEW, set())
    assert not isinstance(found, Rejection)
    assert found.at_ms == NOW
    for of, arrived_ms in ((live, -1), (draft(None), NOW)):
        refused = when(of, None, arrived_ms, SKEW, set())
        assert isinstance(refused, Rejection)
        assert refused.reason is Reason.MISSING_TIME


offsets = st.none() | st.integers(-(10**10), 10**10)


@given(offsets, offsets, offsets, st.booleans())
def test_bounds(own: int | None, sent: int | None, received: int | None, corrected: bool) -> None:
    """No event is later than its receiving by more than the skew, or later by correction than 10 minutes."""
    of = draft(own, sent, received, corrected=corrected)
    found = when(of, None, -1, SKEW, set())
    if own is None and sent is None and received is None:
        assert isinstance(found, Rejection)
        return
    assert not isinstance(found, Rejection)
    at = found.at_ms - NOW
    if received is not None:
        assert at <= received + SKEW
    if own is not None:
        assert at <= own + MAX_LATER_MS


@pytest.mark.parametrize(
    ("value", "unit", "reason"),
    [
        ("yesterday", Unit.TEXT, Reason.BAD_TIME),
        (-1, Unit.SECONDS, Reason.BAD_TIME),
        (True, Unit.SECONDS, Reason.WRONG_TYPE),
        ({}, Unit.TEXT, Reason.WRONG_TYPE),
    ],
)
def test_a_time_that_cannot_be_read(value: Any, unit: Unit, reason: Reason) -> None:
    """The rejection names the field and what was found in it."""
    of = draft(None)
    of.happened = (Stamp("properties.time", value, unit),)
    found = when(of, None, -1, SKEW, set())
    assert isinstance(found, Rejection)
    assert (reason, True) == (found.reason, found.detail.startswith("properties.time is "))
