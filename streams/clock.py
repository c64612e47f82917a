"""Reads the machine's clock, for everything that waits, measures or follows the time of day.

Whatever needs the time takes a `Clock`, so that a test can pass one of its own and let an hour pass in a
moment. The core takes times as arguments and has no clock.
"""

import time


class Clock:
    """The machine's clock. A subclass may keep another time."""

    def monotonic_s(self) -> float:
        """Seconds since any moment; never goes back. Durations and deadlines are measured with it."""
        return time.monotonic()

    def processor_s(self) -> float:
        """Seconds that this thread has computed; it does not count while others have the processor."""
        return time.thread_time()

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC, as the machine believes; may jump either way."""
        return time.time_ns() // 1_000_000
