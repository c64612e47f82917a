"""The command line: `streams`. Everything a person types or sees is in this package; what it does is elsewhere.

Heavy modules (settings, rules, the log, rich) are imported by the commands that use them, so that `streams --help` answers at once.
"""

import io
import signal
import sys


def main() -> None:
    """The console script."""
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C just ends what only reads; what writes stops between two batches (`stopping`)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `streams transitions --jsonl | head` ends quietly
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # as standard error is: a file's name may be any bytes, and a terminal of any encoding
    from streams.cli.app import app

    app(prog_name="streams")
