"""Which rules said what: versions in the order they came into use, and the era of each."""

import msgspec
import pytest

from streams.core.ingest.door import Door, InputDoor, door_of
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.zones import zones_version
from streams.core.moments.verdict import RuleInfo
from streams.core.processing.checkpoint import (
    STATE_FORMAT,
    Checkpoint,
    Counts,
    decode_checkpoint,
    encode_checkpoint,
)
from streams.core.processing.rulebook import MAX_RULE_CODES, Era, Rulebook, RulesVersion
from streams.core.processing.watermark import PeerProgress, SourcePosition
from streams.errors import Incompatible
from tests.core.processing.feeding import rules

FIRST, SECOND = rules("first"), rules("second", "go")
DOOR, OTHER_DOOR = Door(readers={"segment": 1}), Door(readers={"segment": 2})


def version(book: Rulebook, source: str, offset: int) -> str:
    """The version of the rules that read a record."""
    return book.versions[book.era_of(source, offset).rules].version


def test_versions_get_codes_one_after_the_other() -> None:
    """A version that comes back has the codes it had; only a new one is to be stored."""
    book = Rulebook()
    eras = [
        book.adopt(FIRST, DOOR, {}),
        book.adopt(SECOND, DOOR, {"e:0": 10}),
        book.adopt(FIRST, DOOR, {"e:0": 20}),
    ]
    assert [0, 3, 0] == [book.versions[era.rules].first_code for era in eras]
    assert 6 == book.codes
    assert [FIRST.text, SECOND.text] == [version.text for version in book.versions]


def test_eras() -> None:
    """From an offset on; adopting what is in force opens none, and of two at one offset the later holds."""
    book = Rulebook()
    book.adopt(FIRST, DOOR, {"e:0": 0})
    book.adopt(FIRST, DOOR, {"e:0": 5})
    book.adopt(SECOND, DOOR, {"e:0": 10})
    book.adopt(FIRST, DOOR, {"e:0": 20, "f:0": 3})
    book.adopt(SECOND, DOOR, {"e:0": 20, "f:0": 3})
    in_force = [version(book, "e:0", offset) for offset in (0, 9, 10, 19, 20, 99)]
    assert [FIRST.version] * 2 + [SECOND.version] * 4 == in_force
    assert [SECOND.version] * 2 == [version(book, "f:0", offset) for offset in (0, 3)]


def test_rules_that_were_never_in_force_read_nothing() -> None:
    """A first version that was replaced before any record was read leaves its codes, but no era."""
    book = Rulebook()
    book.adopt(FIRST, DOOR, {"e:0": 0})
    book.adopt(SECOND, DOOR, {"e:0": 0})
    assert [Era({}, 1, 0)] == book.eras


def test_a_full_book_says_how_to_go_on() -> None:
    """A signal names its rule in two bytes."""
    full = RulesVersion("many", 0, (RuleInfo("r", 1.0),) * (MAX_RULE_CODES - 2), "")
    with pytest.raises(Incompatible, match="new data directory"):
        Rulebook([full]).adopt(FIRST, DOOR, {})


def test_a_door_is_part_of_the_era() -> None:
    """Another reader opens an era although the rules are the same; a
    door that comes back has the number it had.
    """
    book = Rulebook()
    book.adopt(FIRST, DOOR, {})
    book.adopt(FIRST, OTHER_DOOR, {"e:0": 5})
    book.adopt(FIRST, OTHER_DOOR, {"e:0": 7})
    book.adopt(FIRST, DOOR, {"e:0": 9})
    assert [Era({}, 0, 0), Era({"e:0": 5}, 0, 1), Era({"e:0": 9}, 0, 0)] == book.eras
    assert [DOOR, OTHER_DOOR] == book.doors


def test_the_door_of_a_start_names_what_decides_how_bytes_are_read() -> None:
    """The version of each reader, how each input is read, and the lists and settings that readers look at."""
    clicks = InputDoor("segment", {}, "Europe/Rome")
    door = door_of(
        5,
        {"clicks": clicks},
        placeholders=["b", "a"],
        no_placeholders=["guest"],
        orders=["properties.order"],
    )
    assert {name: known.version for name, known in FORMATS.items()} == door.readers
    assert {"clicks": clicks} == door.inputs
    assert (("a", "b"), ("guest",)) == (door.placeholders, door.no_placeholders)
    assert (5, ("properties.order",), zones_version()) == (door.skew_ms, door.orders, door.zones)


def test_a_checkpoint_comes_back() -> None:
    """With its eras and counts; one of another format is refused with a way to go on, as is anything else."""
    c = Checkpoint(
        STATE_FORMAT,
        b"fold",
        read_from=["e:0"],
        sources={"e:0": SourcePosition(7, 8), "inbox:0": SourcePosition(3)},
        watermark_ms=8,
        timers_fired_ms=9,
        rev=10,
        counts=Counts(5, 1, 1, 1, 1, 1, forwarded=7),
        forgotten_without_journey=4,
        expired_corrections=2,
        eras=[Era({}, 0, 0), Era({"e:0": 4}, 1, 0)],
        forwarding=True,
        peers={2: PeerProgress(5, True)},
    )
    assert 7 == c.offset
    raw = encode_checkpoint(c)
    assert c == decode_checkpoint(raw)
    later, older = (msgspec.structs.replace(c, format=STATE_FORMAT + by) for by in (1, -1))
    before_places = msgspec.msgpack.encode([STATE_FORMAT, b"fold", {"e:0": [7, 8]}, 8, 9])
    for bad in (encode_checkpoint(later), encode_checkpoint(older), before_places, raw[:-1], b""):
        with pytest.raises(Incompatible, match="start a new app id or data directory, and replay"):
            decode_checkpoint(bad)
