"""Which rules said what: versions in the order they came into use, and the era of each."""

import msgspec
import pytest

from streams.core.moments.verdict import RuleInfo
from streams.core.processing import checkpoint
from streams.core.processing.rulebook import MAX_CODES, Era, Rulebook, Version
from streams.core.processing.watermark import PeerProgress, SourcePosition
from streams.errors import Incompatible
from tests.core.processing.feeding import rules

FIRST, SECOND = rules("first"), rules("second", "go")


def test_versions_get_codes_one_after_the_other() -> None:
    """A version that comes back has the codes it had; only a new one is to be stored."""
    book = Rulebook()
    assert [(0, True), (3, True), (0, False)] == [
        book.adopt(FIRST, {}),
        book.adopt(SECOND, {"e:0": 10}),
        book.adopt(FIRST, {"e:0": 20}),
    ]
    assert 6 == book.codes
    assert [FIRST.text, SECOND.text] == [version.text for version in book.versions]


def test_eras() -> None:
    """From an offset on; adopting what is in force opens none, and of two at one offset the later holds."""
    book = Rulebook()
    book.adopt(FIRST, {"e:0": 0})
    book.adopt(FIRST, {"e:0": 5})
    book.adopt(SECOND, {"e:0": 10})
    book.adopt(FIRST, {"e:0": 20, "f:0": 3})
    book.adopt(SECOND, {"e:0": 20, "f:0": 3})
    in_force = [book.in_force("e:0", offset).version for offset in (0, 9, 10, 19, 20, 99)]
    assert [FIRST.version] * 2 + [SECOND.version] * 4 == in_force
    assert [SECOND.version] * 2 == [book.in_force("f:0", offset).version for offset in (0, 3)]


def test_rules_that_were_never_in_force_read_nothing() -> None:
    """A first version that was replaced before any record was read leaves its codes, but no era."""
    book = Rulebook()
    book.adopt(FIRST, {"e:0": 0})
    book.adopt(SECOND, {"e:0": 0})
    assert [Era({}, 1)] == book.eras


def test_a_full_book_says_how_to_go_on() -> None:
    """A signal names its rule in two bytes."""
    full = Version("many", 0, (RuleInfo("r", 1.0),) * (MAX_CODES - 2), "")
    with pytest.raises(Incompatible, match="new data directory"):
        Rulebook([full]).adopt(FIRST, {})


def test_a_checkpoint_comes_back() -> None:
    """With its eras and counts; one of another format is refused with a way to go on, as is anything else."""
    counts, sources, peers = (
        checkpoint.Counts(5, 1, 1, 1, 1, 1, 7),
        {"e:0": SourcePosition(7, 8), "inbox:0": SourcePosition(3)},
        {2: PeerProgress(5, True)},
    )
    c = checkpoint.Checkpoint(
        checkpoint.FORMAT,
        b"fold",
        sources,
        8,
        9,
        10,
        counts,
        2,
        [Era({}, 0), Era({"e:0": 4}, 1)],
        True,
        peers,
    )
    assert 7 == c.offset
    raw = checkpoint.encode(c)
    assert c == checkpoint.decode(raw)
    later = msgspec.structs.replace(c, format=checkpoint.FORMAT + 1)
    for bad in (checkpoint.encode(later), raw[:-1], b""):
        with pytest.raises(Incompatible, match=r"(?i)start a new data directory"):
            checkpoint.decode(bad)
