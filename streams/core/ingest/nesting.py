"""How deep JSON is nested, found in its bytes: what is not built cannot overflow a stack.

A decoder has a limit of its own, but where it lies depends on how deep the caller already is, so the result would too.
"""

import re

MAX_DEPTH = 64  # objects and arrays within each other; a click has five or six

_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def bracket_count(value: bytes) -> int:
    """The number of opening brackets, in strings too: an upper bound of the depth, and cheap."""
    # Taking them out counts them four times as fast as `count` does.
    return 2 * len(value) - len(value.replace(b"{", b"")) - len(value.replace(b"[", b""))


def is_deeper(value: bytes, most: int) -> bool:
    """True if brackets outside of strings nest deeper than `most`."""
    depth = 0
    for match in _BRACKETS.finditer(value):
        first = value[match.start()]
        if first in b"{[":
            depth += 1
            if depth > most:
                return True
        elif first in b"}]":
            depth -= 1
    return False
