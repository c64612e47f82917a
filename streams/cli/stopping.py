"""Stops long work on Ctrl-C or SIGTERM between two batches, so that the message about it is true.

A second signal ends the process at once. That loses nothing either, since every commit is whole: it only
costs the current batch.
"""

import asyncio
import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


class Stopped(Exception):
    """A signal stopped the work, cleanly. The message says what became of it."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class StopRequest:
    """Takes the signals while it is entered. `event` is set once one came.

    It must be made inside of a running event loop.
    """

    def __init__(self) -> None:
        self.number: int | None = None  # the signal that came
        self.event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._handle) for number in STOP_SIGNALS]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in zip(STOP_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def check(self, message: str) -> None:
        """Raises Stopped if a signal came. Call it between two batches."""
        if self.number is not None:
            raise Stopped(self.number, message)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            if sys.stderr.isatty():
                sys.stderr.write(SHOW_CURSOR)
                sys.stderr.flush()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.number = number
        self._loop.call_soon_threadsafe(self.event.set)
