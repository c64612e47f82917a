"""Writes values as JSON, each by the quickest way: most of a transition is joined from such pieces."""

from datetime import UTC, datetime

import msgspec

from streams.core.journeys.signal import TEXT, event_text

MAX_SECONDS = 50_000  # formatted seconds kept: an hour of a busy partition is 3,600

encode_json = msgspec.json.Encoder().encode

_seconds: dict[int, str] = {}
_MILLIS = [f"{n:03d}Z" for n in range(1000)]
_FRACTIONS = [str(n / 1000)[1:] for n in range(1000)]  # .0 .001 .002


def quoted(text: str | None) -> str:
    """Text as JSON; null for None."""
    return encode_json(text).decode()


def rfc3339(ms: int) -> str:
    """A time in UTC with milliseconds. Seconds come from a cache: the events of a batch share them."""
    second, rest = divmod(ms, 1000)
    text = _seconds.get(second)
    if text is None:
        if len(_seconds) > MAX_SECONDS:
            _seconds.clear()
        text = _seconds[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
    return text + _MILLIS[rest]


def seconds_text(ms: int) -> str:
    """Seconds as JSON writes them, out of milliseconds: half the time of dividing and printing a float."""
    whole, rest = divmod(ms, 1000)
    return f"{whole}{_FRACTIONS[rest]}"


def event_json(ref: bytes) -> str:
    """An event's id as JSON. Only short text can hold what must be escaped."""
    if ref[0] == 0:  # a UUID: nearly all of them
        h = ref.hex()
        return f'"{h[2:10]}-{h[10:14]}-{h[14:18]}-{h[18:22]}-{h[22:]}"'
    return quoted(event_text(ref)) if ref[:1] == TEXT else f'"{event_text(ref)}"'
