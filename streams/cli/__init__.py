"""The command line, `streams`: everything that a person types or sees.

What the commands do is in other packages. Each command imports heavy modules (settings, rules, the log, rich)
itself, so that `streams --help` answers at once.
"""

import io
import signal
import sys


def main() -> None:
    """Runs the command that was typed."""
    # Ctrl-C ends a command that only reads at once. Others stop between two batches (`streams.cli.stopping`).
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The end of a pipe ends the command without an error: `streams transitions --json | head`.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # A file's name may be any bytes, and a terminal may have any encoding. Standard error is set so already.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    from streams.cli.app import command_line

    command_line(prog_name="streams")
