"""Looks at a schema of Avro once, for what its messages could do to whoever reads them.

A message says how many members an array has. If a member takes no bytes, a message of ten bytes has as many
as it likes. And a type that holds itself nests as deep as a message is long, on the stack of the decoder.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from streams.core.ingest.nesting import MAX_DEPTH

# Our own record around the message is one level, and what stands in the innermost object another.
MAX_LEVELS = MAX_DEPTH + 2

Rename = Callable[[dict[str, Any]], None]

_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NO_BYTES = "an array or a map of values that take no bytes: a message could hold any number of them"


class Shape(msgspec.Struct, frozen=True):
    """What was found out about a schema."""

    root: Any
    named: Mapping[str, Any]
    may_nest_deeper: bool  # than MAX_LEVELS
    fault: str | None  # why its messages cannot be read


class _Look:
    def __init__(self, named: Mapping[str, Any], rename: Rename) -> None:
        self.named, self._rename = named, rename
        self.may_nest_deeper = False
        self.fault: str | None = None
        self._seen: dict[tuple[str, bool], int] = {}  # (name, whether repeated) -> the greatest depth there

    def at(self, node: Any, depth: int, is_repeated: bool) -> None:
        """Looks at a type. `is_repeated`: each message may have any number of its values."""
        if depth > MAX_LEVELS:
            self.may_nest_deeper = True
            return
        if isinstance(node, list):
            for branch in node:
                self.at(branch, depth, False)  # the number of the branch takes a byte
            return
        if isinstance(node, str):
            if node in _PRIMITIVES:
                if node == "null" and is_repeated:
                    self.fault = _NO_BYTES
                return
            if self._seen.get((node, is_repeated), -1) >= depth:
                return
            self._seen[node, is_repeated] = depth
            node = self.named[node]
        self._complex(node, depth, is_repeated)

    def _complex(self, node: dict[str, Any], depth: int, is_repeated: bool) -> None:
        self._rename(node)
        kind = node["type"]
        if kind in ("record", "error"):
            if is_repeated and not node["fields"]:
                self.fault = _NO_BYTES
            for field in node["fields"]:
                self.at(field["type"], depth + 1, is_repeated)
        elif kind == "array":
            self.at(node["items"], depth + 1, True)
        elif kind == "map":
            self.at(node["values"], depth + 1, True)
        elif kind == "fixed":
            if is_repeated and not node["size"]:
                self.fault = _NO_BYTES
        elif kind != "enum":
            self.at(kind, depth, is_repeated)  # {"type": "string"}, or a type within a type


def shape_of(root: Any, named: Mapping[str, Any], rename: Rename) -> Shape:
    """What a parsed schema looks like. `named`: all of its named types. `rename` gets each of its types that
    may have a logical one, and may change that.
    """
    look = _Look(named, rename)
    look.at(root, 0, False)
    return Shape(root, named, look.may_nest_deeper, look.fault)
