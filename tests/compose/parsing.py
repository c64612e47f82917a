"""Reads a command as the command line would, and runs nothing."""

from typing import Any

import typer

from streams.cli.app import command_line


def parse(words: list[str]) -> str:
    """The command that it is, such as `topics apply`. Raises what a person who types it would be told."""
    command: Any = typer.main.get_command(command_line)
    parent, path, rest = None, list[str](), list(words)
    while hasattr(command, "commands"):
        assert rest, f"{words}: no command"
        parent = command.make_context(path[-1] if path else "streams", [], parent, resilient_parsing=True)
        name, command, rest = command.resolve_command(parent, rest)
        assert command is not None, f"{words}: no such command: {rest}"
        path.append(name)
    command.make_context(path[-1], rest, parent)
    return " ".join(path)
