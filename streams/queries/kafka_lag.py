"""What a lag comes to in records: on a broker it is a difference of offsets, and markers of transactions take
offsets too.
"""

from collections.abc import Mapping

from aiokafka import TopicPartition
from msgspec.structs import replace

from streams.log.kafka.client import Isolation
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.open_transactions import open_transactions
from streams.log.kafka.reader import read_up_to
from streams.queries.lag import Lag

# Differences of at most so many offsets are counted: of every source of an app, so they are few. Open
# transactions are the exception, and whoever looks for one wants to know how much it holds back.
MAX_COUNTED_LAG = 1_000
MAX_COUNTED_HIDDEN = 10_000


async def count_records(log: KafkaLog, lag: Lag) -> Lag:
    """The lag in records, where it is small, with the transactions that hide some of them."""
    rows = {log.topics.topic_partition(row.source): row for row in lag.sources}
    stable = {tp: row.end if row.hidden is None else row.hidden.first for tp, row in rows.items()}
    readable = {tp: stable[tp] - row.readable for tp, row in rows.items() if row.readable > 0}
    readable = {tp: first for tp, first in readable.items() if stable[tp] - first <= MAX_COUNTED_LAG}
    begins = {tp: stable[tp] for tp, row in rows.items() if row.hidden is not None}
    few = {tp: first for tp, first in begins.items() if rows[tp].end - first <= MAX_COUNTED_HIDDEN}
    counts = await _counted(log, readable, stable, "read_committed")
    found = await _counted(log, few, {tp: row.end for tp, row in rows.items()}, "read_uncommitted")
    transactions = await open_transactions(log.cluster, begins) if begins else {}
    sources = []
    for tp, row in rows.items():
        counted = replace(row, readable=counts.get(tp, row.readable))
        if row.hidden is not None:
            transaction = transactions[tp]
            hidden = replace(
                row.hidden,
                records=found.get(tp, row.hidden.records),
                since_ms=transaction.since_ms,
                transaction=transaction.transactional_id,
            )
            counted = replace(counted, hidden=hidden)
        sources.append(counted)
    return replace(lag, sources=sources)


async def _counted(
    log: KafkaLog,
    firsts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    isolation: Isolation,
) -> dict[TopicPartition, int]:
    """How many records these partitions have from `firsts` up to `ends`."""
    if not firsts:
        return {}
    counts = dict.fromkeys(firsts, 0)
    last = max(ends[tp] - first for tp, first in firsts.items())
    async for tp, chunk in read_up_to(log.cluster, {tp: ends[tp] for tp in firsts}, last, isolation):
        counts[tp] += sum([record.offset >= firsts[tp] for record in chunk])
    return counts
