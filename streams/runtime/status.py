"""How a worker is doing, for health pages."""

from collections.abc import Mapping
from typing import NamedTuple


class WorkerStatus(NamedTuple):
    """A worker at one moment. The defaults are those of a worker that has not begun."""

    joined: bool = False  # the group has confirmed the membership within a session
    assigned: frozenset[int] = frozenset()
    opened: frozenset[int] = frozenset()
    restoring: Mapping[int, tuple[int, int]] = {}  # partition -> (records read, about how many there are)
    blocked: Mapping[str, str] = {}  # source with a transaction that stays open -> since when
