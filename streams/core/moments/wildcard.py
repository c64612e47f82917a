"""Matches wildcards in linear steps, so that no pattern of a rules file can make an event slow.

Regular expressions can.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

_P = TypeVar("_P")
_T = TypeVar("_T")


def glob_matches(
    pattern: Sequence[_P], items: Sequence[_T], star: _P, same: Callable[[_P, _T], bool]
) -> bool:
    """True if `items` match `pattern`, in which `star` stands for any number of items.

    It makes at most len(pattern) * len(items) comparisons.
    """
    p = i = resume = 0
    after_star = -1  # the place behind the last star: it goes on there when the star takes one more item
    while i < len(items):
        if p < len(pattern) and pattern[p] == star:
            after_star, resume = p + 1, i
            p += 1
        elif p < len(pattern) and same(pattern[p], items[i]):
            p += 1
            i += 1
        elif after_star >= 0:
            resume += 1
            p, i = after_star, resume
        else:
            return False
    return all(rest == star for rest in pattern[p:])
