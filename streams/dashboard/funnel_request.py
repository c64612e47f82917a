"""What a request for the funnel asks for, with the words and the rules of `streams funnel`."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from streams.core.ingest.times import parse_time
from streams.dashboard.asked import BadParameter, check_dimension, read_parameters, read_where
from streams.errors import ConfigError
from streams.queries.funnel_window import CellWindow, choose_window
from streams.settings.durations import parse_duration

FUNNEL_PARAMETERS = ("last", "until", "by")


class AskedFunnel(NamedTuple):
    """The funnel that is asked for."""

    window: CellWindow | None  # None: over all time
    where: Mapping[str, str]
    by: str | None


def read_funnel_request(
    given: Iterable[tuple[str, str]],
    dimensions: Mapping[str, Collection[str]],
    now_ms: int,
    newest_ms: int,
) -> AskedFunnel:
    """`newest_ms`: the greatest watermark of the partitions. Raises BadParameter."""
    found = read_parameters(given, FUNNEL_PARAMETERS, dimensions)
    last, until, by = (found.get(name) for name in FUNNEL_PARAMETERS)
    if by is not None:
        check_dimension("by", by, dimensions)
    if until is not None and last is None:
        raise BadParameter("until", "ends a window: give its length too, such as last=1h")
    window = None if last is None else _window(last, until, now_ms, newest_ms)
    return AskedFunnel(window, read_where(found, dimensions), by)


def _window(last: str, until: str | None, now_ms: int, newest_ms: int) -> CellWindow:
    try:
        last_ms = parse_duration(last)
    except ValueError as error:
        raise BadParameter("last", f"{last!r} {error}") from None
    end_ms = now_ms if until is None else read_instant("until", until, now_ms)
    try:
        return choose_window(last_ms, end_ms, newest_ms)
    except ConfigError as error:
        text = str(error).partition(": ")[2].partition("; --need")[0]
        raise BadParameter("last", f"{last!r}: {text}") from None


def read_instant(parameter: str, text: str, now_ms: int) -> int:
    """Milliseconds since 1970 (UTC) of a time, or of a duration before `now_ms`. Raises BadParameter."""
    if (parsed := parse_time(text)) is not None:
        return parsed[0]
    try:
        return now_ms - parse_duration(text)
    except ValueError:
        raise BadParameter(
            parameter,
            f"{text!r} is no time: write one such as 2024-05-20T10:00:00Z, or how long ago, such as 4h",
        ) from None
