"""Words that stand for no id make no person of strangers, and no order of orders without a number."""

import pytest

from streams.core.ingest.door import door_of
from streams.core.ingest.event import Event
from streams.core.ingest.placeholders import SHIPPED
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.repairs import Repair
from tests.core.ingest.examples import NEVER_MS, event, record


@pytest.mark.parametrize("word", sorted(SHIPPED - {""}))
def test_each_shipped_word(word: str) -> None:
    """In any case, with blanks around it, as a user, a device, an event and an order."""
    for written in (word, word.upper(), f" {word.title()} "):
        assert event(userId=written).user_id is None
        assert event(anonymousId=written).anonymous_id is None
        assert len(event(messageId=written).id) == 32
        assert event(properties={"order_id": written}).properties == {}


def test_words_of_ones_own() -> None:
    """The settings add to the list and take from it, in any case."""
    reader = RecordReader(door_of(0, placeholders=[" Gast ", "x" * 40], no_placeholders=["GUEST"]), "clicks")
    found = {
        name: reader.read(record(userId=name), (), -1, NEVER_MS)
        for name in ("gast", "GAST", "x" * 40, "guest", "ann", "x" * 41)
    }
    users = {name: one.user_id for name, one in found.items() if isinstance(one, Event)}
    assert users == {
        "gast": None, "GAST": None, "x" * 40: None, "guest": "guest", "ann": "ann", "x" * 41: "x" * 41,
    }  # fmt: skip


def test_an_order_id_at_any_path() -> None:
    """Wherever an order id stands by the settings, a placeholder there is none; what is beside it stays."""
    reader = RecordReader(
        door_of(0, orders=["properties.order.number", "properties.id", "channel"]), "clicks"
    )
    given = {"order": {"number": "(not set)", "value": 5}, "id": 0.0, "order_id": "null"}
    found = reader.read(record(properties=given), (), -1, NEVER_MS)
    assert isinstance(found, Event)
    assert found.properties == {"order": {"value": 5}, "order_id": "null"}
    assert found.repairs == (Repair.PLACEHOLDER,)
    kept = {"order": {"number": "o-1"}, "id": [0]}
    found = reader.read(record(properties=kept), (), -1, NEVER_MS)
    assert isinstance(found, Event)
    assert (kept, ()) == (found.properties, found.repairs)
