"""Shows the progress of long work.

On a terminal it is a bar with rate and time left, elsewhere a line now and then. It goes to standard error,
so that standard output has nothing but results.
"""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streams.clock import Clock

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

LINE_INTERVAL_S = 10.0  # often enough to see that it is alive, rarely enough for a log file
MIN_RATE_S = 0.2  # after less time a rate is not worth showing
BAR_COLUMNS = 32


class Work:
    """One piece of long work. `update` is cheap: call it after every batch.

    Endless work has neither a bar nor a rate, only a count. The bar of transient work goes when it ends.
    """

    def __init__(
        self, name: str, unit: str = "events", is_endless: bool = False, *, is_transient: bool = False
    ) -> None:
        self.name, self.unit, self.is_endless, self._is_transient = name, unit, is_endless, is_transient
        self._clock = Clock()
        self.done_before = 0  # part of the count, but done before this work began, so not part of its rate
        self._began_s = self._printed_s = self._clock.monotonic_s()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(
                *_columns(self.is_endless), console=Console(stderr=True), transient=self._is_transient
            )
            self._task = self._bar.add_task(self.name, total=None, count="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, count: int, done: int, total: int) -> None:
        """Reports that `count` of the unit are done.

        `done / total` is the share that is done, for example in bytes. A total of 0 means that it is not
        known.
        """
        now_s = self._clock.monotonic_s()
        if self._bar is not None:
            self._bar.update(
                self._task,
                description=self.name,  # it may change on the way
                completed=done,
                total=total or None,
                count=self._count_text(count, now_s),
            )
        elif now_s - self._printed_s >= LINE_INTERVAL_S:
            self._printed_s = now_s
            share = f"{done / total:.0%}, " if total else ""
            print(f"{self.name}: {share}{self._count_text(count, now_s)}", file=sys.stderr, flush=True)

    def _count_text(self, count: int, now_s: float) -> str:
        elapsed_s = now_s - self._began_s
        text = f"{count:,} {self.unit}"
        if self.is_endless or elapsed_s <= MIN_RATE_S:
            return text
        return f"{text}, {(count - self.done_before) / elapsed_s:,.0f}/s"

    @property
    def seconds(self) -> float:
        """The time since the work began."""
        return self._clock.monotonic_s() - self._began_s


def _columns(is_endless: bool) -> "list[ProgressColumn]":
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    count = TextColumn("{task.fields[count]}", style="dim")
    name = [SpinnerColumn(), TextColumn("{task.description}")]
    if is_endless:
        return [*name, count]
    left = TimeRemainingColumn(compact=True, elapsed_when_finished=True)
    return [*name, BarColumn(bar_width=BAR_COLUMNS), TaskProgressColumn(), count, left]
