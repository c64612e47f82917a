"""What an event is about is read from open fields, which may hold anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.event import Event
from streams.core.processing.subject import MAX_NEEDS_PER_EVENT, MAX_TEXT, first_text, needs_of, text

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def event(**properties: Any) -> Event:
    return Event("e", 0, 0, None, "1", "track", "x", properties, {})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("car", "car"),
        ("  car ", "car"),
        (17, "17"),
        (-17, "-17"),
        (10**18, ""),
        (1.5, ""),
        (1001.0, "1001"),
        (1e300, ""),
        (float("inf"), ""),
        (True, ""),
        (None, ""),
        ({}, ""),
        ("", ""),
        (" \t ", ""),
        ("a\nb\x1fc", "a b c"),
        ("x" * 300, "x" * MAX_TEXT),
        ("caffè", "caffè"),
    ],
    ids=repr,
)
def test_a_name_out_of_a_field(value: Any, read: str) -> None:
    """Text or a whole number, without what can't be printed; nothing else is a name."""
    assert read == text(value)


@given(ANYTHING)
def test_whatever_a_field_holds_a_name_is_clean(value: Any) -> None:
    """Printable, bounded, without blanks around it: it goes into keys."""
    for name in (*needs_of(event(p=value), ("properties.p",)), first_text(("properties.p",))(event(p=value))):
        assert name == name.strip()
        assert len(name) <= MAX_TEXT
        assert not name or name.isprintable()


def test_the_first_path_that_holds_something() -> None:
    """Paths are tried in order; of a list its first name counts."""
    read = first_text(("properties.order_id", "properties.order.id"))
    fields: list[dict[str, Any]] = [
        {"order_id": "A"},
        {"order_id": " ", "order": {"id": "B"}},
        {"order_id": ["", "C"]},
        {},
    ]
    assert ["A", "B", "C", ""] == [read(event(**given)) for given in fields]


def test_an_event_is_about_each_thing_once() -> None:
    """The needs of an order's products, sorted, each once; of very many the first by name."""
    products = [{"category": name} for name in ("coffee", "car", "coffee", None, ["tea"])]
    assert ("car", "coffee", "tea") == needs_of(event(products=products), ("properties.products.category",))
    many = needs_of(event(p=[f"need {n:03}" for n in range(100)]), ("properties.p",))
    assert (MAX_NEEDS_PER_EVENT, "need 000", "need 031") == (len(many), many[0], many[-1])
    assert ("",) == needs_of(event(), ("properties.p",))
