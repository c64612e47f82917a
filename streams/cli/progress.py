"""How far long work has come: a bar with rate and time left on a terminal, else a line now and then. On stderr, so that pipes stay clean."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY_S = (
    10.0  # where there is no terminal: often enough to see that it lives, seldom enough for a log file
)


class Work:
    """One piece of long work. `update` is cheap; call it after every batch. Work that is `endless` has neither bar nor rate, only a count."""

    def __init__(self, what: str, unit: str = "events", endless: bool = False) -> None:
        self.what, self.unit, self.endless = what, unit, endless
        self.known = 0  # of the count: was done before this work began, so it is no part of the rate
        self._began = self._said = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                ProgressColumn,
                SpinnerColumn,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )

            said = TextColumn("{task.fields[said]}", style="dim")
            columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}"), said]
            if not self.endless:
                columns[2:] = [
                    BarColumn(bar_width=32),
                    TaskProgressColumn(),
                    said,
                    TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                ]
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task(self.what, total=None, said="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, count: int, done: int, total: int) -> None:
        """`count` of the unit are done. `done` of `total` (bytes, say) tell how much is left; total 0: not known."""
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total or None, said=self._counted(count, now))
        elif now - self._said >= LINE_EVERY_S:
            self._said = now
            part = f"{done / total:.0%}, " if total else ""
            print(f"{self.what}: {part}{self._counted(count, now)}", file=sys.stderr, flush=True)

    def _counted(self, count: int, now: float) -> str:
        elapsed = now - self._began
        return f"{count:,} {self.unit}" + (
            f", {(count - self.known) / elapsed:,.0f}/s" if elapsed > 0.2 and not self.endless else ""
        )

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began
