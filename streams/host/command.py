"""`faust -A streams.host worker`: Faust's command, started as `streams run --kafka` is, without its banner, with our messages and exit codes."""

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
def spoken() -> Iterator[None]:
    """Within Faust's command an error of ours becomes its message and exit code; elsewhere it stays what it is."""
    try:
        yield
    except StreamsError as error:
        if click.get_current_context(silent=True) is None and not _starting():
            raise
        said = click.ClickException(str(error))
        said.exit_code = error.exit_code
        raise said from None


def _starting() -> bool:
    """Faust imports the app before there is a context: as `faust`, or as `python -m faust`."""
    command = Path(sys.argv[0])
    return "faust" in (command.stem, command.parent.name)


class worker(faust_worker):  # Faust calls a command what its class is called
    """Start a worker: the partition agents, and agents of your own beside them."""

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        app = self.app
        assert isinstance(app, App), (
            "faust -A streams.host, or a module of yours that takes its app from there"
        )
        try:
            serve(app)
        except StreamsError as error:
            click.secho("error: ", fg="red", bold=True, nl=False, err=True)
            click.echo(str(error), err=True)
            raise SystemExit(error.exit_code) from None
        raise SystemExit(0)
