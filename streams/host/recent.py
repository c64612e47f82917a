"""Recognises most of the records that an agent gets again, without a store: records come at least once.

It forgets when the process ends, and it forgets the ids that were touched longest ago. An action that must
never happen twice needs (id, rev) where it happens: as the idempotency key of a request, or as a unique key
of a table.
"""

# So many ids take about 20 MB. A record usually comes again within seconds, after a rebalance or a restart.
KEPT = 100_000


class Recent:
    """The greatest rev processed of each id, for the latest ids."""

    def __init__(self, kept: int = KEPT) -> None:
        """`kept`: how many ids to remember."""
        assert kept > 0, kept
        self._kept = kept
        self._revs: dict[str, int] = {}

    def knows(self, id: str, rev: int) -> bool:
        """Whether this record, or a newer one with its id, was added."""
        return self._revs.get(id, -1) >= rev

    def add(self, id: str, rev: int) -> None:
        """Remembers a record. Call it after processing: a record whose processing failed comes again."""
        self._revs[id] = max(rev, self._revs.pop(id, rev))
        if len(self._revs) > self._kept:
            del self._revs[next(iter(self._revs))]
