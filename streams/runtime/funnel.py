"""Keeps `<app>.funnel` written while this worker holds partition 0.

It runs beside the agents and never ends them: after an error it opens another writer, with growing pauses.
Two workers that both believe that partition 0 is theirs fence each other here as agents do.
"""

import asyncio
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from streams.backoff import Backoff
from streams.clock import Clock
from streams.errors import StreamsError
from streams.log.kafka.funnel import FunnelWriter
from streams.log.kafka.log import KafkaLog
from streams.runtime.pace import may_write_funnel
from streams.telemetry.meters import Meters

WRITER_PARTITION = 0  # whoever holds it writes the funnel: one worker, and the group finds another
_LOOK_S = 0.25  # between looks at whether the funnel may be written
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0  # after an error


async def keep_funnel(
    log: KafkaLog,
    meters: Meters,
    logger: FilteringBoundLogger,
    clock: Clock,
    is_behind: Callable[[], bool],
) -> None:
    """Runs until it is cancelled. `is_behind`: whether agents of this worker have more to read now."""
    backoff = Backoff(first_s=_FIRST_PAUSE_S, longest_s=_LONGEST_PAUSE_S)
    while True:
        writer = FunnelWriter(log, clock)
        try:
            await writer.open()
            logger.info("funnel_written", cells=writer.totals.cells)
            meters.funnel_opened(writer.totals.cells)
            while True:
                began_s = clock.monotonic_s()
                if await writer.step():
                    backoff.reset()
                    meters.funnel_written(writer.totals.cells)
                    while not may_write_funnel(clock.monotonic_s() - began_s, is_behind()):
                        await asyncio.sleep(_LOOK_S)
        except StreamsError as error:
            pause_s = backoff.next_s()
            logger.warning("funnel_failed", reason=str(error), again_s=round(pause_s, 1))
        except Exception as error:
            # A defect here is one of a table that others can add up themselves: it must not end the agents.
            pause_s = backoff.next_s()
            logger.exception("funnel_failed", reason=repr(error), again_s=round(pause_s, 1))
        finally:
            meters.funnel_closed()
            await writer.close()
        await asyncio.sleep(pause_s)
