"""Logs what only a defect of this program can bring about, and what it goes on with all the same."""

from structlog.typing import FilteringBoundLogger

from streams.core.processing.committed import Committed, Observer
from streams.core.processing.dead_letters import INCONSISTENT


def defect_observer(logger: FilteringBoundLogger) -> Observer:
    """What logs each step in which an event of a device was not where it should be."""

    def observe(step: Committed) -> None:
        if events := step.reasons.get("moved", {}).get(INCONSISTENT, 0):
            logger.error(
                "inconsistent",
                partition=step.partition,
                events=events,
                reason="events of devices were not where they had been given to: a defect of the program; "
                "the late topic has them, with the reason inconsistent",
            )

    return observe
