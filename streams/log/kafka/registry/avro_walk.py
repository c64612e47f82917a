"""Follows a message of Avro without making values of it, to see how deep it nests.

Only a type that holds itself can nest deeper than its schema, so only such messages are walked.
"""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.nesting import MAX_DEPTH
from streams.log.kafka.registry.avro_shape import MAX_LEVELS

_MORE, _BITS = 0x80, 7  # of a byte of a number: another one follows; what it carries
_MAX_SHIFT = 63
_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}


class _Stop(Exception):
    """The walk cannot go on; the text says why."""


def nesting_fault(body: bytes, root: Any, named: Mapping[str, Any]) -> str | None:
    """What is wrong with a message: it nests deeper than MAX_LEVELS, or is damaged. None: nothing."""
    try:
        _Walk(body, named).over(root, 0)
    except _Stop as stop:
        return str(stop)
    return None


class _Walk:
    def __init__(self, body: bytes, named: Mapping[str, Any]) -> None:
        self._body, self._named, self._at = body, named, 0

    def over(self, node: Any, depth: int) -> None:
        """Goes to the end of a value of this type."""
        if depth > MAX_LEVELS:
            raise _Stop(f"nested more than {MAX_DEPTH} deep")
        if isinstance(node, list):
            branch = self._long()
            if not 0 <= branch < len(node):
                raise _Stop(f"a union has no branch {branch}")
            self.over(node[branch], depth)
        elif isinstance(node, str):
            self._primitive(node, depth)
        else:
            self._complex(node, depth)

    def _primitive(self, name: str, depth: int) -> None:
        if name in _SIZES:
            self._skip(_SIZES[name])
        elif name in ("int", "long"):
            self._long()
        elif name in ("bytes", "string"):
            self._skip(self._long())
        else:
            self._complex(self._named[name], depth)

    def _complex(self, node: dict[str, Any], depth: int) -> None:
        match node["type"]:
            case "record" | "error":
                for field in node["fields"]:
                    self.over(field["type"], depth + 1)
            case "array":
                while (count := self._count()) > 0:
                    for _ in range(count):
                        self.over(node["items"], depth + 1)
            case "map":
                while (count := self._count()) > 0:
                    for _ in range(count):
                        self._skip(self._long())
                        self.over(node["values"], depth + 1)
            case "enum":
                self._long()
            case "fixed":
                self._skip(node["size"])
            case inner:
                self.over(inner, depth)

    def _count(self) -> int:
        """How many members follow. A negative number comes before the size of the block."""
        count = self._long()
        if count < 0:
            self._long()
        return abs(count)

    def _skip(self, size: int) -> None:
        if not 0 <= size <= len(self._body) - self._at:
            raise _Stop("cut off or damaged")
        self._at += size

    def _long(self) -> int:
        number = 0
        for shift in range(0, _MAX_SHIFT + 1, _BITS):
            if self._at >= len(self._body):
                break
            byte = self._body[self._at]
            self._at += 1
            number |= (byte & ~_MORE) << shift
            if byte < _MORE:
                return (number >> 1) ^ -(number & 1)
        raise _Stop("cut off or damaged")
