"""Partitions at work without a host, in turns."""

from collections.abc import Sequence

from streams.runtime.partition_agent import PartitionAgent


async def catch_up(agents: Sequence[PartitionAgent], watermark_ms: int | None = None) -> None:
    """Steps until none of them has anything left to read, and no timer to fire: what one hands over, or
    reports, another reads.
    """
    busy = True
    while busy:
        steps = [await agent.step(watermark_ms=watermark_ms) for agent in agents]
        busy = any(step.records or step.more for step in steps)
