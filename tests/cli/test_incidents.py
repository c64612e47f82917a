"""How a person says what goes wrong among made-up shoppers, and when."""

import pytest

from streams.cli.incident_option import incidents_of
from streams.errors import ConfigError
from streams.queries.instants import ms_of
from streams.sources.incidents import Incident
from tests.cli.running import streams

NOW_MS, MINUTE_MS = ms_of("2024-05-20T10:00:00Z"), 60_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("checkout@now+30m", ("checkout", 0, 30)),
        ("bots@+10m+1h", ("bots", 10, 70)),
        ("slow@2h+3h", ("slow", -120, 60)),
        ("segment@2024-05-20T12:00:00+02:00+90s", ("segment", 0, 1.5)),
        ("collector@2024-05-20T10:05:00Z+5m", ("collector", 5, 10)),
    ],
)
def test_a_time_or_how_long_ago_or_in_how_long(text: str, expected: tuple[str, float, float]) -> None:
    """And for how long."""
    kind, start, end = expected
    wanted = Incident(kind, NOW_MS + round(start * MINUTE_MS), NOW_MS + round(end * MINUTE_MS))
    assert [wanted] == incidents_of([text], NOW_MS, NOW_MS)
    assert [] == incidents_of(None, NOW_MS, NOW_MS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("checkout", r"write KIND@START\+DURATION, such as checkout@2h\+30m"),
        ("checkout@2h", r"write KIND@START\+DURATION"),
        ("till@2h+3h", r"there is no incident 'till'; there are: checkout \(19 of 20 payments fail\); slow"),
        ("bots@soon+3h", r"soon is no time: write now, how long ago \(2h\), in how long \(\+10m\)"),
        ("bots@+soon+3h", r"\+soon is no time"),
        ("bots@2024-05-20T10:00:00+01:00", "01:00 is no duration: write a number and a unit"),
        ("bots@now+0m", "it takes no time"),
        ("bots@2h+1h", "it is over before the first event is made: give a later START"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    """The message names what would be right."""
    with pytest.raises(ConfigError, match=message):
        incidents_of([text], NOW_MS, NOW_MS)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["demo", "--incident", "bots@2h+1h"], "give --serve too"),
        (["demo", "--serve", "--incident", "bots@90d+1h"], "over before the first event"),
        (["generate", "--input", "clicks", "--incident", "bots@2h+1h"], "over before the first event"),
    ],
    ids=["demo without a page", "before the demo's events", "before now"],
)
def test_a_wrong_command(command: list[str], message: str) -> None:
    """Nothing is begun."""
    result = streams(*command)
    assert (2, "") == (result.exit_code, result.stdout)
    assert message in result.stderr
