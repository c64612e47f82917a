"""What an event is about, beyond its moment: whose customer, which needs, which order.

All of these come from open fields of the event, so they may hold anything; what is no usable text counts as
absent.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from streams.core.ingest.event import Event, lookup
from streams.core.journeys.signal import NAMELESS

MAX_TEXT = 100  # characters of a need, a tenant or an order id; the rest is cut: they are names, not texts
MAX_NEEDS_PER_EVENT = 32  # an order of more kinds of things than this is about the first 32 of them by name


def text(value: Any) -> str:
    """A name out of a field: text or a whole number, without what can't be printed. "" when it is neither.

    A number with a fraction of zero is whole: one order is 1001 in the browser and 1001.0 on the server.
    """
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int:
        value = str(value) if abs(value) < 10**18 else ""
    if type(value) is not str:
        return ""
    value = value[:MAX_TEXT]
    if not value.isprintable():
        value = "".join([c if c.isprintable() else " " for c in value])
    return str(value).strip()


def texts(value: Any) -> Iterator[str]:
    """The names in a field, which may hold a list of them."""
    for member in value if isinstance(value, list) else (value,):
        if isinstance(member, list):
            yield from texts(member)
        elif name := text(member):
            yield name


def glance(paths: Sequence[str]) -> Callable[[Event], bool]:
    """A quick look at an event. False: nothing stands at any of these paths, as in most events."""
    if any(not path.startswith("properties.") for path in paths):
        return lambda _: True
    has_none = frozenset(path.split(".")[1] for path in paths).isdisjoint
    return lambda event: not has_none(event.properties)


def first_text(paths: tuple[str, ...]) -> Callable[[Event], str]:
    """Reads the first of these paths that holds a name."""
    may_have = glance(paths)

    def read(event: Event) -> str:
        if not may_have(event):
            return ""
        for path in paths:
            for name in texts(lookup(event, path)):
                return name
        return ""

    return read


def needs_of(event: Event, paths: tuple[str, ...]) -> tuple[str, ...]:
    """What the event is about, sorted; the nameless need when it does not say."""
    for path in paths:
        if names := set(texts(lookup(event, path))):
            return tuple(sorted(names)[:MAX_NEEDS_PER_EVENT])
    return NAMELESS
