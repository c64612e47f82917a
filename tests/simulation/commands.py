"""`streams redrive` as the simulation runs it: the product's own command, which may be killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from streams.clock import Clock
from streams.errors import Unavailable
from streams.log.memory import MemoryLog
from streams.queries.redriving import Receipts, Redrive, Wanted, letters_to_send
from streams.records import Record
from tests.simulation.script import Command

PATIENCE_S = -1.0  # everything is read: who has no receipt by now never gets one


class StoppedClock(Clock):
    """It shows one time."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def monotonic_s(self) -> float:
        return 0.0

    def wall_ms(self) -> int:
        return self.ms


class BlindRedrive(Redrive):
    """One that sends all that is wanted, whether or not it counts already."""

    def _wanted(self, wanted: Wanted) -> AsyncIterator[tuple[int, Record]]:
        return letters_to_send(self._log, wanted, self.done, Receipts(self._log, ""))


class Commands:
    """All commands of a run."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.count = 0
        self.whole: list[Redrive] = []  # those that were not killed

    def send(self, op: Command) -> None:
        """Sends the dead letters that are there; a crash of the log goes through."""
        self.count += 1
        command = BlindRedrive if op.is_blind else Redrive
        redrive = command(self._log, f"redrive-{self.count}", StoppedClock(op.time_ms))
        asyncio.run(redrive.send(Wanted(op.letter), lambda sent: None))
        self.whole.append(redrive)

    def unanswered(self) -> Iterator[str]:
        """What commands wait for although everything is read, and receipts that they count wrongly."""

        async def pause() -> None:
            pass

        for redrive in self.whole:
            done = redrive.done
            try:
                asyncio.run(redrive.wait(pause, PATIENCE_S, lambda ended: None))
            except Unavailable as error:
                yield f"{done.command}: {error}"
            if (ended := done.ended.total()) != (sent := done.sent.total()):
                yield f"{done.command}: {sent} dead letters were sent, and {ended} have ended"
        self.whole = []
