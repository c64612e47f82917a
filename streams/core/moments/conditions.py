"""Compiles the paths and conditions of a rules file into functions of an event. No event makes them raise."""

from collections.abc import Callable
from typing import Any

from streams.core.ingest.event import Event
from streams.core.ingest.placeholders import Placeholders
from streams.core.moments.spec import Condition, Words
from streams.core.moments.words import fold_text

MAX_CONDITION_CHARS = 2048  # that a condition looks at in a value: the longest address that browsers agree on
MAX_MEMBERS = 64  # that a condition looks at in a list
MAX_ORDER_CHARS = 100  # of an order's id: as many as journeys keep of one
MAX_ORDER_NUMBER = 10**18  # an order with a greater number has no id in journeys either
MAX_NUMBER_CHARS = 32  # of a number that is text: a double has 17 digits, a sign, a point and an exponent

NO_ORDERS = Placeholders()  # words that stand for no order


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
    readers = [path_reader(path) if path != "name" else _name for path in condition.paths]
    if condition.exists is not None:
        return lambda event: any(read(event) not in (None, "") for read in readers) is condition.exists
    meets = _member_test(condition)

    def event_meets(event: Event) -> bool:
        for read in readers:
            value = read(event)
            if any(map(meets, value[:MAX_MEMBERS])) if isinstance(value, list) else meets(value):
                return True
        return False

    return event_meets


def _member_test(condition: Condition) -> Callable[[Any], bool]:
    if condition.is_id:
        return _is_id
    return _above(condition.above) if condition.above is not None else _words(condition)


def order_test(paths: Words) -> Callable[[Event], bool]:
    """A function that tells whether an event names an order: one of the paths has text or a whole number."""
    readers = [path_reader(path) for path in paths]
    return lambda event: any(_is_id(read(event)) for read in readers)


def _is_id(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_id(member) for member in value[:MAX_MEMBERS] if not isinstance(member, list))
    if isinstance(value, str):
        text = value[:MAX_ORDER_CHARS].strip()
        return any(map(str.isprintable, text)) and text not in NO_ORDERS
    if isinstance(value, float) and not value.is_integer():
        return False
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < MAX_ORDER_NUMBER and str(int(value)) not in NO_ORDERS


def _name(event: Event) -> str:
    return event.name


def _above(least: float) -> Callable[[Any], bool]:
    def meets(value: Any) -> bool:
        if isinstance(value, str) and len(value) <= MAX_NUMBER_CHARS:
            try:
                value = float(value)
            except ValueError:
                return False
        return isinstance(value, int | float) and not isinstance(value, bool) and value > least

    return meets


def _words(condition: Condition) -> Callable[[Any], bool]:
    equal = frozenset(map(fold_text, condition.is_))
    starts, parts = tuple(map(fold_text, condition.starts_with)), tuple(map(fold_text, condition.contains))

    def meets(value: Any) -> bool:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        # Nobody sends longer numbers, and they are slow to spell.
        if isinstance(value, bool | int) and -(2**63) <= value < 2**63:
            value = str(value).lower()
        if not isinstance(value, str):
            return False
        text = fold_text(value[:MAX_CONDITION_CHARS])
        if equal:
            return text in equal
        return text.startswith(starts) if starts else any(part in text for part in parts)

    return meets
