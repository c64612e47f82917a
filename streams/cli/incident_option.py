"""The option that makes things go wrong among made-up shoppers, for a while."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import checked_text
from streams.cli.time_options import instant_ms
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.sources.incidents import Incident

INCIDENT_EXAMPLE = "checkout@2h+30m"

IncidentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--incident",
        metavar="KIND@START+DURATION",
        callback=checked_text,
        help="Something goes wrong for a while: checkout, slow, segment, collector or bots. START is now, a "
        "time, how long ago (2h) or in how long (+10m). Once per incident.",
    ),
]


def incidents_of(texts: Sequence[str] | None, now_ms: int, from_ms: int) -> "list[Incident]":
    """The incidents of the option. Raises ConfigError, which names what would be right.

    `from_ms`: the first event is made at this time, so what ends before would change nothing.
    """
    return [_incident(text, now_ms, from_ms) for text in texts or ()]


def _incident(text: str, now_ms: int, from_ms: int) -> "Incident":
    from streams.settings.durations import parse_duration
    from streams.sources.incidents import INCIDENTS, Incident

    option = f"--incident {text}"
    kind, at, when = text.partition("@")
    start, plus, duration = when.rpartition("+")
    if not (kind and at and start and plus and duration):
        raise ConfigError(f"{option}: write KIND@START+DURATION, such as {INCIDENT_EXAMPLE}")
    if kind not in INCIDENTS:
        known = "; ".join(f"{name} ({about})" for name, about in INCIDENTS.items())
        raise ConfigError(f"{option}: there is no incident {kind!r}; there are: {known}")
    try:
        length_ms = parse_duration(duration)
    except ValueError as error:
        raise ConfigError(f"{option}: {duration} {error}") from None
    if not length_ms:
        raise ConfigError(f"{option}: it takes no time: write a longer DURATION, such as 30m")
    try:
        if start == "now":
            start_ms = now_ms
        elif start.startswith("+"):
            start_ms = now_ms + parse_duration(start[1:])
        else:
            start_ms = instant_ms(option, start, now_ms)
    except (ValueError, ConfigError):
        raise ConfigError(
            f"{option}: {start} is no time: write now, how long ago (2h), in how long (+10m), or a time such "
            "as 2024-05-20T10:00:00Z"
        ) from None
    if start_ms + length_ms <= from_ms:
        raise ConfigError(f"{option}: it is over before the first event is made: give a later START")
    return Incident(kind, start_ms, start_ms + length_ms)
