"""What the commands share that ask about one person."""

from typing import NoReturn

import typer

EXIT_NOBODY = 1


def end_for_nobody(name: str, tenant: str | None) -> NoReturn:
    """Ends the command, since nobody has this name."""
    of = "" if tenant is None else f" of the tenant {tenant!r}"
    typer.echo(f"nobody of the name {name!r}{of} is known here", err=True)
    raise typer.Exit(EXIT_NOBODY)
