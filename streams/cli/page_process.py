"""The live page beside `streams run`: `streams dashboard` as a process of its own, which ends with this one.

The page must not wait for the loop that folds events, nor hold it up. It ends when a pipe to it is closed,
which happens however this process ends.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAGE_CLOSING_S = 20.0  # the page ends its streams within seconds; after so long it is ended
PROGRAM = (sys.executable, "-c", "from streams.cli import main; main()")


@contextmanager
def live_page(is_wanted: bool, config: Path | None, options: Sequence[object]) -> Iterator[None]:
    """Serves the page while it is entered, if it is wanted.

    `config`: the settings file, if one was named. `options`: which log the page is of. A page that cannot
    start prints why, and the work goes on.
    """
    if not is_wanted:
        yield
        return
    named: list[Any] = [] if config is None else ["--config", config]
    words = [*PROGRAM, *named, "dashboard", *options, "--beside"]
    with subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE) as page:
        try:
            yield
        finally:
            assert page.stdin is not None, "it was asked for"
            page.stdin.close()
            try:
                page.wait(PAGE_CLOSING_S)
            except subprocess.TimeoutExpired:
                page.kill()
