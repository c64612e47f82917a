"""Compiles the paths and conditions of a rules file into functions of an event. No event makes them raise."""

from collections.abc import Callable
from typing import Any

from streams.core.ingest.event import Event
from streams.core.moments.spec import Condition
from streams.core.moments.words import fold_text

MAX_CONDITION_CHARS = 2048  # that a condition looks at in a value: the longest address that browsers agree on
MAX_MEMBERS = 64  # that a condition looks at in a list


def path_reader(path: str) -> Callable[[Event], Any]:
    """A function that reads a dotted path through objects. `name` is the name of a page or screen only."""
    root, _, rest = path.partition(".")
    keys = tuple(rest.split(".")) if rest else ()
    if path == "name":
        return lambda event: event.name if event.type in ("page", "screen") else None
    if len(keys) == 1:
        key = keys[0]
        if root == "properties":
            return lambda event: event.properties.get(key)
        return lambda event: event.context.get(key)

    def read_path(event: Event) -> Any:
        value = getattr(event, root)
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    return read_path


def condition_test(condition: Condition) -> Callable[[Event], bool]:
    """A function that tells whether an event meets a condition. A list meets it if a member does."""
    read_path = path_reader(condition.path) if condition.path != "name" else lambda event: event.name
    if condition.exists is not None:
        return lambda event: (read_path(event) not in (None, "")) is condition.exists
    equal = frozenset(map(fold_text, condition.is_))
    starts, parts = tuple(map(fold_text, condition.starts_with)), tuple(map(fold_text, condition.contains))

    def meets(value: Any) -> bool:
        # Nobody sends longer numbers, and they are slow to spell.
        if isinstance(value, bool | int) and -(2**63) <= value < 2**63:
            value = str(value).lower()
        if not isinstance(value, str):
            return False
        text = fold_text(value[:MAX_CONDITION_CHARS])
        if equal:
            return text in equal
        return text.startswith(starts) if starts else any(part in text for part in parts)

    def event_meets(event: Event) -> bool:
        value = read_path(event)
        return any(map(meets, value[:MAX_MEMBERS])) if isinstance(value, list) else meets(value)

    return event_meets
