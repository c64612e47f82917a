"""Times as people give them on the command line: a time of day, or how long ago."""

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import checked_text
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.queries.time_range import TimeRange

RIGHT_TIME = "write a time such as 2024-05-20T10:00:00Z, or how long ago, such as 30m, 4h or 7d"

SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        callback=checked_text,
        help="Only from this time on: RFC 3339, or how long ago (30m, 4h, 7d).",
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", callback=checked_text, help="Only before this time."),
]


def time_range(since: str | None, until: str | None) -> "TimeRange":
    """The range of these options. Raises ConfigError for what is no time, and for an empty range."""
    from streams.queries.time_range import TimeRange

    now_ms = Clock().wall_ms()
    times = TimeRange(
        None if since is None else instant_ms("--since", since, now_ms),
        None if until is None else instant_ms("--until", until, now_ms),
    )
    if times.since_ms is not None and times.until_ms is not None and times.since_ms >= times.until_ms:
        raise ConfigError(
            f"--since {since} --until {until}: nothing lies between: give the earlier time first"
        )
    return times


def instant_ms(option: str, text: str, now_ms: int) -> int:
    """Milliseconds since 1970 (UTC) of a time, or of a duration before `now_ms`. Raises ConfigError."""
    from streams.core.ingest.times import parse_time
    from streams.settings.durations import parse_duration

    if (parsed := parse_time(text)) is not None:
        return parsed[0]
    try:
        return now_ms - parse_duration(text)
    except ValueError:
        raise ConfigError(f"{option} {text}: is no time: {RIGHT_TIME}") from None
