"""The options that several commands share, and what commands make of them: settings, rules, a format."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.settings.tables import Settings
    from streams.sources.input_file import InputFormat

REQUIRED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "when an event happened": ("timestamp",),
    "who it was": ("userId", "anonymousId"),
}
"""The fields without which every row of a table would be rejected. All others can be made up."""

Text = TypeVar("Text", str, list[str], None)


def checked_text(given: Text) -> Text:
    """Raises ConfigError for an argument whose bytes are no text.

    Names of files are not checked, since they may be any bytes.
    """
    values: list[str] = [given] if isinstance(given, str) else given or []
    for value in values:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{value.encode('utf-8', 'surrogateescape')!r} is not UTF-8 text") from None
    return given


DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="The data directory. [default: the setting, or data]",
        show_default=False,
    ),
]
RulesOption = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="A rules file of your own (TOML). [default: the setting, or the shipped rules]",
        show_default=False,
    ),
]
PartitionsOption = Annotated[
    int | None,
    typer.Option(
        "--partitions",
        metavar="N",
        help="How many partitions a new data directory gets. [default: the setting, or 1]",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Literal["segment", "csv"],
    typer.Option(
        "--format",
        help="segment: JSON lines of the Segment spec. csv: a table with a header; see --map.",
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        callback=checked_text,
        help="Which column of a CSV table is which field of an event. Once per field.",
    ),
]
ProfileArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        callback=checked_text,
        help="The id of a user or of a device, with u: or d: before it or without.",
        show_default=False,
    ),
]
TenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        metavar="NAME",
        callback=checked_text,
        help="Only of this tenant. Where there are tenants, it saves reading all partitions.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

KafkaOption = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        metavar="HOST:PORT",
        callback=checked_text,
        help="The address of a broker, or of several. [default: the setting]",
        show_default=False,
    ),
]
AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="NAME",
        callback=checked_text,
        help="The name of the deployment. [default: the setting]",
        show_default=False,
    ),
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="TOPIC",
        callback=checked_text,
        help="A topic to read. Once per topic. [default: the setting]",
        show_default=False,
    ),
]


def settings_of(ctx: typer.Context, **flags: Any) -> "Settings":
    """The settings of this start. Raises ConfigError."""
    from streams.settings.loading import load_settings

    return load_settings(ctx.obj, **flags)


def rules_of(settings: "Settings") -> "Rules":
    """The rules of these settings. Raises ConfigError, which names the file."""
    from streams.runtime.rules_file import read_rules

    return read_rules(settings.rules)


def input_format(source_format: Literal["segment", "csv"], columns: Iterable[str] | None) -> "InputFormat":
    """The format of files, with the columns of `--map FIELD=COLUMN` by field.

    Raises ConfigError, also if no row of the table could be read.
    """
    from streams.sources.input_file import InputFormat

    mapping: dict[str, str] = {}
    for text in columns or ():
        field, equals, column = text.partition("=")
        if not (field and equals and column):
            raise ConfigError(f"--map {text}: write FIELD=COLUMN, as in --map timestamp=time")
        if field in mapping:
            raise ConfigError(f"--map {text}: {field} is already mapped to {mapping[field]}")
        mapping[field] = column
    if source_format == "csv":
        _check_mapping(mapping)
    elif mapping:
        raise ConfigError(
            f"--map is for --format csv: the fields of --format {source_format} have their own names already"
        )
    return InputFormat(source_format, mapping)


def _check_mapping(mapping: Mapping[str, str]) -> None:
    from streams.sources.mapping import check_targets

    check_targets(mapping)
    for meaning, fields in REQUIRED_FIELDS.items():
        if not any(field in mapping for field in fields):
            raise ConfigError(
                f"--format csv: no column is mapped to {' or '.join(fields)} ({meaning}): give --map "
                f"{fields[0]}=COLUMN"
            )
