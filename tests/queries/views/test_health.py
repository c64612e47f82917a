"""What `progress` records say of the state of an app with several partitions."""

import json
from pathlib import Path

import pytest

import schemas
from streams.queries.instants import ms_of
from streams.queries.views.health import STOPPED_AFTER_MS, Health, HealthView

EXAMPLE = json.loads((Path(schemas.__file__).parent / "examples" / "progress.json").read_text())[0]
NOW_MS = ms_of(EXAMPLE["written_at"])
LATER = {"written_at": "2026-03-02T19:20:31.207Z"}
Change = dict[str, object]  # of the example
LIVE: Change = {**LATER, "watermark": "2026-03-02T19:20:30.000Z"}
IDLE: Change = {**LATER, "lag": 0}
BEHIND: Change = {**LATER, "lag": 9}
STOPPED: Change = {}


def view(*changes: Change, partitions: int = 2) -> HealthView:
    found = HealthView(partitions)
    for number, change in enumerate(changes):
        record = EXAMPLE | change | {"partition": number}
        found.apply("progress", b"%d" % number, json.dumps(record).encode())
    return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((LIVE, LIVE), Health.LIVE),
        ((LIVE, IDLE), Health.LIVE),
        ((IDLE, IDLE), Health.IDLE),
        ((IDLE, BEHIND), Health.BEHIND),
        ((LIVE, BEHIND), Health.BEHIND),
        ((BEHIND, STOPPED), Health.STOPPED),
        ((LIVE,), Health.LIVE),
        ((BEHIND,), Health.BEHIND),
        ((), Health.UNKNOWN),
    ],
    ids=[
        "live", "one idle", "idle", "one behind, one idle", "one behind", "one stopped",
        "one has not begun", "one behind, one has not begun", "none has begun",
    ],
)  # fmt: skip
def test_the_worst_partition_counts(changes: tuple[Change, ...], expected: Health) -> None:
    """But one without visitors is no news while another has some."""
    assert expected is view(*changes).of_app(ms_of(LATER["written_at"]))


def test_a_partition_that_never_begins_is_worked_on_by_nobody() -> None:
    """Partitions begin one after the other: in the first seconds one that has not yet says nothing."""
    found = view(LIVE)
    begun_ms = ms_of(LATER["written_at"])
    assert Health.LIVE is found.of_app(begun_ms + STOPPED_AFTER_MS)
    later_ms = begun_ms + STOPPED_AFTER_MS + 1
    still = EXAMPLE | LIVE | {"partition": 0, "written_at": "2026-03-02T19:20:40.000Z"}
    found.apply("progress", b"0", json.dumps(still).encode())
    assert Health.LIVE is found.of_partition(0, later_ms)
    assert Health.STOPPED is found.of_partition(1, later_ms)
    assert Health.STOPPED is found.of_app(later_ms)


def test_the_partition_that_is_least_far_says_what_is_over() -> None:
    """Before all of them have begun, nothing is."""
    assert ms_of("2026-03-02T18:00:00Z") == view({"timers_fired": "2026-03-02T18:00:00.000Z"}, {}).passed_ms
    assert -1 == view({}).passed_ms
    assert -1 == view({}, {"timers_fired": None}).passed_ms


def test_a_tombstone_takes_a_record_away() -> None:
    """Records of other topics are passed over."""
    found = view({}, partitions=1)
    found.apply("tallies", b"0", None)
    assert Health.LIVE is found.of_app(NOW_MS)
    found.apply("progress", b"0", None)
    assert Health.UNKNOWN is found.of_app(NOW_MS)
