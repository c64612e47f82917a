"""The command `faust -A streams.host worker`, which does the same as `streams run --kafka`.

It prints this program's messages instead of Faust's banner, and exits with this program's codes.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
from faust.cli.worker import worker as faust_worker

from streams.errors import StreamsError
from streams.host.application import App
from streams.host.serve import serve


@contextmanager
def as_click_errors() -> Iterator[None]:
    """Turns a StreamsError into click's error with its exit code, but only within Faust's command."""
    try:
        yield
    except StreamsError as error:
        if click.get_current_context(silent=True) is None and not _started_as_faust():
            raise
        shown = click.ClickException(str(error))
        shown.exit_code = error.exit_code
        raise shown from None


def _started_as_faust() -> bool:
    """Whether Faust's command started this process: it imports the app before click has a context."""
    command = Path(sys.argv[0])
    return "faust" in (command.stem, command.parent.name)


class worker(faust_worker):  # Faust calls a command what its class is called
    """Start a worker: the partition agents, and your own agents beside them."""

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        app = self.app
        assert isinstance(app, App), (
            "run faust -A with streams.host, or with a module that takes its app from there"
        )
        try:
            serve(app)
        except StreamsError as error:
            click.secho("error: ", fg="red", bold=True, nl=False, err=True)
            click.echo(str(error), err=True)
            raise SystemExit(error.exit_code) from None
        raise SystemExit(0)
