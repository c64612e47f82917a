"""Options that several commands have, and what is made of them: settings, rules, a reader."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.log.port import Reader
    from streams.settings.tables import Settings

NEEDED = {
    "when an event happened": ("timestamp",),
    "who it was": ("userId", "anonymousId"),
}  # the fields without which every row of a table would be rejected; all others can be made up

Text = TypeVar("Text", str, list[str], None)


def is_text(given: Text) -> Text:
    """For arguments that are text: raises ConfigError if bytes were typed that are none. Names of files may be any bytes."""
    values: list[str] = [given] if isinstance(given, str) else given or []
    for value in values:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{value.encode('utf-8', 'surrogateescape')!r} is not UTF-8 text") from None
    return given


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="The data directory. [default: data, or the setting]",
        show_default=False,
    ),
]
RulesFile = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="A rules file of your own (TOML). [default: the shipped rules]",
        show_default=False,
    ),
]
Partitions = Annotated[
    int | None,
    typer.Option(
        "--partitions", metavar="N", help="Of a new data directory. [default: 1]", show_default=False
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        callback=is_text,
        help="Which CSV column is which field of an event; once per field.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="JSON for machines, one record per line.")]

Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        metavar="HOST:PORT",
        callback=is_text,
        help="Some of the brokers. [default: the setting]",
        show_default=False,
    ),
]
App = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="NAME",
        callback=is_text,
        help="Of this deployment. [default: the setting]",
        show_default=False,
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="TOPIC",
        callback=is_text,
        help="A topic to read; once per topic. [default: the setting]",
        show_default=False,
    ),
]


def settings(ctx: typer.Context, **flags: Any) -> "Settings":
    """The settings of this start. Raises ConfigError."""
    from streams.settings.loading import load

    return load(ctx.obj, **flags)


def rules(settings: "Settings") -> "Rules":
    """The rules of these settings. Raises ConfigError, which names the file."""
    from streams.runtime.rules_file import read_rules

    return read_rules(settings.rules)


def mapping(given: Iterable[str] | None, format: str) -> dict[str, str]:
    """`--map FIELD=COLUMN` as a dictionary. Raises ConfigError, also for a table of which no row could be read."""
    from streams.sources.mapping import check_targets

    found: dict[str, str] = {}
    for text in given or ():
        field, equals, column = text.partition("=")
        if not (field and equals and column):
            raise ConfigError(f"--map {text}: write FIELD=COLUMN, as in --map timestamp=time")
        if field in found:
            raise ConfigError(f"--map {text}: {field} is already mapped to {found[field]}")
        found[field] = column
    if found and format != "csv":
        raise ConfigError(
            f"--map is for --format csv: --format {format} has its fields under their own names"
        )
    if format == "csv":
        check_targets(found)
        for what, fields in NEEDED.items():
            if not any(field in found for field in fields):
                raise ConfigError(
                    f"--format csv: no column is mapped to {' or '.join(fields)}, {what}. Say which one is: --map {fields[0]}=COLUMN"
                )
    return found


@asynccontextmanager
async def reading(ctx: typer.Context, data_dir: Path | None) -> AsyncIterator["Reader"]:
    """The log of a data directory, to read. Raises InputError when there is none."""
    from streams.log.sqlite.log import SqliteLog

    reader = SqliteLog.read_only(settings(ctx, data_dir=data_dir).data_dir, frozen=True)
    try:
        yield reader
    finally:
        await reader.close()
