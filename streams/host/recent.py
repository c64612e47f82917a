"""What an agent has dealt with lately. Records come at least once; this tells most of those that come again, without a store of its own.

It forgets with the process, and what lies too far back. Who must never act twice writes (id, rev) down where the action happens: as an idempotency
key of a request, or as a unique key of a table.
"""

KEPT = (
    100_000  # ids: about 20 MB; a record comes again within seconds as a rule, after a rebalance or a restart
)


class Recent:
    """Of each id the greatest rev that was dealt with; the ids longest untouched go first."""

    def __init__(self, kept: int = KEPT) -> None:
        assert kept > 0, kept
        self._kept = kept
        self._revs: dict[str, int] = {}

    def knows(self, id: str, rev: int) -> bool:
        """Whether this record, or a newer one with its id, was dealt with."""
        return self._revs.get(id, -1) >= rev

    def add(self, id: str, rev: int) -> None:
        """It has been dealt with; not before: what failed on the way comes again."""
        self._revs[id] = max(rev, self._revs.pop(id, rev))
        if len(self._revs) > self._kept:
            del self._revs[next(iter(self._revs))]
