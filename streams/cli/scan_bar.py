"""A bar for each topic of an app that takes long to read: on a terminal, and nowhere else."""

import sys

from streams.cli.progress import Work

LONG_SCAN_OFFSETS = 50_000  # about a tenth of a second: a bar for less would only flicker


class ScanBar:
    """Shows how far a topic has been read.

    Call it with the topic, the offsets passed and how many there are.
    """

    def __init__(self) -> None:
        self._topic: str | None = None
        self._work: Work | None = None

    def __call__(self, topic: str, done: int, total: int) -> None:
        if total < LONG_SCAN_OFFSETS or not sys.stderr.isatty():
            return
        if self._work is None or topic != self._topic:
            self.close()
            self._topic = topic
            self._work = Work(f"reading {topic}", "offsets", is_transient=True)
            self._work.__enter__()
        self._work.update(done, done, total)

    def close(self) -> None:
        """Takes the bar off the screen."""
        work, self._work = self._work, None
        if work is not None:
            work.__exit__(None, None, None)
