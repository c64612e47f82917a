"""What a format is: a name, and two pure functions that say where an event of it has what."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streams.core.ingest.draft import Draft
from streams.core.ingest.event import Rejection
from streams.core.ingest.headers import RawHeaders


class InputContext(NamedTuple):
    """What is said about a document where it was found."""

    headers: RawHeaders = ()
    mapping: Mapping[str, str] = {}  # of the input, for the format that takes one


ReadDraft = Callable[[Any, InputContext], Draft | Rejection | None]
"""Reads a document that holds one event. It never raises.

The document is what JSON holds, or a text where the format is no JSON. There is no draft (None) for a legal
record that holds no event, and a Rejection (`unknown_format`) for a document of another format.
"""

SplitDocument = Callable[[Any], Sequence[Any] | None]
"""Splits a document that holds several events into documents of one event each; None if it holds one.

Each of them can be read by itself, and gives the same event then: what all share is in each.
"""


class Format(msgspec.Struct, frozen=True):
    """A way to read records."""

    name: str
    title: str  # the tool, as people call it
    version: int  # goes up when the reader changes so that it may read some record in another way
    draft: ReadDraft
    # Dotted paths of ids, times and names: bytes that are not UTF-8 may not hide what stands there.
    decisive: frozenset[str]
    split: SplitDocument = lambda document: None
