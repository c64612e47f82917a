"""Counts what found nothing, over all time: refunds and updates of orders that are no steps of journeys."""

from collections.abc import Iterable
from typing import NamedTuple

from streams.core.ingest.event import Reason
from streams.log.port import Reader
from streams.queries.cell_table import Counted
from streams.queries.tallies import count_moves
from streams.topology import REJECTED


class UnmatchedCounts(NamedTuple):
    """How many there are."""

    refunds: dict[str, int]  # by what is missing: `purchase`, `person`
    updates: int  # of orders that are not known


async def count_unmatched(reader: Reader, cells: Iterable[Counted]) -> UnmatchedCounts:
    """What found nothing. `cells`: the counters over all time."""
    by_kind = dict.fromkeys(("refund_unmatched", "update_unmatched"), 0)
    for move, n in count_moves(cells).items():
        if move.kind in by_kind:
            by_kind[move.kind] += n
    refunds = {"purchase": by_kind["refund_unmatched"], "person": await _count_nobodys_refunds(reader)}
    return UnmatchedCounts(refunds, by_kind["update_unmatched"])


async def _count_nobodys_refunds(reader: Reader) -> int:
    """How many refunds name no person. Such a dead letter is there for as long as its topic keeps it."""
    wanted = ("reason", Reason.REFUND_WITHOUT_PERSON.encode())
    return sum([wanted in record.headers async for _, record in reader.scan(REJECTED.name)])
